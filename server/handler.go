// Package server publishes tools over the Model Context Protocol. A Handler
// does everything that does not depend on how messages travel: it lists and
// calls tools, limits slow calls, reports progress, and cancels. Package
// server/stdio is a transport; another transport is another folder beside it.
// The protocol itself is implemented by mcp-go.
package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"
	mcpserver "github.com/mark3labs/mcp-go/server"

	"github.com/research-mcp/research-mcp/tools"
)

// defaultSlowLimit is how many slow calls run at once. They mostly wait for the
// network; the limit bounds the memory that they take.
const defaultSlowLimit = 16

// listLifetime is how long a client may cache the lists of tools, prompts and resources, in
// milliseconds: they are fixed while the program runs, and the same for each client. What is
// read of the memory may be forgotten at any time: it is private, and is not to be cached.
const listLifetime = 300_000

var fixedLists = []mcp.MCPMethod{mcp.MethodToolsList, mcp.MethodPromptsList, mcp.MethodResourcesList, mcp.MethodResourcesTemplatesList}

// MaxMessage is the longest message that a transport reads, in bytes. Tools take
// far less; a client that sends more is broken, and must not fill our memory.
const MaxMessage = 8 << 20

// Options configure a Handler. A zero SlowLimit means the default.
type Options struct {
	Name         string // for programs
	Title        string // for people
	Description  string // for people, one sentence
	Website      string // an address
	Icon         string // address of an SVG image
	Version      string
	Instructions string // for the model, at most 2 KB: clients cut longer ones
	Tools        []tools.Definition
	Resources    []tools.Resource
	Prompts      []tools.Prompt
	Logger       *slog.Logger // must not write to stdout; nil discards
	SlowLimit    int
	Watcher      Watcher // nil: nobody sees the calls
	// Changed returns a channel that is closed when what resources show may have changed. It
	// need not be: subscriptions look anyway. nil: they only look.
	Changed func() <-chan struct{}
}

// Handler publishes tools to any number of clients over any number of
// transports. It is safe for concurrent use and needs no Close.
//
// A transport provides:
//
//   - A Session for each client: Open it when the client connects, and Close it
//     when the connection ends and its requests have returned.
//   - Messages: pass each one to Session.Accept in the order of arrival, at most
//     MaxMessage bytes long, and send the reply if there is one. Refuse builds
//     the reply to a message that could not be read.
//   - Requests: call Run once for every request that Accept returns, in a
//     goroutine of its own, with a context that ends with the connection.
//   - A send function for Run that delivers messages in order and without loss.
//     It may block while the client reads slowly, and must return when the
//     client has disconnected.
//   - Notifications: send what Session.Notifications delivers, encoded by Encode.
type Handler struct {
	mcp        *mcpserver.MCPServer
	log        *slog.Logger
	watcher    Watcher                        // may be nil
	names      []string                       // of the tools
	completers map[completion]tools.Completer // nil: it is known, and has no proposals
	slow       chan struct{}                  // a slot for each slow call
	calls      atomic.Int64                   // numbers calls, to find an error in the log
	sessions   atomic.Int64                   // numbers sessions
	watched    []tools.Resource               // that change
	subscribed atomic.Int64                   // subscriptions of all sessions
	changed    func() <-chan struct{}         // nothing comes by a nil channel
}

// NewHandler returns a handler that publishes o.Tools.
func NewHandler(o Options) *Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.SlowLimit <= 0 {
		o.SlowLimit = defaultSlowLimit
	}
	if o.Changed == nil {
		o.Changed = func() <-chan struct{} { return nil }
	}
	h := &Handler{log: o.Logger, changed: o.Changed, watcher: o.Watcher, slow: make(chan struct{}, o.SlowLimit), completers: map[completion]tools.Completer{}}
	hooks := &mcpserver.Hooks{}
	hooks.AddOnError(h.explain)
	options := []mcpserver.ServerOption{mcpserver.WithCacheHints(0, mcp.CacheScopePrivate)}
	for _, method := range fixedLists {
		options = append(options, mcpserver.WithMethodCacheHints(method, listLifetime, mcp.CacheScopePublic))
	}
	// No list changes while the program runs, so no change is announced. mcp-go's task support stays off: it runs a tool in a context that has
	// already ended.
	h.mcp = mcpserver.NewMCPServer(o.Name, o.Version, append(options,
		mcpserver.WithTitle(o.Title),
		mcpserver.WithDescription(o.Description),
		mcpserver.WithWebsiteURL(o.Website),
		mcpserver.WithIcons(icons(o.Icon)...),
		mcpserver.WithInstructions(o.Instructions),
		mcpserver.WithToolCapabilities(false),
		mcpserver.WithResourceCapabilities(true, false), // also without templates: some clients ask for the list regardless
		mcpserver.WithPromptCapabilities(false),
		mcpserver.WithCompletions(),
		mcpserver.WithPromptCompletionProvider(h),
		mcpserver.WithResourceCompletionProvider(h),
		mcpserver.WithLogging(),
		mcpserver.WithHooks(hooks),
	)...)
	for _, d := range o.Tools {
		h.mcp.AddTool(published(d), h.toolHandler(d))
		h.names = append(h.names, d.Name)
	}
	h.addResources(o.Resources)
	h.addPrompts(o.Prompts)
	return h
}

// icons has an address, not the image itself: the newest revision of the protocol repeats
// it in every response.
func icons(src string) []mcp.Icon {
	if src == "" {
		return nil
	}
	return []mcp.Icon{{Src: src, MIMEType: "image/svg+xml", Sizes: []string{"any"}}}
}

// published is a tool as tools/list shows it.
func published(d tools.Definition) mcp.Tool {
	return mcp.Tool{
		Meta:            hints(d),
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

// hints are those that Claude Code reads: how long a result may be before it is put into
// a file, and what the tool is found by when tools are searched for.
func hints(d tools.Definition) *mcp.Meta {
	fields := map[string]any{}
	if d.Search != "" {
		fields["anthropic/searchHint"] = d.Search
	}
	if d.MostChars > 0 {
		fields["anthropic/maxResultSizeChars"] = d.MostChars
	}
	if len(fields) == 0 {
		return nil
	}
	return mcp.NewMetaFromMap(fields)
}

// Open registers a client; transport names how it is connected, for the log.
func (h *Handler) Open(ctx context.Context, transport string) (*Session, error) {
	s := &Session{
		handler:  h,
		client:   newClient(fmt.Sprintf("%s-%d", transport, h.sessions.Add(1))),
		inFlight: map[string]*Request{},
	}
	s.client.subscriptions = newSubscriptions(h, s.client.channel)
	if err := h.mcp.RegisterSession(ctx, s.client); err != nil {
		return nil, fmt.Errorf("registering the session: %w", err)
	}
	return s, nil
}
