package http

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/server"
)

// replier writes what a request sends: its response alone as JSON, or, after the first
// notification or a while, everything as a stream of events. Its methods are safe for
// concurrent use.
type replier struct {
	w       http.ResponseWriter
	control *http.ResponseController
	streams bool // the client takes a stream
	status  func(response []byte) int
	clean   func(message []byte) []byte
	failed  func() // called once when the client does not read

	mu     sync.Mutex
	stream bool // it has begun
	done   bool // nothing more is written
	beat   *time.Timer
}

func (s *Server) newReplier(w http.ResponseWriter, streams bool, status func([]byte) int, failed func()) *replier {
	r := &replier{w: w, clean: s.o.Clean, control: http.NewResponseController(w), streams: streams, status: status, failed: sync.OnceFunc(failed)}
	if streams {
		r.beat = time.AfterFunc(keepAliveEvery, r.keepAlive)
	}
	return r
}

// send writes a message of the request.
func (r *replier) send(message []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return
	}
	message = r.clean(message)
	last := isResponse(message)
	switch {
	case !r.stream && last:
		r.done = true
		writeJSON(r.w, r.status(message), message)
	case !r.streams: // it takes the response only
	default:
		r.begin()
		r.write("event: message\ndata: ", string(message), "\n\n")
		r.done = r.done || last
	}
}

func isResponse(message []byte) bool {
	var m struct {
		Method string `json:"method"`
	}
	return json.Unmarshal(message, &m) == nil && m.Method == ""
}

// begin writes the header of a stream; r.mu is held.
func (r *replier) begin() {
	if r.stream {
		return
	}
	r.stream = true
	header := r.w.Header()
	header.Set("Content-Type", streamType)
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back
	r.w.WriteHeader(http.StatusOK)
}

// write writes parts of a stream and flushes them; r.mu is held.
func (r *replier) write(parts ...string) {
	_ = r.control.SetWriteDeadline(time.Now().Add(writeWithin)) // httptest's recorder has none
	for _, p := range parts {
		if _, err := r.w.Write([]byte(p)); err != nil {
			r.done = true
			r.failed()
			return
		}
	}
	if r.control.Flush() != nil {
		r.done = true
		r.failed()
	}
}

// keepAlive writes a comment, so that no proxy takes a long call for a dead connection.
func (r *replier) keepAlive() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done {
		return
	}
	r.begin()
	r.write(": working\n\n")
	r.beat.Reset(keepAliveEvery)
}

// close ends the answer. A call that was cancelled has none, and HTTP needs one.
func (r *replier) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.beat != nil {
		r.beat.Stop()
	}
	if !r.stream && !r.done {
		r.w.WriteHeader(http.StatusAccepted)
	}
	r.done = true
}

// listen is the stream of a session for what belongs to no request.
func (s *Server) listen(w http.ResponseWriter, r *http.Request, h *server.Handler) {
	key := sessionKey{s.o.Tenant(r.Context()), s.o.Caller(r.Context()), r.Header.Get(mcp.HeaderSessionID)}
	streams, _ := accepts(r)
	switch {
	case !streams:
		refuseHTTP(w, http.StatusNotAcceptable, "accept "+streamType)
		return
	case !validID(key.id):
		refuseHTTP(w, http.StatusBadRequest, "name the session in "+mcp.HeaderSessionID+"; initialize gives it")
		return
	}
	if why := s.tooMany(w, r); why != "" { // each may begin a session
		refuseHTTP(w, http.StatusTooManyRequests, why)
		return
	}
	if !s.callers.enter(key.caller) {
		w.Header().Set("Retry-After", "1")
		refuseHTTP(w, http.StatusTooManyRequests, "too many requests of this caller are open")
		return
	}
	defer s.callers.exit(key.caller)
	one, err := s.sessions.find(key, h)
	if err != nil {
		refuseHTTP(w, http.StatusNotFound, "the session was ended; send initialize again")
		return
	}
	defer s.sessions.release(one)
	one.streams.Add(1)
	defer one.streams.Add(-1)
	defer s.followStream(one)()
	ctx, end := s.requestContext(r, context.Canceled)
	defer end()
	defer context.AfterFunc(one.ended, end)()
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the stream has no end; httptest's recorder has none
	out := s.newReplier(w, true, legacyStatus, end)
	out.keepAlive() // the header at once: clients wait for it
	s.forward(ctx, out, one.Notifications(), nil)
	out.close()
}

// subscribe is the stream of a client without a session for what belongs to no request.
func (s *Server) subscribe(ctx context.Context, w http.ResponseWriter, one *server.Session, message []byte, streams bool) {
	reply, request := one.Accept(ctx, message)
	if request == nil {
		writeJSON(w, modernStatus(reply), s.o.Clean(reply))
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := s.newReplier(w, streams, modernStatus, cancel)
	defer out.close()
	sent := make(chan []byte)
	go func() {
		defer close(sent)
		request.Run(ctx, func(m []byte) { sent <- m })
	}()
	s.forward(ctx, out, one.Notifications(), sent)
	cancel()
	for message := range sent {
		out.send(message)
	}
}

// forward writes notifications, and what comes by sent, until ctx or the server ends, sent
// is closed, or the caller may no longer call. What was notified before a message was sent is written before it.
func (s *Server) forward(ctx context.Context, out *replier, notifications <-chan mcp.JSONRPCNotification, sent <-chan []byte) {
	tick := time.NewTicker(keepAliveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.stop:
			return
		case <-tick.C:
			if !s.o.Still(ctx) {
				return
			}
		case n := <-notifications:
			if !s.o.Still(ctx) {
				return
			}
			s.notify(out, n)
		case message, more := <-sent:
			for len(notifications) > 0 {
				s.notify(out, <-notifications)
			}
			if !more {
				return
			}
			out.send(message)
		}
	}
}

func (s *Server) notify(out *replier, n mcp.JSONRPCNotification) {
	message, err := server.Encode(n)
	if err != nil {
		s.log.Error("encoding a notification", "method", n.Method, "err", err)
		return
	}
	out.send(message)
}
