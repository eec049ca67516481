package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// session is what the server gave a client of the era with a handshake.
type session struct {
	id      string // empty: the server keeps none
	version string // of the protocol
	count   int    // of handshakes
	hello   *call  // the client's initialize
	ready   []byte // its notification that it is initialized
	listen  context.CancelFunc
}

func (b *bridge) session() session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.era
}

// begin keeps the session that an answer to initialize opens.
func (b *bridge) begin(hello *call, id string, answer []byte) {
	var a struct {
		Result struct {
			ProtocolVersion string `json:"protocolVersion"`
		} `json:"result"`
	}
	if json.Unmarshal(answer, &a) != nil || a.Result.ProtocolVersion == "" {
		return // it is an error
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.era.listen != nil {
		b.era.listen()
	}
	b.era = session{id: id, version: a.Result.ProtocolVersion, count: b.era.count + 1, hello: hello, ready: b.era.ready}
}

// initialized begins to listen for what belongs to no call.
func (b *bridge) initialized(ctx context.Context, message []byte) {
	ctx, cancel := context.WithCancel(ctx)
	b.mu.Lock()
	b.era.ready = message
	known := b.era.hello != nil && b.era.listen == nil
	if known {
		b.era.listen = cancel
	}
	b.mu.Unlock()
	if !known {
		cancel()
		return
	}
	b.others.Go(func() { defer cancel(); b.listen(ctx) })
}

// renew repeats the handshake of the client with a server that has forgotten the session
// old. Several calls that find out share one handshake.
func (b *bridge) renew(ctx context.Context, old session) error {
	b.renewing.Lock()
	defer b.renewing.Unlock()
	now := b.session()
	if now.count != old.count {
		return nil
	}
	id := fmt.Sprintf(`"connect-%d"`, now.count)
	message, err := withID(now.hello.message, id)
	if err != nil {
		return err
	}
	again := &call{message: message, head: now.hello.head, sent: make(chan struct{})}
	again.head.ID = json.RawMessage(id)
	fresh, err := b.handshake(ctx, again)
	if err != nil {
		return err
	}
	b.mu.Lock()
	fresh.count, fresh.hello, fresh.ready, fresh.listen = b.era.count+1, now.hello, now.ready, b.era.listen
	b.era = fresh
	b.mu.Unlock()
	if now.ready == nil {
		return nil
	}
	return b.post(ctx, &call{message: now.ready, head: envelope{Method: mcp.MethodNotificationInitialized}, sent: make(chan struct{})}, fresh)
}

// handshake sends initialize in place of the client, which does not see the answer.
func (b *bridge) handshake(ctx context.Context, c *call) (session, error) {
	hidden := &bridge{o: b.o, cancel: func() {}, out: io.Discard, under: map[string]*call{}}
	if err := hidden.post(ctx, c, session{}); err != nil {
		return session{}, err
	}
	if hidden.era.count == 0 {
		return session{}, &failure{problem: &evidence.Problem{What: shown(b.o.URL) + " has forgotten the session and refuses a new one", Try: "restart the client"}}
	}
	return session{id: hidden.era.id, version: hidden.era.version}, nil
}

// withID returns a message with another id.
func withID(message []byte, id string) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(message, &all); err != nil {
		return nil, err
	}
	all["id"] = json.RawMessage(id)
	return json.Marshal(all)
}

// listen passes on what the server sends outside of calls, until ctx ends or the server
// says that it has no such stream.
func (b *bridge) listen(ctx context.Context) {
	wait := firstWait
	for ctx.Err() == nil {
		s := b.session()
		heard, err := b.hear(ctx, s)
		var f *failure
		switch {
		case errors.As(err, &f) && f.forgotten && s.id != "":
			if b.renew(ctx, s) == nil {
				continue
			}
		case errors.As(err, &f) && !f.again && !f.cut:
			return
		}
		if heard {
			wait = firstWait
		}
		if !sleep(ctx, wait) {
			return
		}
		wait = min(2*wait, longWait)
	}
}

// hear opens the stream once, and reports whether it brought a message.
func (b *bridge) hear(ctx context.Context, s session) (heard bool, err error) {
	req, err := b.newRequest(ctx, http.MethodGet, nil, s)
	if err != nil {
		return false, err
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := b.o.Client.Do(req)
	if err != nil {
		return false, b.unreachable(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return false, b.refused(&call{}, s, res)
	}
	err = readEvents(res.Body, func(data []byte) bool {
		heard = true
		return b.pass(&call{}, res, data) == nil
	})
	return heard, b.cut(err)
}

// endSession tells the server that the client has left.
func (b *bridge) endSession(ctx context.Context) {
	s := b.session()
	if s.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	req, err := b.newRequest(ctx, http.MethodDelete, nil, s)
	if err != nil {
		return
	}
	if res, err := b.o.Client.Do(req); err == nil { // a server that is away has forgotten it
		_ = res.Body.Close()
	}
}
