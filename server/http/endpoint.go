package http

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/redact"
	"github.com/research-mcp/research-mcp/server"
)

const (
	jsonType   = "application/json"
	streamType = "text/event-stream"
)

func (s *Server) serveMCP(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // each message gets one; httptest's recorder has none
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if s.Closing() {
		w.Header().Set("Connection", "close")
		refuseHTTP(w, http.StatusServiceUnavailable, "the server is ending")
		return
	}
	h, err := s.o.Handler(r.Context())
	if err != nil {
		s.refuseCaller(w, err)
		return
	}
	modern := mcp.IsModernProtocol(r.Header.Get(mcp.HeaderProtocolVersion))
	switch {
	case r.Method == http.MethodPost:
		s.post(w, r, h)
	case modern || r.Method != http.MethodGet && r.Method != http.MethodDelete:
		allow := "POST"
		if !modern {
			allow = "POST, GET, DELETE"
		}
		w.Header().Set("Allow", allow)
		refuseHTTP(w, http.StatusMethodNotAllowed, r.Method+" is not supported here; send "+allow)
	case r.Method == http.MethodGet:
		s.listen(w, r, h)
	default:
		s.endSession(w, r)
	}
}

// refuseCaller answers a request for which there is no handler.
func (s *Server) refuseCaller(w http.ResponseWriter, err error) {
	status, why := http.StatusServiceUnavailable, "the server cannot serve this caller now; its log says why"
	var p *evidence.Problem
	if errors.As(err, &p) {
		status, why = http.StatusForbidden, p.Error()
	} else {
		s.log.Error("no handler for a caller", "err", err)
	}
	refuseHTTP(w, status, why)
}

// envelope is the part of a message that the transport has to know.
type envelope struct {
	ID     json.RawMessage `json:"id"`
	Method mcp.MCPMethod   `json:"method"`
	Params json.RawMessage `json:"params"`
	meta   string          // the protocol version in _meta
}

// isRequest reports whether the message gets a response.
func (e envelope) isRequest() bool { return e.Method != "" && len(e.ID) > 0 && string(e.ID) != "null" }

// isNotification reports whether the message gets no response, and counts for no limit: a
// call can always be cancelled.
func (e envelope) isNotification() bool {
	return strings.HasPrefix(string(e.Method), "notifications/") && !e.isRequest()
}

// post takes one message of a client.
func (s *Server) post(w http.ResponseWriter, r *http.Request, h *server.Handler) {
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != jsonType {
		refuseHTTP(w, http.StatusUnsupportedMediaType, "send the message with the content type "+jsonType)
		return
	}
	streams, ok := accepts(r)
	if !ok {
		refuseHTTP(w, http.StatusNotAcceptable, "accept "+jsonType+" and "+streamType)
		return
	}
	message, ok := s.read(w, r)
	if !ok {
		return
	}
	var env envelope
	_ = json.Unmarshal(message, &env) // server.Session reports what is wrong
	env.meta = metaVersion(env.Params)
	if !env.isNotification() {
		if why := s.tooMany(w, r); why != "" {
			writeJSON(w, http.StatusTooManyRequests, rpcError(env.ID, mcp.INTERNAL_ERROR, why))
			return
		}
	}
	caller := s.o.Caller(r.Context())
	if !s.callers.enter(caller) {
		w.Header().Set("Retry-After", "1")
		writeJSON(w, http.StatusTooManyRequests, rpcError(env.ID, mcp.INTERNAL_ERROR, fmt.Sprintf("%d requests of this caller are running; wait for a response first", s.o.MaxRequests)))
		return
	}
	defer s.callers.exit(caller)
	header := r.Header.Get(mcp.HeaderProtocolVersion)
	if mcp.IsModernProtocol(env.meta) || mcp.IsModernProtocol(header) {
		s.postModern(w, r, h, message, env, streams)
		return
	}
	if header != "" && env.Method != mcp.MethodInitialize && !mcp.IsValidProtocolVersion(header) {
		writeJSON(w, http.StatusBadRequest, rpcError(env.ID, mcp.INVALID_REQUEST, fmt.Sprintf("the protocol version %.40q is not supported; supported: %s", header, strings.Join(mcp.ValidProtocolVersions, ", "))))
		return
	}
	s.postLegacy(w, r, h, message, env, sessionKey{s.o.Tenant(r.Context()), caller, r.Header.Get(mcp.HeaderSessionID)}, streams)
}

