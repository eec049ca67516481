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
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/tools"
)

// slowPatience is how long a slow call waits for a slot. Together with its
// budget it stays below the time after which clients give up.
const slowPatience = 5 * time.Second

// toolHandler adapts a tool to mcp-go. A tool's error is a result with isError,
// so that the model reads it; the protocol's own errors are for broken messages.
func (h *Handler) toolHandler(d tools.Definition) mcpserver.ToolHandlerFunc {
	return func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if info := mcpserver.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientInfo != nil { // of the newest revision
			ctx = tools.WithClient(ctx, info.ClientInfo.Name)
		}
		call := h.calls.Add(1)
		log := h.log.With("tool", d.Name, "call", call)
		ctx, end := h.watch(ctx, d.Name, req)
		if d.Slow && !d.Queues {
			if err := h.acquireSlot(ctx); err != nil {
				end(outcomeOf(ctx, err))
				return failed(ctx, log, d.Name, call, err), nil
			}
			defer func() { <-h.slow }()
		}
		ctx, person := withAsk(ctx, req)
		p := startProgress(ctx, d, req)
		res, err := run(ctx, log, d, arguments(req), func(ev tools.Event) {
			tellEvent(ctx, d.Name, ev)
			p.observe(ev)
		})
		p.stop()
		end(outcomeOf(ctx, err))
		switch {
		case errors.Is(err, errAsked):
			return person.result(), nil
		case err != nil:
			return failed(ctx, log, d.Name, call, err), nil
		}
		if res.Structured == nil {
			return mcp.NewToolResultText(res.Text), nil
		}
		return mcp.NewToolResultStructured(res.Structured, res.Text), nil
	}
}

// acquireSlot waits up to slowPatience until another slow call may run.
func (h *Handler) acquireSlot(ctx context.Context) error {
	busy := time.NewTimer(slowPatience)
	defer busy.Stop()
	select {
	case h.slow <- struct{}{}:
		return nil
	case <-busy.C:
		return &evidence.Problem{What: fmt.Sprintf("%d slow calls are running already", cap(h.slow)), Try: "call again in a moment, or ask fewer questions at once"}
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errPanic = errors.New("the tool panicked")

// run calls the tool and turns a panic into errPanic.
func run(ctx context.Context, log *slog.Logger, d tools.Definition, args json.RawMessage, observe tools.Observe) (res tools.Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("tool panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return d.Call(ctx, args, observe)
}

// arguments returns the call's arguments as the client sent them.
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

// failed is the result of a call that failed. A Problem is shown as it is; any
// other error is logged under the number of the call, which the result names.
func failed(ctx context.Context, log *slog.Logger, name string, call int64, err error) *mcp.CallToolResult {
	var p *evidence.Problem
	switch {
	case errors.As(err, &p):
		log.Info("tool refused", "err", err)
		return mcp.NewToolResultError(redact.Shapes(p.Error())) // it may repeat a value of the caller's
	case ctx.Err() != nil:
		return mcp.NewToolResultError(name + " was cancelled; call it again if its result is still wanted")
	case !errors.Is(err, errPanic):
		log.Error("tool failed", "err", err)
	}
	tellFailure(ctx, name, call)
	return mcp.NewToolResultError(fmt.Sprintf("%s failed inside the server; try again, and if it fails again, look for call %d in the server's log", name, call))
}

// CheckHeaders is for transports with headers: it compares the arguments of a call that its
// tool wants in headers, too, by x-mcp-header in its schema, with what look finds there.
func (h *Handler) CheckHeaders(params json.RawMessage, look func(name string) (value string, sent bool)) error {
	var call struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(params, &call) != nil {
		return nil //nolint:nilerr // it is refused as a call
	}
	tool := h.mcp.GetTool(call.Name)
	if tool == nil {
		return nil
	}
	return mcp.ValidateParamHeadersLookup(look, &tool.Tool, params)
}

// unknownTool returns the refusal of a call to a tool that does not exist, or
// "". It lists the valid names, which mcp-go's own error does not.
func (h *Handler) unknownTool(env envelope) string {
	if env.Method != string(mcp.MethodToolsCall) {
		return ""
	}
	var p struct {
		Name string `json:"name"`
	}
	valid := "valid: " + strings.Join(h.names, ", ")
	if json.Unmarshal(env.Params, &p) != nil || p.Name == "" {
		return `params.name is missing; give the name of a tool, ` + valid
	}
	if slices.Contains(h.names, p.Name) {
		return ""
	}
	name, _ := text.Cut(redact.Shapes(p.Name), 60)
	problem := fmt.Sprintf("unknown tool %q; ", name)
	if near := text.Nearest(name, h.names); near != "" {
		problem += fmt.Sprintf("did you mean %q? ", near)
	}
	return problem + valid
}
