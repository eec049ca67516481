package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// How a stdio connection ends. Everything together stays below the two seconds
// that a client waits before it kills.
const (
	// lingerAfterEOF lets calls finish that were sent before the input ended, as
	// a script does that pipes its requests in.
	lingerAfterEOF = 1400 * time.Millisecond
	// endWithin is what calls get to end after their contexts were cancelled.
	endWithin = 300 * time.Millisecond
	// flushWithin is what a client gets to read what is written already.
	flushWithin = 100 * time.Millisecond
)

// inflightLimit is how many requests of one client run or wait at once.
const inflightLimit = 1000

// ServeStdio speaks with the client that writes to in and reads from out, until
// in ends, ctx ends or out breaks. The end of ctx is an orderly one: the result
// is nil. It returns within two seconds of the end, even when a tool does not
// obey its context; what was acknowledged is written before. A read from in
// that is under way is left behind, unless in is an io.Closer whose Close ends
// it.
func (s *Server) ServeStdio(ctx context.Context, in io.Reader, out io.Writer) error {
	c := &conn{server: s, out: newOutbox(), inflight: map[string]*request{}}
	c.session = newSession(fmt.Sprintf("stdio-%d", s.conns.Add(1)), c.out)
	if err := s.mcp.RegisterSession(ctx, c.session); err != nil {
		return fmt.Errorf("registering the session: %w", err)
	}
	defer s.mcp.UnregisterSession(context.WithoutCancel(ctx), c.session.id)

	// Calls outlive ctx by a little: they are cancelled when the connection ends.
	calls, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	calls = s.mcp.WithContext(calls, c.session)

	written := make(chan struct{})
	go func() { defer close(written); c.out.run(out) }()
	stop := make(chan struct{})
	lines := make(chan inbound)
	go readLines(in, lines, stop)

	linger, err := c.serve(ctx, calls, lines)
	close(stop)
	if closer, ok := in.(io.Closer); ok {
		closer.Close() // the input is over: its error tells nothing
	}
	if !c.end(linger, cancel) {
		s.log.Warn("calls are still running at the end", "session", c.session.id)
	}
	c.out.close()
	within(written, flushWithin)
	return err
}

// conn is one client on stdio.
type conn struct {
	server  *Server
	session *session
	out     *outbox
	running sync.WaitGroup

	mu       sync.Mutex
	inflight map[string]*request // by id as it came
	active   int                 // requests that run, or whose answers wait to be written
}

// request is one that was not answered yet.
type request struct {
	cancel    context.CancelFunc
	cancelled bool // by the client: it must not be answered
}

// serve reads messages until the connection, or ctx, ends; linger is how long
// calls that are under way may go on. The calls run in the context of that name.
func (c *conn) serve(ctx, calls context.Context, lines <-chan inbound) (linger time.Duration, err error) {
	for {
		select {
		case <-ctx.Done():
			return 0, nil
		case <-c.out.broken:
			return 0, c.out.err
		case n := <-c.session.channel:
			c.offer(n)
		case in := <-lines:
			switch {
			case errors.Is(in.err, io.EOF), errors.Is(in.err, io.ErrClosedPipe):
				return lingerAfterEOF, nil
			case in.err != nil:
				return 0, fmt.Errorf("reading from the client: %w", in.err)
			case in.tooLong:
				c.refuse(in.id, mcp.INVALID_REQUEST, fmt.Sprintf("the message is longer than %d bytes and was not read", lineLimit))
			default:
				c.accept(calls, in.line)
			}
		}
	}
}

// envelope is what a transport needs to know of a message.
type envelope struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

func (c *conn) accept(calls context.Context, line []byte) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return
	}
	var env envelope
	switch err := json.Unmarshal(line, &env); {
	case !json.Valid(line):
		c.refuse(nil, mcp.PARSE_ERROR, "the line is not JSON: "+err.Error())
		return
	case line[0] == '[':
		c.refuse(nil, mcp.INVALID_REQUEST, "batches are not supported; send one message on a line")
		return
	case err != nil || len(env.ID) > 0 && !bytes.ContainsAny(env.ID[:1], `"-0123456789`):
		c.refuse(nil, mcp.INVALID_REQUEST, "the line is not a JSON-RPC message with an id that is a text or a number")
		return
	}
	switch {
	case env.Result != nil || env.Error != nil:
		// An answer to a request of ours: none is under way.
	case env.Method == "":
		c.refuse(env.ID, mcp.INVALID_REQUEST, "the message has no method")
	case env.Method == string(mcp.MethodNotificationCancelled):
		c.cancelRequest(env.Params)
	case len(env.ID) == 0:
		c.handle(calls, line)
	default:
		if problem := c.server.unknownTool(env); problem != "" {
			c.refuse(env.ID, mcp.INVALID_PARAMS, problem)
			return
		}
		c.start(calls, env, line)
	}
}