// tooMany counts a request of a tenant, and says why it is one too many in this minute, if it is.
func (s *Server) tooMany(w http.ResponseWriter, r *http.Request) (why string) {
	tenant := s.o.Tenant(r.Context())
	wait := s.rates.wait(tenant, time.Now())
	if wait <= 0 {
		return ""
	}
	seconds := int64(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.FormatInt(seconds, 10))
	return fmt.Sprintf("this tenant has sent the %d requests that it may send in a minute; send this one again in %d s, or ask the operator of the server for a higher server.http.tenant_requests_per_minute", s.o.PerMinute(tenant), seconds)
}

// read reads the body, and answers one that is too long or does not come.
func (s *Server) read(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(readBodyWithin)) // httptest's recorder has none
	message, err := s.readAll(r.Context(), http.MaxBytesReader(w, r.Body, server.MaxMessage))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		writeJSON(w, http.StatusRequestEntityTooLarge, rpcError(nil, mcp.INVALID_REQUEST, fmt.Sprintf("the message is longer than %d bytes and was not read", server.MaxMessage)))
		return nil, false
	case errors.Is(err, errBusy):
		w.Header().Set("Connection", "close")
		w.Header().Set("Retry-After", "1")
		writeJSON(w, http.StatusServiceUnavailable, rpcError(nil, mcp.INTERNAL_ERROR, err.Error()))
		return nil, false
	case err != nil:
		writeJSON(w, http.StatusBadRequest, rpcError(nil, mcp.PARSE_ERROR, "the message did not arrive as a whole"))
		return nil, false
	case len(bytes.TrimSpace(message)) == 0:
		writeJSON(w, http.StatusBadRequest, rpcError(nil, mcp.PARSE_ERROR, "the message is empty"))
		return nil, false
	}
	_ = control.SetReadDeadline(time.Time{})
	return message, true
}

var errBusy = errors.New("many long messages are being read; send it again in a moment")

// readAll reads a body. What is longer than smallBody waits until few others are as long:
// connections alone would allow gigabytes.
func (s *Server) readAll(ctx context.Context, body io.Reader) ([]byte, error) {
	message, err := io.ReadAll(io.LimitReader(body, smallBody))
	if err != nil || len(message) < smallBody {
		return message, err
	}
	patience, cancel := context.WithTimeout(ctx, longWithin)
	defer cancel()
	select {
	case s.long <- struct{}{}:
		defer func() { <-s.long }()
	case <-patience.Done():
		return nil, errBusy
	}
	rest, err := io.ReadAll(body)
	return append(message, rest...), err
}

// accepts reports whether a client takes streams, and whether it takes any answer of ours.
func accepts(r *http.Request) (streams, ok bool) {
	list := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(list) == "" {
		return true, true
	}
	for one := range strings.SplitSeq(list, ",") {
		mediaType, params, err := mime.ParseMediaType(one)
		if err != nil || params["q"] == "0" {
			continue
		}
		switch mediaType {
		case "*/*":
			return true, true
		case streamType, "text/*":
			streams, ok = true, true
		case jsonType, "application/*":
			ok = true
		}
	}
	return streams, ok
}

func metaVersion(params json.RawMessage) string {
	var p struct {
		Meta *mcp.Meta `json:"_meta"`
	}
	if json.Unmarshal(params, &p) != nil {
		return ""
	}
	return p.Meta.ProtocolVersion()
}

