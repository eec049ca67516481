// Package stdio serves the Model Context Protocol on standard input and output:
// one JSON message on a line.
package stdio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/server"
)

// How a connection ends. The sum stays below the two seconds after which a
// client kills the process.
const (
	// lingerAfterEOF is how long requests may go on after the end of input, as
	// when a script pipes its requests in.
	lingerAfterEOF = 1400 * time.Millisecond
	// endWithin is how long requests may take to return after being cancelled.
	endWithin = 300 * time.Millisecond
	// flushWithin is how long a client has to read what waits in the outbox.
	flushWithin = 100 * time.Millisecond
)

// Serve connects h to the client that writes to in and reads from out, until in
// ends, ctx ends or out fails. When ctx ends, the result is nil. Serve returns
// within two seconds of the end, even when a tool ignores its context; responses
// that were sent before are written first. A Read of in that is under way is
// abandoned, unless in is an io.Closer whose Close ends it. A nil log discards.
func Serve(ctx context.Context, h *server.Handler, in io.Reader, out io.Writer, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	session, err := h.Open(ctx, "stdio")
	if err != nil {
		return err
	}
	defer session.Close(context.WithoutCancel(ctx))
	c := &connection{session: session, out: newOutbox(), log: log.With("session", session.ID())}

	// Requests outlive ctx for a moment: end cancels them.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	written := make(chan struct{})
	go func() { defer close(written); c.out.run(out) }()
	stop := make(chan struct{})
	lines := make(chan inbound)
	go readLines(in, lines, stop)

	linger, err := c.read(ctx, requests, lines)
	close(stop)
	if closer, ok := in.(io.Closer); ok {
		closer.Close() // the input has ended: its error does not matter
	}
	if !c.end(linger, cancel) {
		c.log.Warn("requests are still running at the end")
	}
	c.out.close()
	within(written, flushWithin)
	return err
}

// connection is one client on stdio.
type connection struct {
	session *server.Session
	out     *outbox
	log     *slog.Logger
	running sync.WaitGroup
}

// read reads messages until the connection or ctx ends, and runs requests in the
// context of that name. linger is how long requests in flight may go on.
func (c *connection) read(ctx, requests context.Context, lines <-chan inbound) (linger time.Duration, err error) {
	for {
		select {
		case <-ctx.Done():
			return 0, nil
		case <-c.out.broken:
			return 0, c.out.err
		case n := <-c.session.Notifications():
			message, err := server.Encode(n)
			if err != nil {
				c.log.Error("encoding a notification", "method", n.Method, "err", err)
				continue
			}
			c.offer(message)
		case in := <-lines:
			switch {
			case errors.Is(in.err, io.EOF), errors.Is(in.err, io.ErrClosedPipe):
				return lingerAfterEOF, nil
			case in.err != nil:
				return 0, fmt.Errorf("reading from the client: %w", in.err)
			case in.tooLong:
				c.offer(server.Refuse(json.RawMessage(in.id), fmt.Sprintf("the message is longer than %d bytes and was not read", server.MaxMessage)))
			default:
				c.accept(requests, in.line)
			}
		}
	}
}

func (c *connection) accept(requests context.Context, line []byte) {
	reply, request := c.session.Accept(requests, line)
	if reply != nil {
		c.offer(reply)
	}
	if request != nil {
		c.running.Go(func() { request.Run(requests, c.out.put) })
	}
}

// offer sends a message from the loop that reads, which must not wait for a
// client that does not read: it would not notice the end of input.
func (c *connection) offer(message []byte) {
	if !c.out.offer(message) {
		c.log.Warn("a message was dropped: the client does not read")
	}
}

// end waits up to linger for the requests in flight, then cancels them and waits
// up to endWithin. It reports whether all have returned.
func (c *connection) end(linger time.Duration, cancel context.CancelFunc) bool {
	ended := make(chan struct{})
	go func() { c.running.Wait(); close(ended) }()
	if linger > 0 {
		select {
		case <-ended:
		case <-c.out.broken: // the client has disconnected
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