// start runs a request beside the others. Its cancellation is registered before
// the next line is read, so that none comes too early.
func (c *conn) start(calls context.Context, env envelope, line []byte) {
	id := string(env.ID)
	ctx, cancel := context.WithCancel(calls)
	r := &request{cancel: cancel}
	c.mu.Lock()
	_, twice := c.inflight[id]
	full := c.active >= inflightLimit
	if !twice && !full {
		c.inflight[id] = r
		c.active++
	}
	c.mu.Unlock()
	switch {
	case twice:
		cancel()
		c.refuse(env.ID, mcp.INVALID_REQUEST, "a request with this id is still under way")
	case full:
		cancel()
		c.refuse(env.ID, mcp.INTERNAL_ERROR, fmt.Sprintf("%d requests are under way; wait for an answer first", inflightLimit))
	default:
		c.running.Go(func() {
			defer cancel()
			c.answer(env.ID, r, c.handle(ctx, line))
		})
	}
}

// handle has mcp-go work on a message. Tools survive their own panics; this is
// for what is left.
func (c *conn) handle(ctx context.Context, line []byte) (res mcp.JSONRPCMessage) {
	defer func() {
		if r := recover(); r != nil {
			c.server.log.Error("handling a message panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			res = rpcError(mcp.INTERNAL_ERROR, "internal error; the server's log has the details")
		}
	}()
	return c.server.mcp.HandleMessage(ctx, line)
}

// answer sends a request's response, unless the client has cancelled it.
func (c *conn) answer(id json.RawMessage, r *request, res mcp.JSONRPCMessage) {
	c.mu.Lock()
	delete(c.inflight, string(id))
	cancelled := r.cancelled
	c.mu.Unlock()
	if !cancelled && res != nil {
		line, err := encode(withID(res, id))
		if err != nil {
			c.server.log.Error("encoding an answer", "id", string(id), "err", err)
			line, _ = encode(withID(rpcError(mcp.INTERNAL_ERROR, "the answer could not be encoded"), id))
		}
		c.out.put(line)
	}
	c.mu.Lock()
	c.active--
	c.mu.Unlock()
}

// cancelRequest ends the request that a client no longer wants. One that is not
// under way was answered already.
func (c *conn) cancelRequest(params json.RawMessage) {
	var p struct {
		RequestID json.RawMessage `json:"requestId"`
	}
	if json.Unmarshal(params, &p) != nil {
		return
	}
	c.mu.Lock()
	r := c.inflight[string(p.RequestID)]
	if r != nil {
		r.cancelled = true
	}
	c.mu.Unlock()
	if r != nil {
		r.cancel()
	}
}

func (c *conn) refuse(id json.RawMessage, code int, message string) {
	c.offer(withID(rpcError(code, message), id))
}

// offer sends a message from the loop that reads, which must not wait for a
// client that does not read: it would not see that the input has ended.
func (c *conn) offer(message any) {
	line, err := encode(message)
	if err != nil || !c.out.offer(line) {
		c.server.log.Warn("a message was dropped: the client does not read", "session", c.session.id, "err", err)
	}
}

func rpcError(code int, message string) mcp.JSONRPCMessage {
	return mcp.JSONRPCError{JSONRPC: mcp.JSONRPC_VERSION, Error: mcp.NewJSONRPCErrorDetails(code, message, nil)}
}

// withID gives a response the id as the client wrote it: mcp-go changes numbers
// beyond 2^53.
func withID(res mcp.JSONRPCMessage, id json.RawMessage) mcp.JSONRPCMessage {
	var value any
	if len(id) > 0 {
		value = id
	}
	switch r := res.(type) {
	case mcp.JSONRPCResponse:
		r.ID = mcp.NewRequestId(value)
		return r
	case mcp.JSONRPCError:
		r.ID = mcp.NewRequestId(value)
		return r
	case *mcp.JSONRPCResponse:
		return withID(*r, id)
	case *mcp.JSONRPCError:
		return withID(*r, id)
	}
	return res
}

// end waits for the calls under way: as long as linger says, and then, after
// cancelling them, for endWithin. It reports whether all have ended.
func (c *conn) end(linger time.Duration, cancel context.CancelFunc) bool {
	ended := make(chan struct{})
	go func() { c.running.Wait(); close(ended) }()
	if linger > 0 {
		select {
		case <-ended:
		case <-c.out.broken: // nobody is there to read what would come
		case <-time.After(linger):
		}
	}
	cancel()
	return within(ended, endWithin)
}

// within reports whether done is closed before d has passed.
func within(done <-chan struct{}, d time.Duration) bool {
	select {
	case <-done:
		return true
	case <-time.After(d):
		return false
	}
}
