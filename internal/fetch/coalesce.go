package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// flight is one question to a host that any number of callers wait for. It runs
// on a context of its own: a caller that goes away takes only itself along, and
// the last one to go ends the flight.
//
// The flight has no deadline either. Each caller's Budget is a clock of that
// caller alone, which runs while the flight is on the wire, so the shorter
// Budget of the one who came first ends that one's wait and no other's.
type call struct {
	key    string
	ctx    context.Context
	cancel context.CancelCauseFunc
	sent   atomic.Int64 // requests on the wire
	done   chan struct{}

	resp Response // these two are set before done is closed
	err  error

	// Guarded by flights.mu.
	waiters  map[*waiter]struct{}
	shared   bool // more than one caller has joined
	onWire   bool
	earliest time.Time // no request is made before it
	stale    *Response // an old answer, for callers who run out of time
}

// waiter is one caller of a flight.
type waiter struct {
	budget   *Budget
	deadline time.Time   // of the caller's context; zero: none
	quit     chan *Error // why the caller should not go on waiting; holds one

	timer *time.Timer // runs while the flight is on the wire
	since time.Time
}

func newWaiter(ctx context.Context, b *Budget) *waiter {
	w := &waiter{budget: b, quit: make(chan *Error, 1)}
	w.deadline, _ = ctx.Deadline()
	return w
}

func (w *waiter) stop(e *Error) {
	select {
	case w.quit <- e:
	default:
	}
}

func (w *waiter) startClock() {
	w.since = time.Now()
	w.timer = time.AfterFunc(w.budget.Left(), func() { w.stop(&Error{Kind: Timeout}) })
}

func (w *waiter) stopClock() {
	if w.timer == nil {
		return
	}
	w.timer.Stop()
	w.timer = nil
	w.budget.spend(time.Since(w.since))
}

// refuse ends the wait of a caller whose deadline comes before the request can.
func (w *waiter) checkStart(start time.Time) {
	if !w.deadline.IsZero() && start.After(w.deadline) {
		w.stop(&Error{Kind: Throttled, unsent: true, Detail: noTimeForQueue})
	}
}

// Why a flight ended before its end.
var (
	errNoWaiters    = errors.New("nobody waits for the answer")
	errBudgetsSpent = errors.New("nobody who waits has time left")
	errShutdown     = errors.New("the client is closed")
)

type coalescer struct {
	mu    sync.Mutex
	calls map[string]*call
}

func newCoalescer() *coalescer { return &coalescer{calls: map[string]*call{}} }

// join finds the flight under way or makes one; own reports the latter.
func (co *coalescer) join(ctx context.Context, key string, w *waiter) (cl *call, own bool) {
	co.mu.Lock()
	defer co.mu.Unlock()
	cl = co.calls[key]
	if own = cl == nil; own {
		cl = &call{key: key, done: make(chan struct{}), waiters: map[*waiter]struct{}{}}
		cl.ctx, cl.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
		co.calls[key] = cl
	}
	cl.shared = cl.shared || !own
	cl.waiters[w] = struct{}{}
	w.checkStart(cl.earliest)
	if cl.onWire {
		w.startClock()
	}
	return cl, own
}

// leave takes a caller out, and ends the flight after the last one.
func (co *coalescer) leave(key string, cl *call, w *waiter, why error) {
	co.mu.Lock()
	defer co.mu.Unlock()
	w.stopClock()
	delete(cl.waiters, w)
	if len(cl.waiters) > 0 {
		return
	}
	if co.calls[key] == cl { // nobody joins what is about to end
		delete(co.calls, key)
	}
	cl.cancel(why)
}

// land gives the outcome to all who wait.
func (co *coalescer) finish(key string, cl *call, resp Response, err error) {
	co.mu.Lock()
	if co.calls[key] == cl {
		delete(co.calls, key)
	}
	cl.resp, cl.err = resp, err
	co.mu.Unlock()
	close(cl.done)
	cl.cancel(nil)
}

// wire starts the clocks of all who wait; the returned function stops them.
func (co *coalescer) runClocks(cl *call) func() {
	co.mu.Lock()
	defer co.mu.Unlock()
	cl.onWire = true
	for w := range cl.waiters {
		w.startClock()
	}
	return func() {
		co.mu.Lock()
		defer co.mu.Unlock()
		cl.onWire = false
		for w := range cl.waiters {
			w.stopClock()
		}
	}
}

