// Package bridge connects a client that speaks the Model Context Protocol on stdin and
// stdout with a server that speaks it over HTTP. Messages of both eras pass through
// unchanged.
package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/server/stdio"
)

const (
	// DefaultPatience is how long a server that cannot be reached is tried again; clients
	// wait for half a minute and more.
	DefaultPatience = 20 * time.Second
	// lingerAfterEOF is how long calls may go on after the end of input, as on stdio.
	lingerAfterEOF = 30 * time.Second
	lookEvery      = 250 * time.Millisecond
	// noticeWithin is how long a notification or a response may take to be delivered.
	noticeWithin = 10 * time.Second
	// endWithin is how long the server has to hear that a session ends.
	endWithin = time.Second
	// maxCalls is how many requests of the client run at once.
	maxCalls = 256
)

// Options configure a bridge. URL and Client are required.
type Options struct {
	URL    *url.URL
	Client *http.Client // NewClient makes one
	// Token returns the bearer token of a request, read anew so that it can be rotated;
	// nil: there is none.
	Token func() (string, error)
	// Patience is how long a server that cannot be reached is tried again; 0 is
	// DefaultPatience.
	Patience time.Duration
	// Note tells the user what happens; nil: nobody is told.
	Note func(text string)
}

// bridge is one connected client.
type bridge struct {
	o      Options
	cancel context.CancelFunc
	calls  sync.WaitGroup
	others sync.WaitGroup // streams that answer no call

	writing sync.Mutex
	out     io.Writer
	failed  error // of out

	mu    sync.Mutex
	under map[string]*call // by the id of the request
	left  map[*call]bool   // that the client has no patience for, and that the server works on
	era   session

	renewing sync.Mutex
}

// call is a request of the client that was not answered yet.
type call struct {
	message []byte
	head    envelope
	sent    chan struct{} // closed when it has been sent, or will not be
	once    sync.Once
	cancel  context.CancelFunc
}

func (c *call) markSent() { c.once.Do(func() { close(c.sent) }) }

// envelope is the part of a message that decides what is done with it.
type envelope struct {
	ID     json.RawMessage `json:"id"`
	Method mcp.MCPMethod   `json:"method"`
	Params json.RawMessage `json:"params"`
	modern string          // the version of the protocol in _meta, of the era without sessions
}

func (e envelope) isRequest() bool {
	return e.Method != "" && len(e.ID) > 0 && string(e.ID) != "null"
}

// Run passes messages from in to the server, and what it sends to out, until in ends and
// the calls under way are answered, ctx ends, or out fails. A failure of the server is told
// to the client as the error of its call.
func Run(ctx context.Context, in io.Reader, out io.Writer, o Options) error {
	if o.Patience <= 0 {
		o.Patience = DefaultPatience
	}
	if o.Note == nil {
		o.Note = func(string) {}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b := &bridge{o: o, cancel: cancel, out: out, under: map[string]*call{}, left: map[*call]bool{}}
	lines := make(chan []byte)
	ended := make(chan error, 1)
	go func() { ended <- b.readLines(ctx, in, lines) }()

	err := b.serve(ctx, lines, ended)
	b.finish(ctx, out)
	cancel()
	if closer, ok := in.(io.Closer); ok {
		_ = closer.Close() // its error does not matter any more
	}
	b.calls.Wait()
	b.others.Wait()
	b.endSession(context.WithoutCancel(ctx))
	b.writing.Lock()
	defer b.writing.Unlock()
	return errors.Join(err, b.failed)
}

// readLines sends the messages of in until it ends.
func (b *bridge) readLines(ctx context.Context, in io.Reader, lines chan<- []byte) error {
	r := stdio.NewReader(in)
	for {
		line, refusal, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading from the client: %w", err)
		}
		if refusal != nil {
			b.write(refusal)
			continue
		}
		select {
		case lines <- line:
		case <-ctx.Done():
			return nil
		}
	}
}

func (b *bridge) serve(ctx context.Context, lines <-chan []byte, ended <-chan error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case line := <-lines:
			if line = bytes.TrimSpace(line); len(line) > 0 {
				b.accept(ctx, line)
			}
		}
	}
}

// accept takes a message of the client. Notifications and responses are delivered before
// the next message is taken, in their order; requests run beside one another, except the
// handshake, which the others need.
func (b *bridge) accept(ctx context.Context, line []byte) {
	if refusal := server.Unreadable(line); refusal != nil {
		b.write(refusal)
		return
	}
	var head envelope
	if err := json.Unmarshal(line, &head); err != nil {
		b.write(server.Refuse(nil, "the message is not a JSON-RPC message"))
		return
	}
	head.modern = modernVersion(head.Params)
	switch {
	case head.isRequest():
		b.request(ctx, line, head)
	case head.Method == mcp.MethodNotificationCancelled:
		b.cancelled(ctx, line, head)
	default:
		b.notice(ctx, line, head)
	}
}