// postLegacy takes a message of the revisions with a handshake. A session that this
// replica does not know is continued: its id says what the client said of itself. A
// message without a session is served by itself.
func (s *Server) postLegacy(w http.ResponseWriter, r *http.Request, h *server.Handler, message []byte, env envelope, key sessionKey, streams bool) {
	var one *session
	var err error
	switch {
	case env.Method == mcp.MethodInitialize && env.isRequest():
		key.id = newID(env.Params)
		if one, err = s.sessions.start(key, h); err == nil {
			w.Header().Set(mcp.HeaderSessionID, key.id)
		}
	case key.id == "":
		if one, err = open(h, key); err == nil {
			defer one.close()
		}
	case !validID(key.id):
		writeJSON(w, http.StatusBadRequest, rpcError(env.ID, mcp.INVALID_REQUEST, mcp.HeaderSessionID+" is not the id of a session"))
		return
	default:
		one, err = s.sessions.find(key, h)
	}
	if errors.Is(err, errEnded) {
		writeJSON(w, http.StatusNotFound, rpcError(env.ID, mcp.INVALID_REQUEST, "the session was ended; send initialize again"))
		return
	}
	if err != nil {
		s.log.Error("opening a session", "err", err)
		writeJSON(w, http.StatusInternalServerError, rpcError(env.ID, mcp.INTERNAL_ERROR, "no session could be opened; the server's log says why"))
		return
	}
	if key.id != "" {
		defer s.sessions.release(one)
		if env.isRequest() {
			defer s.follow(one)()
			s.passToStream(r.Context(), one, env, message)
		} else {
			s.pass(r.Context(), one, env, message)
		}
	}
	ctx, end := s.requestContext(r, evidence.ErrCallerLeft)
	defer end()
	defer context.AfterFunc(one.ended, end)()
	s.answer(ctx, w, one.Session, message, streams, legacyStatus)
}

// requestContext is the context of a call. It ends with cause when the client closes the
// connection, if the cause is ErrCallerLeft some time after that, and with ErrCallerLeft
// when the server ends.
func (s *Server) requestContext(r *http.Request, cause error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	gone := context.AfterFunc(r.Context(), func() {
		if errors.Is(cause, evidence.ErrCallerLeft) {
			soon(ctx, func() { cancel(cause) })
			return
		}
		cancel(cause)
	})
	over := context.AfterFunc(s.left, func() { cancel(evidence.ErrCallerLeft) })
	return ctx, func() {
		gone()
		over()
		cancel(context.Canceled)
	}
}

// soon calls leave after cancelWithin, unless ctx ends sooner.
func soon(ctx context.Context, leave func()) {
	timer := time.AfterFunc(cancelWithin, leave)
	context.AfterFunc(ctx, func() { timer.Stop() })
}

// answer passes a message to its session and writes what comes back. status is the HTTP
// status of a response.
func (s *Server) answer(ctx context.Context, w http.ResponseWriter, to *server.Session, message []byte, streams bool, status func(response []byte) int) {
	reply, request := to.Accept(ctx, message)
	switch {
	case reply != nil:
		writeJSON(w, status(reply), s.o.Clean(reply))
		return
	case request == nil: // a notification, or a response
		w.WriteHeader(http.StatusAccepted)
		return
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := s.newReplier(w, streams, status, func() { soon(ctx, func() { cancel(evidence.ErrCallerLeft) }) })
	request.Run(ctx, out.send)
	out.close()
}

// legacyStatus is the status of a response before 2026-07-28: only what is no message is
// an error of HTTP.
func legacyStatus(response []byte) int {
	switch code := errorCode(response); code {
	case mcp.PARSE_ERROR, mcp.INVALID_REQUEST:
		return http.StatusBadRequest
	default:
		return http.StatusOK
	}
}

func errorCode(response []byte) int {
	var r struct {
		Error struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	_ = json.Unmarshal(response, &r) // it is ours
	return r.Error.Code
}

func rpcError(id json.RawMessage, code int, message string) []byte {
	var value any
	if len(id) > 0 && json.Valid(id) && (id[0] == '"' || id[0] == '-' || id[0] >= '0' && id[0] <= '9') {
		value = id
	}
	out, _ := json.Marshal(map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "id": value, "error": map[string]any{"code": code, "message": redact.Shapes(message)}})
	return out
}

func writeJSON(w http.ResponseWriter, status int, message []byte) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeWithin)) // httptest's recorder has none
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(status)
	_, _ = w.Write(append(message, '\n')) // a client that has gone needs no answer
}

// endSession ends a session for its client.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request) {
	key := sessionKey{s.o.Tenant(r.Context()), s.o.Caller(r.Context()), r.Header.Get(mcp.HeaderSessionID)}
	if !validID(key.id) {
		refuseHTTP(w, http.StatusBadRequest, "name the session in "+mcp.HeaderSessionID)
		return
	}
	s.sessions.remove(key)
	w.WriteHeader(http.StatusNoContent)
}
