// Package limit bounds work by time. A replay must not depend on how fast this
// machine is: under a context of WithoutClock no limit ends by itself, and the
// recording says which one ends. Functions are safe for concurrent use.
package limit

import (
	"context"
	"sync"
	"time"
)

type (
	clockKey   struct{} // its value is true where the clock is off
	timeoutKey struct{} // its value is the innermost *timeout that End may end
	outerKey   struct{} // its value is any enclosing *timeout
	pauseKey   struct{} // its value is the func() of the innermost pause
)

// WithoutClock returns a context under which limits do not end by themselves.
func WithoutClock(ctx context.Context) context.Context {
	return context.WithValue(ctx, clockKey{}, true)
}

// ClockIsOff reports whether ctx is one of WithoutClock.
func ClockIsOff(ctx context.Context) bool {
	off, _ := ctx.Value(clockKey{}).(bool)
	return off
}

// LikeClock returns ctx with the clock of other: for work that outlives the
// question that it is part of.
func LikeClock(ctx, other context.Context) context.Context {
	if ClockIsOff(other) {
		return WithoutClock(ctx)
	}
	return ctx
}

// WithTimeout is context.WithTimeout. Without a clock the deadline can be read,
// and the context ends with its parent, by cancel, or by End.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if !ClockIsOff(ctx) {
		return context.WithTimeout(ctx, d)
	}
	t := &timeout{Context: ctx, deadline: time.Now().Add(d), done: make(chan struct{})}
	if outer, ok := ctx.Deadline(); ok && outer.Before(t.deadline) {
		t.deadline = outer
	}
	stop := context.AfterFunc(ctx, func() { t.finish(ctx.Err()) })
	return t, func() { stop(); t.finish(context.Canceled) }
}

// timeout is a context that another event than a clock ends.
type timeout struct {
	context.Context // the parent
	deadline        time.Time
	done            chan struct{}

	mu  sync.Mutex
	err error
}

// Deadline is when a clock would have ended it.
func (t *timeout) Deadline() (time.Time, bool) { return t.deadline, true }

// Done is closed by finish.
func (t *timeout) Done() <-chan struct{} { return t.done }

// Err is why it ended.
func (t *timeout) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Value is that of the parent, but for the timeout itself. The outermost is the
// limit of all the work; no single request ends it.
func (t *timeout) Value(key any) any {
	if key == (timeoutKey{}) && t.Context.Value(outerKey{}) != nil {
		return t
	}
	if key == (outerKey{}) {
		return t
	}
	return t.Context.Value(key)
}

func (t *timeout) finish(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
		close(t.done)
	}
}

// End ends the innermost limit of ctx with context.DeadlineExceeded, but never
// the outermost one, which bounds all the work, nor one with a clock. It reports
// whether there was one.
func End(ctx context.Context) bool {
	t, ok := ctx.Value(timeoutKey{}).(*timeout)
	if ok {
		t.finish(context.DeadlineExceeded)
	}
	return ok
}

// WithPause returns a context whose work may pause: end is called when a pause is
// too long. Without a clock that is when EndPause is called; with one it is the
// caller's to measure.
func WithPause(ctx context.Context, end func()) context.Context {
	return context.WithValue(ctx, pauseKey{}, end)
}

// EndPause calls the innermost end function of WithPause. It reports whether
// there was one.
func EndPause(ctx context.Context) bool {
	end, ok := ctx.Value(pauseKey{}).(func())
	if ok {
		end()
	}
	return ok
}

// Timer returns a channel like that of time.NewTimer, and a function that stops
// it. Without a clock nothing is ever sent.
func Timer(ctx context.Context, d time.Duration) (<-chan time.Time, func()) {
	if ClockIsOff(ctx) {
		return nil, func() {}
	}
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}

// AfterFunc is time.AfterFunc. Without a clock f is never called.
func AfterFunc(ctx context.Context, d time.Duration, f func()) (stop func()) {
	if ClockIsOff(ctx) {
		return func() {}
	}
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}
