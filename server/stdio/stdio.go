// Package stdio serves the Model Context Protocol on standard input and output:
// one JSON message on a line.
package stdio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/server"
)

// How a connection ends. Without calls under way it ends at once; the sum of endWithin
// and flushWithin stays below the two seconds after which a client kills the process.
const (
	// lingerAfterEOF is how long calls may go on after the end of input, and their
	// responses may be read, as when a script pipes its requests in.
	lingerAfterEOF = 30 * time.Second
	// lookEvery is how often it is looked meanwhile whether anybody reads.
	lookEvery = 250 * time.Millisecond
	// endWithin is how long requests may take to return after being cancelled.
	endWithin = 300 * time.Millisecond
	// flushWithin is how long a client has to read what waits in the outbox, after ctx
	// has ended or calls were cancelled.
	flushWithin = 100 * time.Millisecond
)

// Serve connects h to the client that writes to in and reads from out, until in
// ends, ctx ends or out fails. While the client does not read, no more is read from it.
// After the end of in, calls under way may finish for 30 seconds, unless the other end
// of out is closed (which is noticed if out is a pipe or a socket of Unix, or when
// something is written). When ctx ends, the result is nil, and Serve returns within two
// seconds, even when a tool ignores its context; responses that were sent before are
// written first. A Read of in that is under way is abandoned, unless in is an io.Closer
// whose Close ends it. A nil log discards.
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
	c.finish(ctx, linger, out, written, cancel)
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
		next, notifications := lines, c.session.Notifications()
		if c.out.full() { // the client does not read: what it sends has to wait
			next, notifications = nil, nil
		}
		select {
		case <-ctx.Done():
			return 0, nil
		case <-c.out.broken:
			return 0, c.out.err
		case <-c.out.space:
		case n := <-notifications:
			message, err := server.Encode(n)
			if err != nil {
				c.log.Error("encoding a notification", "method", n.Method, "err", err)
				continue
			}
			c.out.putUntil(ctx.Done(), message)
		case in := <-next:
			switch {
			case errors.Is(in.err, io.EOF), errors.Is(in.err, io.ErrClosedPipe):
				return lingerAfterEOF, nil
			case in.err != nil:
				return 0, fmt.Errorf("reading from the client: %w", in.err)
			case in.tooLong:
				c.out.putUntil(ctx.Done(), refuseLong(in.id))
			default:
				c.accept(ctx, requests, in.line)
			}
		}
	}
}

func (c *connection) accept(ctx, requests context.Context, line []byte) {
	reply, request := c.session.Accept(requests, line)
	if reply != nil {
		c.out.putUntil(ctx.Done(), reply)
	}
	if request != nil {
		c.running.Go(func() { request.Run(requests, c.out.put) })
	}
}

// finish ends the connection: the requests in flight and what waits in the outbox have
// linger in all, then requests are cancelled.
func (c *connection) finish(ctx context.Context, linger time.Duration, out io.Writer, written <-chan struct{}, cancel context.CancelFunc) {
	deadline := time.After(linger)
	ended := make(chan struct{})
	go func() { c.running.Wait(); close(ended) }()
	answered := linger > 0 && c.await(ctx, ended, deadline, out)
	cancel()
	if !within(ended, endWithin) {
		c.log.Warn("requests are still running at the end")
	}
	c.out.close()
	if answered && c.await(ctx, written, deadline, out) {
		return
	}
	within(written, flushWithin)
}

// await reports whether done was closed before the deadline, the end of ctx and that of
// the client, which is gone when nobody can read out any more.
func (c *connection) await(ctx context.Context, done <-chan struct{}, deadline <-chan time.Time, out io.Writer) bool {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-done:
			return true
		case <-c.out.broken:
			return false
		case <-ctx.Done():
			return false
		case <-deadline:
			return false
		case <-look.C:
			if readerGone(out) {
				return false
			}
		}
	}
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
