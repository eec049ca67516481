package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"runtime/debug"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/tools"
)

// MaxInFlight is how many requests of one session run, or wait for their
// responses to be sent, at once.
const MaxInFlight = 1000

// Session is one client of a Handler. Its methods are safe for concurrent use.
type Session struct {
	handler *Handler
	client  *client

	mu       sync.Mutex
	inFlight map[string]*Request // without a response yet, by id as the client wrote it
	active   int                 // requests that run, or whose responses wait to be sent
}

// ID names the session in the log.
func (s *Session) ID() string { return s.client.id }

// Close unregisters the client. The session is not used afterwards.
func (s *Session) Close(ctx context.Context) {
	s.handler.mcp.UnregisterSession(ctx, s.client.id)
	s.client.subscriptions.close()
}

// Notifications delivers the notifications that belong to no request.
func (s *Session) Notifications() <-chan mcp.JSONRPCNotification { return s.client.channel }

// Accept takes a message of the client and returns without waiting for a tool.
// A non-nil reply is to be sent to the client; a non-nil request is to be run.
// The request can be cancelled by any message that is accepted after it. At most
// one of the two is non-nil. An empty message is ignored. ctx is for handling a
// notification.
func (s *Session) Accept(ctx context.Context, message []byte) (reply []byte, request *Request) {
	message = bytes.TrimSpace(message)
	if len(message) == 0 {
		return nil, nil
	}
	env, code, problem := parse(message)
	switch {
	case code != 0:
		return refusal(env.ID, code, problem), nil
	case env.Result != nil || env.Error != nil:
		s.client.respond(env)
		return nil, nil
	case env.Method == "":
		return refusal(env.ID, mcp.INVALID_REQUEST, "the message has no method"), nil
	case env.Method == string(mcp.MethodNotificationCancelled):
		s.cancel(env.Params)
		return nil, nil
	case len(env.ID) == 0:
		s.handle(ctx, message, "", func([]byte) {})
		return nil, nil
	}
	if problem := s.handler.unknownTool(env); problem != "" {
		return refusal(env.ID, mcp.INVALID_PARAMS, problem), nil
	}
	r := &Request{session: s, id: env.ID, message: message}
	if env.Method == string(mcp.MethodSubscriptionsListen) {
		r.listens = string(env.ID)
	}
	return s.register(r)
}

// register puts r in flight, or returns a refusal.
func (s *Session) register(r *Request) (refused []byte, request *Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.inFlight[string(r.id)] != nil:
		return refusal(r.id, mcp.INVALID_REQUEST, "a request with this id is still running"), nil
	case s.active >= MaxInFlight:
		return refusal(r.id, mcp.INTERNAL_ERROR, fmt.Sprintf("%d requests are running; wait for a response first", MaxInFlight)), nil
	}
	s.inFlight[string(r.id)] = r
	s.active++
	return nil, r
}

// timedOut matches the reasons that clients give when their own time-out ended a request,
// such as "McpError: MCP error -32001: Request timed out" and "timeout".
var timedOut = regexp.MustCompile(`(?i)\btime[ds]?[ -]?out\b|\bdeadline\b`)

// TimedOut reports whether the reason of a cancellation says that nobody took the request
// back: the client's patience ended.
func TimedOut(reason string) bool { return timedOut.MatchString(reason) }

// cancel ends the request that a client no longer wants. A request that is not
// in flight has a response already.
func (s *Session) cancel(params json.RawMessage) {
	var p struct {
		RequestID json.RawMessage `json:"requestId"`
		Reason    string          `json:"reason"`
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	cause := context.Canceled
	if TimedOut(p.Reason) {
		cause = evidence.ErrCallerLeft
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.inFlight[string(p.RequestID)]; r != nil {
		r.cancelled = cause
		if r.end != nil {
			r.end(cause)
		}
	}
}

// Runs reports whether the request of an id, as the client wrote it, is in flight.
func (s *Session) Runs(id []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inFlight[string(id)] != nil
}

// Expects reports whether a response to a request of ours with this id is awaited.
func (s *Session) Expects(id []byte) bool { return s.client.expects(id) }

// handle passes a message to mcp-go. Panics of tools are recovered in run; this
// recovers from any other. listens is the id of a subscriptions/listen.
func (s *Session) handle(ctx context.Context, message []byte, listens string, send func([]byte)) (res mcp.JSONRPCMessage) {
	defer func() {
		if r := recover(); r != nil {
			s.handler.log.Error("handling a message panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			res = rpcError(mcp.INTERNAL_ERROR, "internal error; the server's log has the details")
		}
	}()
	ctx = tools.WithClient(ctx, s.client.GetClientInfo().Name)
	client := requestClient{client: s.client, send: send, failure: &failure{}, by: listens}
	res = s.handler.mcp.HandleMessage(s.handler.mcp.WithContext(ctx, client), message)
	return client.failure.replace(res)
}

// Request is a message that gets a response, unless the client cancels it.
type Request struct {
	session *Session
	id      json.RawMessage
	message []byte
	listens string // its id, if it is a subscriptions/listen

	// Guarded by session.mu.
	cancelled error                   // why the client cancelled it, and must get no response; nil if it did not
	end       context.CancelCauseFunc // nil until it runs
}

// Run executes the request, passes its progress notifications and then its
// response to send, and returns. Nothing is sent after the client has cancelled
// it. Call Run exactly once.
func (r *Request) Run(ctx context.Context, send func(message []byte)) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	var response mcp.JSONRPCMessage
	if r.begin(end) {
		response = r.session.handle(ctx, r.message, r.listens, send)
	}
	if r.finish() && response != nil {
		send(r.encode(response))
	}
	r.session.mu.Lock()
	r.session.active--
	r.session.mu.Unlock()
}

// begin reports whether the request is to be executed: it may have been
// cancelled before.
func (r *Request) begin(end context.CancelCauseFunc) bool {
	r.session.mu.Lock()
	defer r.session.mu.Unlock()
	r.end = end
	return r.cancelled == nil
}

// finish takes the request out of flight and reports whether its response is to
// be sent.
func (r *Request) finish() bool {
	r.session.mu.Lock()
	defer r.session.mu.Unlock()
	delete(r.session.inFlight, string(r.id))
	return r.cancelled == nil
}

func (r *Request) encode(response mcp.JSONRPCMessage) []byte {
	message, err := Encode(withID(response, r.id))
	if err != nil {
		r.session.handler.log.Error("encoding a response", "id", string(r.id), "err", err)
		return refusal(r.id, mcp.INTERNAL_ERROR, "the response could not be encoded")
	}
	return message
}
