package fetch

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxPerHost is how many requests one host gets at once: what Wikimedia asks of
// clients.
const maxPerHost = 3

// maxHosts is how many hosts have a limiter. Only those of public hosts are
// removed, while they are not in use.
const maxHosts = 1024

// Rate is a token bucket: PerSecond requests in the long run, Burst at once.
// The zero Rate does not limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

func (r Rate) limit() (rate.Limit, int) {
	if r.PerSecond <= 0 {
		return rate.Inf, 1
	}
	return rate.Limit(r.PerSecond), max(r.Burst, 1)
}

func (r Rate) halved() Rate { return Rate{PerSecond: r.PerSecond / 2, Burst: (r.Burst + 1) / 2} }

// hostLimiter limits the requests to one host and records its health.
type hostLimiter struct {
	key     string
	slots   chan struct{}
	bucket  *rate.Limiter
	breaker *breaker

	// Guarded by limiters.mu.
	users      int       // requests that hold or wait for a slot
	configured bool      // by the operator: never removed
	waitUntil  time.Time // the host asked for no requests until then
	lastErr    string
	lastErrAt  time.Time

	lastErrKind Kind
	shared      sharedState
}

type limiters struct {
	mu     sync.Mutex
	byHost map[string]*hostLimiter

	cache func() *Cache // shared with other processes; returns nil if there is none
}

func newLimiters() *limiters {
	return &limiters{byHost: map[string]*hostLimiter{}, cache: func() *Cache { return nil }}
}

// get returns the limiter of a host, making one if necessary. The caller holds
// l.mu.
func (l *limiters) get(key string, r Rate) *hostLimiter {
	if got := l.byHost[key]; got != nil {
		return got
	}
	if len(l.byHost) >= maxHosts {
		l.evictIdle()
	}
	limit, burst := r.limit()
	made := &hostLimiter{key: key, slots: make(chan struct{}, maxPerHost), bucket: rate.NewLimiter(limit, burst), breaker: newBreaker()}
	l.byHost[key] = made
	return made
}

func (l *limiters) evictIdle() {
	now := time.Now()
	for key, h := range l.byHost {
		if h.users == 0 && !h.configured && !h.waitUntil.After(now) && h.breaker.openSince().IsZero() {
			delete(l.byHost, key)
		}
	}
}

// configure sets the rate of a configured host. Of several rates the slowest
// holds.
func (l *limiters) configure(key string, r Rate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.get(key, r)
	limit, burst := r.limit()
	if !h.configured || limit < h.bucket.Limit() {
		h.bucket.SetLimit(limit)
		h.bucket.SetBurst(burst)
	}
	h.configured = true
}

// backOff makes requests to the host wait or fail for d. Of two such calls the
// later end holds.
func (l *limiters) backOff(key string, r Rate, d time.Duration) {
	if d <= 0 {
		return
	}
	l.mu.Lock()
	h := l.get(key, r)
	if until := time.Now().Add(min(d, maxBackoff)); until.After(h.waitUntil) {
		h.waitUntil = until
	}
	l.mu.Unlock()
	l.publish(h, true)
}

// permit is the right to send one request. Release it.
type permit struct {
	limiters *limiters
	limiter  *hostLimiter
	report   func(error) // to the breaker
}

// release gives the slot back and reports the outcome: nil for a usable
// response, errNotCounted for an outcome that says nothing about the host.
func (p *permit) release(err error) {
	var e *Error
	failed := errors.As(err, &e)
	good := err == nil
	switch {
	case err == nil:
		p.report(nil)
	case failed && e.breaks():
		p.report(err)
	case failed && e.Kind != Refused && e.Kind != Closed:
		p.report(nil) // it answers, even if not with what we want
		good = true
	default:
		p.report(errNotCounted)
	}
	<-p.limiter.slots
	p.limiters.recordOutcome(p.limiter, e, good)
}

// refund gives back the token of a request that never reached the host.
func (p *permit) refund() {
	p.limiters.countToken(p.limiter, -1) // first, or loadShared would drain the bucket
	p.limiter.bucket.ReserveN(time.Now(), -1)
}

// acquire waits for a slot and a token of the host, and for the end of its
// backoff. early, if not nil, is called with the earliest time at which the
// request can start. The error is ctx's or an *Error.
func (l *limiters) acquire(ctx context.Context, key string, r Rate, early func(time.Time)) (*permit, error) {
	l.mu.Lock()
	h := l.get(key, r)
	h.users++
	l.mu.Unlock()
	out := func(err error) (*permit, error) {
		l.mu.Lock()
		h.users--
		l.mu.Unlock()
		return nil, err
	}
	l.loadShared(ctx, h)
	if err := h.breaker.check(); err != nil { // before waiting for slots that failing requests hold
		return out(err)
	}
	if err := l.checkSharedCircuit(h); err != nil {
		return out(err)
	}
	if err := l.checkBackoff(h); err != nil {
		return out(err)
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return out(ctx.Err())
	}
	report, err := l.waitTurn(ctx, h, early)
	if err != nil {
		<-h.slots
		return out(err)
	}
	return &permit{limiters: l, limiter: h, report: report}, nil
}

// waitTurn waits for a token and the end of the backoff. The caller holds a
// slot.
func (l *limiters) waitTurn(ctx context.Context, h *hostLimiter, early func(time.Time)) (func(error), error) {
	token, giveBack := l.reserve(h)
	for {
		if err := l.checkBackoff(h); err != nil {
			giveBack()
			return nil, err
		}
		l.mu.Lock()
		at := h.waitUntil
		l.mu.Unlock()
		now := time.Now()
		if due := now.Add(token.DelayFrom(now)); due.After(at) {
			at = due
		}
		if !at.After(now) {
			break
		}
		if early != nil {
			early(at)
		}
		if err := sleep(ctx, at.Sub(now)); err != nil {
			giveBack()
			return nil, err
		}
		l.loadShared(ctx, h) // another process may have been told to wait longer
	}
	if err := ctx.Err(); err != nil {
		giveBack()
		return nil, err
	}
	report, err := h.breaker.allow()
	if err != nil {
		giveBack()
	}
	return report, err
}

// checkBackoff returns an error if the host's backoff is longer than a request
// waits.
func (l *limiters) checkBackoff(h *hostLimiter) error {
	l.mu.Lock()
	until := h.waitUntil
	l.mu.Unlock()
	left := time.Until(until)
	if left <= maxQueueWait {
		return nil
	}
	return &Error{Kind: Throttled, unsent: true, RetryAfter: left.Round(time.Second), Detail: "it asked for no requests until " + clock(until)}
}

// sleep waits for d; it returns ctx's error if ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// clock formats a time for an error.
func clock(t time.Time) string { return t.UTC().Format("15:04:05") + " UTC" }

const noTimeForQueue = "the host's rate limit leaves no time before the deadline"
