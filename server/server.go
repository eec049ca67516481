// Package server speaks the Model Context Protocol: it publishes tools and
// makes a transport safe to run unattended. Messages are understood by mcp-go;
// what a transport owes its client on top of that is here: progress in order,
// cancellation that is obeyed, limits, and an end that comes in time.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/tools"
)

// defaultSlowLimit is how many slow calls run at once. They mostly wait for the
// network; the limit is there for the memory that they take.
const defaultSlowLimit = 16

// slowPatience is how long a slow call waits for its turn: with its budget on
// top, the answer still comes before clients give up.
const slowPatience = 5 * time.Second

// toolListLifetime is how long a client may keep tools/list, in milliseconds:
// the list only changes with the program.
const toolListLifetime = 300_000

// Options are what a server is made of. A zero SlowLimit is the default.
type Options struct {
	Name         string // for programs
	Title        string // for people
	Version      string
	Instructions string // for the model, at most 2 KB: clients cut what is longer
	Tools        []tools.Definition
	Logger       *slog.Logger // never writes to stdout; nil discards
	SlowLimit    int
}

// Server publishes tools over any number of transports.
type Server struct {
	mcp   *mcpserver.MCPServer
	log   *slog.Logger
	names []string      // of the tools
	slow  chan struct{} // a slot for each slow call
	calls atomic.Int64  // numbers calls, so that an error can be found in the log
	conns atomic.Int64  // numbers stdio connections
}

// New returns a server that publishes o.Tools.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SlowLimit <= 0 {
		o.SlowLimit = defaultSlowLimit
	}
	s := &Server{log: o.Logger, slow: make(chan struct{}, o.SlowLimit)}
	// mcp-go's task support stays off: it runs a tool in a context that has
	// already ended.
	s.mcp = mcpserver.NewMCPServer(o.Name, o.Version,
		mcpserver.WithTitle(o.Title),
		mcpserver.WithInstructions(o.Instructions),
		mcpserver.WithToolCapabilities(false),
		mcpserver.WithMethodCacheHints(mcp.MethodToolsList, toolListLifetime, mcp.CacheScopePublic),
	)
	for _, d := range o.Tools {
		s.mcp.AddTool(published(d), s.handler(d))
		s.names = append(s.names, d.Name)
	}
	return s
}

func published(d tools.Definition) mcp.Tool {
	return mcp.Tool{
		Name:            d.Name,
		Title:           d.Title,
		Description:     d.About,
		RawInputSchema:  d.InputSchema,
		RawOutputSchema: d.OutputSchema,
		Annotations: mcp.ToolAnnotation{
			ReadOnlyHint:    &d.Hints.ReadOnly,
			DestructiveHint: &d.Hints.Destructive,
			IdempotentHint:  &d.Hints.Idempotent,
			OpenWorldHint:   &d.Hints.OpenWorld,
		},
	}
}

// handler runs a tool for a client. What goes wrong in a tool is a result with
// isError, so that the model reads it; the protocol's own errors are for
// broken messages.
func (s *Server) handler(d tools.Definition) mcpserver.ToolHandlerFunc {
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		call := s.calls.Add(1)
		log := s.log.With("tool", d.Name, "call", call)
		if d.Slow {
			busy := time.NewTimer(slowPatience)
			defer busy.Stop()
			select {
			case s.slow <- struct{}{}:
				defer func() { <-s.slow }()
			case <-busy.C:
				return s.failed(ctx, log, d.Name, call, &evidence.Problem{
					What: fmt.Sprintf("%d slow calls are at work already", cap(s.slow)), Try: "call again in a moment, or ask fewer questions at once"}), nil
			case <-ctx.Done():
				return s.failed(ctx, log, d.Name, call, ctx.Err()), nil
			}
		}
		p := s.startProgress(ctx, d, req)
		res, err := s.run(ctx, log, d, arguments(req), p)
		p.stop()
		if err != nil {
			return s.failed(ctx, log, d.Name, call, err), nil
		}
		return mcp.NewToolResultStructured(res.Structured, res.Text), nil
	}
}

var errPanic = errors.New("the tool panicked")

// run calls the tool and survives its panic.
func (s *Server) run(ctx context.Context, log *slog.Logger, d tools.Definition, args json.RawMessage, p *progress) (res tools.Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("tool panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return d.Call(ctx, args, p.observe)
}

// arguments are the call's arguments as they came over the wire.
func arguments(req mcp.CallToolRequest) json.RawMessage {
	if len(req.Params.RawArguments) > 0 {
		return req.Params.RawArguments
	}
	if req.Params.Arguments == nil {
		return nil
	}
	raw, err := json.Marshal(req.Params.Arguments)
	if err != nil {
		return nil
	}
	return raw
}

// failed says what went wrong: a Problem in its own words, anything else in
// ours, with a number that stands in the log beside the details.
func (s *Server) failed(ctx context.Context, log *slog.Logger, name string, call int64, err error) *mcp.CallToolResult {
	var p *evidence.Problem
	switch {
	case errors.As(err, &p):
		log.Info("tool refused", "err", err)
		return mcp.NewToolResultError(p.Error())
	case ctx.Err() != nil:
		return mcp.NewToolResultError(name + " was cancelled; call it again if its result is still wanted")
	case !errors.Is(err, errPanic):
		log.Error("tool failed", "err", err)
	}
	return mcp.NewToolResultError(fmt.Sprintf("%s failed inside the server; try again, and if it stays so, look at call %d in the server's log", name, call))
}

// unknownTool says which tools there are when a call names another; mcp-go only
// says that it is not there.
func (s *Server) unknownTool(env envelope) string {
	if env.Method != string(mcp.MethodToolsCall) {
		return ""
	}
	var p struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(env.Params, &p) != nil || slices.Contains(s.names, p.Name) {
		return ""
	}
	name, _ := text.Cut(p.Name, 60)
	problem := fmt.Sprintf("unknown tool %q; ", name)
	if near := text.Nearest(name, s.names); near != "" {
		problem += fmt.Sprintf("did you mean %q? ", near)
	}
	return problem + "valid: " + strings.Join(s.names, ", ")
}
