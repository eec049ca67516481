package fetch

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// perHost is how many requests one host sees from us at once: what Wikimedia
// asks of clients, and kind to everybody else.
const maxPerHost = 3

// maxGates is how many hosts are kept in mind. Only hosts behind the open door
// are ever forgotten, and only while nobody uses them.
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

// gate is a host's queue, and what is known of the host's health.
type hostLimiter struct {
	key     string
	slots   chan struct{}
	bucket  *rate.Limiter
	breaker *breaker

	// Guarded by gates.mu.
	users      int       // requests that hold or await a slot
	configured bool      // configured by the operator: never forgotten
	waitUntil  time.Time // the host asked to be left alone until then
	lastErr    string
	lastErrAt  time.Time

	lastErrKind Kind
	shared      sharedState
}

type limiters struct {
	mu     sync.Mutex
	byHost map[string]*hostLimiter

	cache func() *Cache // where the processes meet; gives nil where there is none
}

func newLimiters() *limiters {
	return &limiters{byHost: map[string]*hostLimiter{}, cache: func() *Cache { return nil }}
}

// get finds or makes the gate; the caller holds g.mu.
func (g *limiters) get(key string, r Rate) *hostLimiter {
	if got := g.byHost[key]; got != nil {
		return got
	}
	if len(g.byHost) >= maxHosts {
		g.evictIdle()
	}
	limit, burst := r.limit()
	made := &hostLimiter{key: key, slots: make(chan struct{}, maxPerHost), bucket: rate.NewLimiter(limit, burst), breaker: newBreaker()}
	g.byHost[key] = made
	return made
}

func (g *limiters) evictIdle() {
	now := time.Now()
	for key, it := range g.byHost {
		if it.users == 0 && !it.configured && !it.waitUntil.After(now) && it.breaker.openSince().IsZero() {
			delete(g.byHost, key)
		}
	}
}

// pin sets the rate of a configured host. The slowest one asked for holds.
func (g *limiters) configure(key string, r Rate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	it := g.get(key, r)
	limit, burst := r.limit()
	if !it.configured || limit < it.bucket.Limit() {
		it.bucket.SetLimit(limit)
		it.bucket.SetBurst(burst)
	}
	it.configured = true
}

// leaveAlone makes requests to the host wait or fail for d. Of two such
// requests, the later end holds.
func (g *limiters) backOff(key string, r Rate, d time.Duration) {
	if d <= 0 {
		return
	}
	g.mu.Lock()
	it := g.get(key, r)
	if until := time.Now().Add(min(d, maxBackoff)); until.After(it.waitUntil) {
		it.waitUntil = until
	}
	g.mu.Unlock()
	g.publish(it, true)
}

// pass is the right to one request. Give it back with leave.
type permit struct {
	limiters *limiters
	limiter  *hostLimiter
	report   func(error) // to the breaker
}

// leave gives the slot back and tells how the request went: nil for an answer
// that may be used, errNotCounted for one that says nothing of the host.
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
		p.report(nil) // it answers, though not as we would like
		good = true
	default:
		p.report(errNotCounted)
	}
	<-p.limiter.slots
	p.limiters.recordOutcome(p.limiter, e, good)
}

// refund gives the token of a request back that never reached the host.
func (p *permit) refund() {
	p.limiters.countToken(p.limiter, -1) // first: loadShared must not take the bucket for too full
	p.limiter.bucket.ReserveN(time.Now(), -1)
}

// enter waits for a slot and a token of the host, and for the end of a time
// that the host asked for. early, when not nil, is told the time before which
// the request cannot begin. The error is ctx's or an *Error.
func (g *limiters) acquire(ctx context.Context, key string, r Rate, early func(time.Time)) (*permit, error) {
	g.mu.Lock()
	it := g.get(key, r)
	it.users++
	g.mu.Unlock()
	out := func(err error) (*permit, error) {
		g.mu.Lock()
		it.users--
		g.mu.Unlock()
		return nil, err
	}
	g.loadShared(ctx, it)
	if err := it.breaker.check(); err != nil { // without a wait for slots that failing requests hold
		return out(err)
	}
	if err := g.checkSharedCircuit(it); err != nil {
		return out(err)
	}
	if err := g.checkBackoff(it); err != nil {
		return out(err)
	}
	select {
	case it.slots <- struct{}{}:
	case <-ctx.Done():
		return out(ctx.Err())
	}
	report, err := g.waitTurn(ctx, it, early)
	if err != nil {
		<-it.slots
		return out(err)
	}
	return &permit{limiters: g, limiter: it, report: report}, nil
}

// turn is the wait of one that holds a slot.
func (g *limiters) waitTurn(ctx context.Context, it *hostLimiter, early func(time.Time)) (func(error), error) {
	token, giveBack := g.reserve(it)
	for {
		if err := g.checkBackoff(it); err != nil {
			giveBack()
			return nil, err
		}
		g.mu.Lock()
		at := it.waitUntil
		g.mu.Unlock()
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
		g.loadShared(ctx, it) // others may have been told to wait for longer
	}
	if err := ctx.Err(); err != nil {
		giveBack()
		return nil, err
	}
	report, err := it.breaker.allow()
	if err != nil {
		giveBack()
	}
	return report, err
}

// mustWait is the error of a host that asked for more patience than a request
// has, nil when it did not.
func (g *limiters) checkBackoff(it *hostLimiter) error {
	g.mu.Lock()
	until := it.waitUntil
	g.mu.Unlock()
	left := time.Until(until)
	if left <= maxQueueWait {
		return nil
	}
	return &Error{Kind: Throttled, unsent: true, RetryAfter: left.Round(time.Second), Detail: "it asked to be left alone until " + clock(until)}
}

// sleep waits for d; ctx's error when it ends first.
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

// clock is how errors name a time of today or tomorrow.
func clock(t time.Time) string { return t.UTC().Format("15:04:05") + " UTC" }

const noTimeForQueue = "the host's rate limit leaves no time before the deadline"
