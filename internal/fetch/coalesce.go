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

// call is one request that any number of callers wait for. It runs on a context
// of its own: a caller that cancels ends only its own wait, and the last one
// ends the call.
//
// The call has no deadline. Each caller's Budget runs while the call is on the
// wire, so that a caller with a short Budget stops waiting without ending the
// call for the others.
type call struct {
	key    string
	ctx    context.Context
	cancel context.CancelCauseFunc
	sent   atomic.Int64 // requests on the wire
	done   chan struct{}

	resp Response // resp and err are set before done is closed
	err  error

	// Guarded by coalescer.mu.
	waiters  map[*waiter]struct{}
	shared   bool // more than one caller has joined
	onWire   bool
	earliest time.Time // no request is sent before it
	stale    *Response // an old response, for callers whose Budget ends
}

// waiter is one caller of a call.
type waiter struct {
	budget   *Budget
	deadline time.Time   // of the caller's context; zero: none
	quit     chan *Error // why the caller should stop waiting; buffered

	timer *time.Timer // runs while the call is on the wire
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

// checkStart ends the wait of a caller whose deadline is before the time at
// which the request can start.
func (w *waiter) checkStart(start time.Time) {
	if !w.deadline.IsZero() && start.After(w.deadline) {
		w.stop(&Error{Kind: Throttled, unsent: true, Detail: noTimeForQueue})
	}
}

// Why a call was cancelled.
var (
	errNoWaiters    = errors.New("no caller waits for the response")
	errBudgetsSpent = errors.New("no caller has time left")
	errShutdown     = errors.New("the network is closed")
)

type coalescer struct {
	mu    sync.Mutex
	calls map[string]*call
}

func newCoalescer() *coalescer { return &coalescer{calls: map[string]*call{}} }

// join returns the call in progress with that key, or makes one; own reports
// the latter.
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

// leave removes a caller. After the last one it cancels the call.
func (co *coalescer) leave(key string, cl *call, w *waiter, why error) {
	co.mu.Lock()
	defer co.mu.Unlock()
	w.stopClock()
	delete(cl.waiters, w)
	if len(cl.waiters) > 0 {
		return
	}
	if co.calls[key] == cl { // it is ending: do not let others join
		delete(co.calls, key)
	}
	cl.cancel(why)
}

// finish sets the result for all callers.
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

// runClocks starts the clocks of all callers; the returned function stops them.
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

// setEarliest ends the wait of callers whose deadline is before at.
func (co *coalescer) setEarliest(cl *call, at time.Time) {
	co.mu.Lock()
	defer co.mu.Unlock()
	cl.earliest = at
	for w := range cl.waiters {
		w.checkStart(at)
	}
}

// maxLeft returns the largest remaining Budget of a caller.
func (co *coalescer) maxLeft(cl *call) time.Duration {
	co.mu.Lock()
	defer co.mu.Unlock()
	var most time.Duration
	for w := range cl.waiters {
		most = max(most, w.budget.Left())
	}
	return most
}

// outOfTime reports whether no caller has any Budget left. Later callers then
// get a call of their own.
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

// coalesced sends a request, or joins an equal one in progress.
func (c *Client) coalesced(ctx context.Context, cr checkedRequest) (Response, error) {
	n := c.network
	key := cr.coalesceKey()
	w := newWaiter(ctx, cr.budget)
	cl, own := n.coalescer.join(ctx, key, w)
	if own {
		n.inFlight.Add(1) // the caller is counted, so Close is still waiting
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
		resp.Body = bytes.Clone(resp.Body) // callers may change their copies
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

// resolveRecovered is resolve with an error in place of a panic, so that one
// response cannot end the program.
func (c *Client) resolveRecovered(cl *call, cr checkedRequest) (resp Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.network.cfg.Logger.Error("a request panicked", "host", cr.host, "panic", p, "stack", string(debug.Stack()))
			resp, err = Response{}, &Error{Kind: Malformed, Detail: "the answer cannot be read: an error in this program"}
		}
	}()
	return c.resolve(cl, cr)
}

// wait waits for the result, for the end of ctx or for the reason to stop
// waiting.
func (c *Client) wait(ctx context.Context, cl *call, w *waiter) (Response, error) {
	if err := ctx.Err(); err != nil {
		return Response{}, err
	}
	select {
	case <-cl.done:
		return cl.resp, cl.err
	case <-ctx.Done():
		return Response{}, ctx.Err()
	case why := <-w.quit:
		select {
		case <-cl.done: // it ended at the same moment
			return cl.resp, cl.err
		default:
		}
		if old, ok := c.network.coalescer.staleFor(cl); ok {
			return old, nil
		}
		return Response{}, why
	}
}

// endError is the error of a call that was cancelled, nil if it was not.
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
