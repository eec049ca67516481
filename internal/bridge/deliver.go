package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	firstWait = 100 * time.Millisecond
	longWait  = 2 * time.Second
	// maxRefusal is how much of the body of an HTTP error is read.
	maxRefusal = 64 << 10
	// drainWithin is how long the rest of an answered stream may take, so that its
	// connection can be used again.
	drainWithin = time.Second
)

// answer delivers a request; what goes wrong is told as the error of the call.
func (b *bridge) answer(ctx context.Context, c *call) {
	err := b.deliver(ctx, c)
	if err == nil || ctx.Err() != nil || b.gaveUp(c) {
		return
	}
	b.write(callError(c.head.ID, evidence.AsProblem(err)))
}

// callError is the response to a call that the server did not answer.
func callError(id json.RawMessage, p *evidence.Problem) []byte {
	out, _ := json.Marshal(map[string]any{"jsonrpc": mcp.JSONRPC_VERSION, "id": id, // strings, and an id that was decoded
		"error": map[string]any{"code": mcp.INTERNAL_ERROR, "message": p.Error()}})
	return out
}

// deliver sends a message and passes on what comes back. A message that the server did not
// take, or that may be sent twice, is sent again while the server starts again.
func (b *bridge) deliver(ctx context.Context, c *call) error {
	begin, wait, told := time.Now(), firstWait, false
	renewed := false
	for {
		s := b.session()
		err := b.post(ctx, c, s)
		var f *failure
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &f):
			return err
		case f.forgotten && s.id != "" && !renewed:
			renewed = true
			if err := b.renew(ctx, s); err != nil {
				return err
			}
			continue
		case !f.again && (!f.cut || !repeatable(c.head)):
			return f.problem
		case c.head.Method != mcp.MethodSubscriptionsListen && time.Since(begin) > b.o.Patience:
			return f.problem
		}
		if !told {
			told = true
			b.o.Note(f.problem.What + "; trying again")
		}
		if !sleep(ctx, wait) {
			return f.problem
		}
		wait = min(2*wait, longWait)
	}
}

// repeatable reports whether a request changes nothing at the server.
func repeatable(e envelope) bool {
	switch e.Method {
	case mcp.MethodToolsCall, "":
		return false
	}
	return e.isRequest()
}

// sleep reports whether d has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// post sends a message once. An error is a *failure if it is the server's.
func (b *bridge) post(ctx context.Context, c *call, s session) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { c.markSent() }})
	req, err := b.newRequest(ctx, http.MethodPost, bytes.NewReader(c.message), s)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	switch {
	case c.head.modern != "":
		req.Header.Del(mcp.HeaderSessionID)
		req.Header.Set(mcp.HeaderProtocolVersion, c.head.modern)
		for name, value := range mcp.StandardHeaders(c.head.modern, c.head.Method, c.head.Params) {
			req.Header.Set(name, value)
		}
	case c.head.Method == mcp.MethodInitialize:
		req.Header.Del(mcp.HeaderSessionID)
		req.Header.Del(mcp.HeaderProtocolVersion)
	}
	res, err := b.o.Client.Do(req)
	if err != nil {
		return b.unreachable(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return b.refused(c, s, res)
	}
	if !c.head.isRequest() {
		return nil
	}
	return b.read(c, res, cancel)
}

// newRequest is a request to the server in a session.
func (b *bridge) newRequest(ctx context.Context, method string, body io.Reader, s session) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.o.URL.String(), body)
	if err != nil {
		return nil, err
	}
	if s.id != "" {
		req.Header.Set(mcp.HeaderSessionID, s.id)
	}
	if s.version != "" {
		req.Header.Set(mcp.HeaderProtocolVersion, s.version)
	}
	if b.o.Token == nil {
		return req, nil
	}
	token, err := b.o.Token()
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return req, nil
}

// read passes on the answer to a request, and what comes before it.
func (b *bridge) read(c *call, res *http.Response, cancel context.CancelFunc) error {
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch mediaType {
	case "application/json":
		body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
		if err != nil {
			return b.cut(err)
		}
		if len(body) > maxAnswer {
			return &failure{problem: &evidence.Problem{What: errLong.Error(), Try: "ask for less"}}
		}
		return b.pass(c, res, body)
	case "text/event-stream":
	default:
		return &failure{problem: &evidence.Problem{What: fmt.Sprintf("%s did not answer the request (%s, content type %.60q)", shown(b.o.URL), res.Status, mediaType), Try: "check that the URL is that of an MCP server; its path is usually /mcp"}}
	}
	answered := false
	var wrong error
	err := readEvents(res.Body, func(data []byte) bool {
		if wrong = b.pass(c, res, data); wrong != nil {
			return false
		}
		if !answered && answers(data, c.head.ID) {
			answered = true
			b.done(c)
			defer time.AfterFunc(drainWithin, cancel)
		}
		return true
	})
	switch {
	case answered:
		return nil
	case wrong != nil:
		return wrong
	case errors.Is(err, errLong):
		return &failure{problem: &evidence.Problem{What: err.Error(), Try: "ask for less"}}
	}
	return b.cut(err)
}

// pass sends a message of the server to the client, on one line.
func (b *bridge) pass(c *call, res *http.Response, message []byte) error {
	message = bytes.TrimSpace(message)
	if !json.Valid(message) {
		return &failure{problem: &evidence.Problem{What: shown(b.o.URL) + " sent what is not JSON", Try: "check that the URL is that of an MCP server"}}
	}
	if bytes.ContainsAny(message, "\r\n") {
		var line bytes.Buffer
		_ = json.Compact(&line, message) // it is valid
		message = line.Bytes()
	}
	if c.head.Method == mcp.MethodInitialize && answers(message, c.head.ID) {
		b.begin(c, res.Header.Get(mcp.HeaderSessionID), message)
	}
	if !b.gaveUp(c) {
		b.write(message)
	}
	return nil
}

// answers reports whether a message is the response to a request.
func answers(message []byte, id json.RawMessage) bool {
	var e envelope
	return json.Unmarshal(message, &e) == nil && e.Method == "" && bytes.Equal(e.ID, id)
}