// notBefore sends away who cannot wait until at.
func (co *coalescer) setEarliest(cl *call, at time.Time) {
	co.mu.Lock()
	defer co.mu.Unlock()
	cl.earliest = at
	for w := range cl.waiters {
		w.checkStart(at)
	}
}

// left is the most that anybody who waits may still spend.
func (co *coalescer) maxLeft(cl *call) time.Duration {
	co.mu.Lock()
	defer co.mu.Unlock()
	var most time.Duration
	for w := range cl.waiters {
		most = max(most, w.budget.Left())
	}
	return most
}

// outOfTime reports whether nobody who waits has any time left. Then nobody can
// join any more either: who has time gets a flight of its own.
func (co *coalescer) outOfTime(cl *call) bool {
	co.mu.Lock()
	defer co.mu.Unlock()
	for w := range cl.waiters {
		if w.budget.Left() > 0 {
			return false
		}
	}
	if co.calls[cl.key] == cl {
		delete(co.calls, cl.key)
	}
	return true
}

func (co *coalescer) setStale(cl *call, r Response) {
	co.mu.Lock()
	defer co.mu.Unlock()
	cl.stale = &r
}

func (co *coalescer) staleFor(cl *call) (Response, bool) {
	co.mu.Lock()
	defer co.mu.Unlock()
	if cl.stale == nil {
		return Response{}, false
	}
	r := *cl.stale
	r.Body = bytes.Clone(r.Body)
	return r, true
}

func (co *coalescer) isShared(cl *call) bool {
	co.mu.Lock()
	defer co.mu.Unlock()
	return cl.shared
}

// shared asks through a flight: a new one, or that of an equal request.
func (c *Client) coalesced(ctx context.Context, cr checkedRequest) (Response, error) {
	n := c.network
	key := cr.coalesceKey()
	w := newWaiter(ctx, cr.budget)
	cl, own := n.coalescer.join(ctx, key, w)
	if own {
		n.inFlight.Add(1) // the caller is counted in, so Close has not begun to wait for none
		go func() {
			defer n.inFlight.Done()
			stop := context.AfterFunc(n.ctx, func() { cl.cancel(errShutdown) })
			defer stop()
			resp, err := c.resolveRecovered(cl, cr)
			n.coalescer.finish(key, cl, resp, err)
		}()
	}
	resp, err := c.wait(ctx, cl, w)
	why := errNoWaiters
	if IsKind(err, Timeout) {
		why = errBudgetsSpent
	}
	n.coalescer.leave(key, cl, w, why)
	traceOf(ctx).addRequests(int(cl.sent.Load()))
	if n.coalescer.isShared(cl) {
		resp.Body = bytes.Clone(resp.Body) // each caller's to change
	}
	switch {
	case err == nil:
		return resp, nil
	case ctx.Err() != nil:
		return Response{}, fmt.Errorf("asking %s: %w", orAddress(cr.host), ctx.Err())
	}
	e := classify(err)
	e.Host = cr.host
	return Response{}, e
}

// survive is fly, with an error for a panic of ours: one answer must not end the
// program.
func (c *Client) resolveRecovered(cl *call, cr checkedRequest) (resp Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.network.cfg.Logger.Error("a request panicked", "host", cr.host, "panic", p, "stack", string(debug.Stack()))
			resp, err = Response{}, &Error{Kind: Malformed, Detail: "the answer cannot be read: an error in this program"}
		}
	}()
	return c.resolve(cl, cr)
}

// wait is one caller's part of a flight.
func (c *Client) wait(ctx context.Context, cl *call, w *waiter) (Response, error) {
	select {
	case <-cl.done:
		return cl.resp, cl.err
	case <-ctx.Done():
		return Response{}, ctx.Err()
	case why := <-w.quit:
		select {
		case <-cl.done: // at the same moment
			return cl.resp, cl.err
		default:
		}
		if old, ok := c.network.coalescer.staleFor(cl); ok {
			return old, nil
		}
		return Response{}, why
	}
}

// ended is the error of a flight whose context ended.
func (cl *call) endError() error {
	switch cause := context.Cause(cl.ctx); {
	case cause == nil:
		return nil
	case errors.Is(cause, errShutdown):
		return &Error{Kind: Closed}
	case errors.Is(cause, errBudgetsSpent):
		return &Error{Kind: Timeout}
	default:
		return errNotCounted
	}
}
