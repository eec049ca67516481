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
func (fs *coalescer) join(ctx context.Context, key string, w *waiter) (f *call, own bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f = fs.calls[key]
	if own = f == nil; own {
		f = &call{key: key, done: make(chan struct{}), waiters: map[*waiter]struct{}{}}
		f.ctx, f.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
		fs.calls[key] = f
	}
	f.shared = f.shared || !own
	f.waiters[w] = struct{}{}
	w.checkStart(f.earliest)
	if f.onWire {
		w.startClock()
	}
	return f, own
}

// leave takes a caller out, and ends the flight after the last one.
func (fs *coalescer) leave(key string, f *call, w *waiter, why error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	w.stopClock()
	delete(f.waiters, w)
	if len(f.waiters) > 0 {
		return
	}
	if fs.calls[key] == f { // nobody joins what is about to end
		delete(fs.calls, key)
	}
	f.cancel(why)
}

// land gives the outcome to all who wait.
func (fs *coalescer) finish(key string, f *call, resp Response, err error) {
	fs.mu.Lock()
	if fs.calls[key] == f {
		delete(fs.calls, key)
	}
	f.resp, f.err = resp, err
	fs.mu.Unlock()
	close(f.done)
	f.cancel(nil)
}

// wire starts the clocks of all who wait; the returned function stops them.
func (fs *coalescer) runClocks(f *call) func() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.onWire = true
	for w := range f.waiters {
		w.startClock()
	}
	return func() {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		f.onWire = false
		for w := range f.waiters {
			w.stopClock()
		}
	}
}

// notBefore sends away who cannot wait until at.
func (fs *coalescer) setEarliest(f *call, at time.Time) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.earliest = at
	for w := range f.waiters {
		w.checkStart(at)
	}
}

// left is the most that anybody who waits may still spend.
func (fs *coalescer) maxLeft(f *call) time.Duration {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var most time.Duration
	for w := range f.waiters {
		most = max(most, w.budget.Left())
	}
	return most
}

// outOfTime reports whether nobody who waits has any time left. Then nobody can
// join any more either: who has time gets a flight of its own.
func (fs *coalescer) outOfTime(f *call) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for w := range f.waiters {
		if w.budget.Left() > 0 {
			return false
		}
	}
	if fs.calls[f.key] == f {
		delete(fs.calls, f.key)
	}
	return true
}

func (fs *coalescer) setStale(f *call, r Response) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	f.stale = &r
}

func (fs *coalescer) staleFor(f *call) (Response, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if f.stale == nil {
		return Response{}, false
	}
	r := *f.stale
	r.Body = bytes.Clone(r.Body)
	return r, true
}

func (fs *coalescer) isShared(f *call) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return f.shared
}

// shared asks through a flight: a new one, or that of an equal request.
func (d *Client) coalesced(ctx context.Context, a checkedRequest) (Response, error) {
	c := d.network
	key := a.coalesceKey()
	w := newWaiter(ctx, a.budget)
	f, own := c.coalescer.join(ctx, key, w)
	if own {
		c.inFlight.Add(1) // the caller is counted in, so Close has not begun to wait for none
		go func() {
			defer c.inFlight.Done()
			stop := context.AfterFunc(c.ctx, func() { f.cancel(errShutdown) })
			defer stop()
			resp, err := d.resolveRecovered(f, a)
			c.coalescer.finish(key, f, resp, err)
		}()
	}
	resp, err := d.wait(ctx, f, w)
	why := errNoWaiters
	if IsKind(err, Timeout) {
		why = errBudgetsSpent
	}
	c.coalescer.leave(key, f, w, why)
	traceOf(ctx).addRequests(int(f.sent.Load()))
	if c.coalescer.isShared(f) {
		resp.Body = bytes.Clone(resp.Body) // each caller's to change
	}
	switch {
	case err == nil:
		return resp, nil
	case ctx.Err() != nil:
		return Response{}, fmt.Errorf("asking %s: %w", orAddress(a.host), ctx.Err())
	}
	e := classify(err)
	e.Host = a.host
	return Response{}, e
}

// survive is fly, with an error for a panic of ours: one answer must not end the
// program.
func (d *Client) resolveRecovered(f *call, a checkedRequest) (resp Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			d.network.cfg.Logger.Error("a request panicked", "host", a.host, "panic", p, "stack", string(debug.Stack()))
			resp, err = Response{}, &Error{Kind: Malformed, Detail: "the answer cannot be read: an error in this program"}
		}
	}()
	return d.resolve(f, a)
}

// wait is one caller's part of a flight.
func (d *Client) wait(ctx context.Context, f *call, w *waiter) (Response, error) {
	select {
	case <-f.done:
		return f.resp, f.err
	case <-ctx.Done():
		return Response{}, ctx.Err()
	case why := <-w.quit:
		select {
		case <-f.done: // at the same moment
			return f.resp, f.err
		default:
		}
		if old, ok := d.network.coalescer.staleFor(f); ok {
			return old, nil
		}
		return Response{}, why
	}
}

// ended is the error of a flight whose context ended.
func (f *call) endError() error {
	switch cause := context.Cause(f.ctx); {
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
