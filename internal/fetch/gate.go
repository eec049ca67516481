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
const perHost = 3

// maxGates is how many hosts are kept in mind. Only hosts behind the open door
// are ever forgotten, and only while nobody uses them.
const maxGates = 1024

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
type gate struct {
	key     string
	slots   chan struct{}
	limiter *rate.Limiter
	breaker *breaker

	// Guarded by gates.mu.
	users     int       // requests that hold or await a slot
	pinned    bool      // configured by the operator: never forgotten
	until     time.Time // the host asked to be left alone until then
	lastErr   string
	lastErrAt time.Time

	lastErrKind Kind
	others      sharing
}

type gates struct {
	mu sync.Mutex
	m  map[string]*gate

	cache func() *Cache // where the processes meet; gives nil where there is none
}

func newGates() *gates {
	return &gates{m: map[string]*gate{}, cache: func() *Cache { return nil }}
}

// get finds or makes the gate; the caller holds g.mu.
func (g *gates) get(key string, r Rate) *gate {
	if got := g.m[key]; got != nil {
		return got
	}
	if len(g.m) >= maxGates {
		g.forgetIdle()
	}
	limit, burst := r.limit()
	made := &gate{key: key, slots: make(chan struct{}, perHost), limiter: rate.NewLimiter(limit, burst), breaker: newBreaker()}
	g.m[key] = made
	return made
}

func (g *gates) forgetIdle() {
	now := time.Now()
	for key, it := range g.m {
		if it.users == 0 && !it.pinned && !it.until.After(now) && it.breaker.openSince().IsZero() {
			delete(g.m, key)
		}
	}
}

// pin sets the rate of a configured host. The slowest one asked for holds.
func (g *gates) pin(key string, r Rate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	it := g.get(key, r)
	limit, burst := r.limit()
	if !it.pinned || limit < it.limiter.Limit() {
		it.limiter.SetLimit(limit)
		it.limiter.SetBurst(burst)
	}
	it.pinned = true
}

// leaveAlone makes requests to the host wait or fail for d. Of two such
// requests, the later end holds.
func (g *gates) leaveAlone(key string, r Rate, d time.Duration) {
	if d <= 0 {
		return
	}
	g.mu.Lock()
	it := g.get(key, r)
	if until := time.Now().Add(min(d, longestLeave)); until.After(it.until) {
		it.until = until
	}
	g.mu.Unlock()
	g.tell(it, true)
}

// pass is the right to one request. Give it back with leave.
type pass struct {
	gates  *gates
	gate   *gate
	report func(error) // to the breaker
}

// leave gives the slot back and tells how the request went: nil for an answer
// that may be used, errNotCounted for one that says nothing of the host.
func (p *pass) leave(err error) {
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
	<-p.gate.slots
	p.gates.ended(p.gate, e, good)
}

// enter waits for a slot and a token of the host, and for the end of a time
// that the host asked for. early, when not nil, is told the time before which
// the request cannot begin. The error is ctx's or an *Error.
func (g *gates) enter(ctx context.Context, key string, r Rate, early func(time.Time)) (*pass, error) {
	g.mu.Lock()
	it := g.get(key, r)
	it.users++
	g.mu.Unlock()
	out := func(err error) (*pass, error) {
		g.mu.Lock()
		it.users--
		g.mu.Unlock()
		return nil, err
	}
	g.learn(ctx, it)
	if err := it.breaker.closedOrDue(); err != nil { // without a wait for slots that failing requests hold
		return out(err)
	}
	if err := g.broken(it); err != nil {
		return out(err)
	}
	if err := g.mustWait(it); err != nil {
		return out(err)
	}
	select {
	case it.slots <- struct{}{}:
	case <-ctx.Done():
		return out(ctx.Err())
	}
	report, err := g.turn(ctx, it, early)
	if err != nil {
		<-it.slots
		return out(err)
	}
	return &pass{gates: g, gate: it, report: report}, nil
}

// turn is the wait of one that holds a slot.
func (g *gates) turn(ctx context.Context, it *gate, early func(time.Time)) (func(error), error) {
	token, giveBack := g.reserve(it)
	for {
		if err := g.mustWait(it); err != nil {
			giveBack()
			return nil, err
		}
		g.mu.Lock()
		at := it.until
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
		g.learn(ctx, it) // others may have been told to wait for longer
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
func (g *gates) mustWait(it *gate) error {
	g.mu.Lock()
	until := it.until
	g.mu.Unlock()
	left := time.Until(until)
	if left <= longestWait {
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

const errWaitTooLong = "the host's rate limit leaves no time before the deadline"