// modernVersion is the version that a message of the era without sessions has in _meta.
func modernVersion(params json.RawMessage) string {
	var p struct {
		Meta *mcp.Meta `json:"_meta"`
	}
	if json.Unmarshal(params, &p) != nil {
		return ""
	}
	if v := p.Meta.ProtocolVersion(); mcp.IsModernProtocol(v) {
		return v
	}
	return ""
}

func (b *bridge) request(ctx context.Context, line []byte, head envelope) {
	ctx, cancel := context.WithCancel(ctx)
	c := &call{message: line, head: head, sent: make(chan struct{}), cancel: cancel}
	b.mu.Lock()
	_, twice := b.under[string(head.ID)]
	full := len(b.under) >= maxCalls
	if !twice && !full {
		b.under[string(head.ID)] = c
	}
	b.mu.Unlock()
	switch {
	case twice:
		b.write(server.Refuse(head.ID, "a request with this id is running"))
	case full:
		b.write(server.Refuse(head.ID, fmt.Sprintf("%d requests are running; wait for a response first", maxCalls)))
	default:
		run := func() {
			defer cancel()
			defer b.done(c)
			b.answer(ctx, c)
		}
		if head.Method == mcp.MethodInitialize {
			run()
			return
		}
		b.calls.Go(run)
		return
	}
	cancel()
}

// done forgets a call.
func (b *bridge) done(c *call) {
	c.markSent()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.left, c)
	if b.under[string(c.head.ID)] == c {
		delete(b.under, string(c.head.ID))
	}
}

// cancelled passes on that the client no longer waits. In the era without sessions, a
// call ends with its connection, which cannot say why: so that of a call of a tool stays
// open where the client's own time-out has ended, and the run can be asked for again.
func (b *bridge) cancelled(ctx context.Context, line []byte, head envelope) {
	var p struct {
		RequestID json.RawMessage `json:"requestId"`
		Reason    string          `json:"reason"`
	}
	_ = json.Unmarshal(head.Params, &p) // without an id it cancels nothing
	b.mu.Lock()
	c := b.under[string(p.RequestID)]
	leaves := c != nil && c.head.modern != "" && c.head.Method == mcp.MethodToolsCall && server.TimedOut(p.Reason)
	if leaves {
		delete(b.under, string(p.RequestID))
		b.left[c] = true
	}
	b.mu.Unlock()
	if c == nil || leaves {
		return // it was answered, or goes on
	}
	if c.head.modern == "" {
		within, stop := context.WithTimeout(ctx, noticeWithin)
		defer stop()
		select { // the server knows what it shall cancel
		case <-c.sent:
		case <-within.Done():
		}
		b.notice(ctx, line, head)
	}
	c.cancel()
	b.done(c)
}

// notice delivers a notification or a response; if it cannot be, the user is told.
func (b *bridge) notice(ctx context.Context, line []byte, head envelope) {
	within, cancel := context.WithTimeout(ctx, noticeWithin)
	defer cancel()
	if err := b.deliver(within, &call{message: line, head: head, sent: make(chan struct{})}); err != nil && ctx.Err() == nil {
		b.o.Note(err.Error())
	}
	if head.Method == mcp.MethodNotificationInitialized {
		b.initialized(ctx, line)
	}
}

// gaveUp reports whether the client no longer waits for a call that goes on.
func (b *bridge) gaveUp(c *call) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left[c]
}

// write sends a message to the client.
func (b *bridge) write(message []byte) {
	b.writing.Lock()
	defer b.writing.Unlock()
	if b.failed != nil {
		return
	}
	if _, err := b.out.Write(append(message[:len(message):len(message)], '\n')); err != nil {
		b.failed = fmt.Errorf("writing to the client: %w", err)
		b.cancel()
	}
}

// finish waits for the calls under way, until their client is gone.
func (b *bridge) finish(ctx context.Context, out io.Writer) {
	b.mu.Lock()
	for _, c := range b.under { // it never ends by itself
		if c.head.Method == mcp.MethodSubscriptionsListen {
			c.cancel()
		}
	}
	for c := range b.left { // nobody asks again
		c.cancel()
	}
	b.mu.Unlock()
	answered := make(chan struct{})
	go func() { b.calls.Wait(); close(answered) }()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for deadline := time.After(lingerAfterEOF); ; {
		select {
		case <-answered:
			return
		case <-ctx.Done():
			return
		case <-deadline:
			return
		case <-look.C:
			if stdio.ReaderGone(out) {
				return
			}
		}
	}
}
