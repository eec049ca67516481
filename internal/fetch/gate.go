package fetch

import (
	"context"
	"errors"
	"sync"

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

// gate is a host's queue.
type gate struct {
	slots   chan struct{}
	limiter *rate.Limiter
	users   int  // requests that hold or await a slot; guarded by gates.mu
	pinned  bool // configured by the operator: never forgotten
}

type gates struct {
	mu sync.Mutex
	m  map[string]*gate
}

func newGates() *gates { return &gates{m: map[string]*gate{}} }

// get finds or makes the gate; the caller holds g.mu.
func (g *gates) get(key string, r Rate) *gate {
	if got := g.m[key]; got != nil {
		return got
	}
	if len(g.m) >= maxGates {
		g.forgetIdle()
	}
	limit, burst := r.limit()
	made := &gate{slots: make(chan struct{}, perHost), limiter: rate.NewLimiter(limit, burst)}
	g.m[key] = made
	return made
}

func (g *gates) forgetIdle() {
	for key, it := range g.m {
		if it.users == 0 && !it.pinned {
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

// enter waits for a slot and a token of the host. The returned function gives
// the slot back. Only ctx ends the wait: the error is ctx's, or errWaitTooLong
// when the token would come after ctx's deadline.
func (g *gates) enter(ctx context.Context, key string, r Rate) (func(), error) {
	g.mu.Lock()
	it := g.get(key, r)
	it.users++
	g.mu.Unlock()
	leave := func() {
		g.mu.Lock()
		it.users--
		g.mu.Unlock()
	}
	select {
	case it.slots <- struct{}{}:
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
	if err := it.limiter.Wait(ctx); err != nil {
		<-it.slots
		leave()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errWaitTooLong
	}
	return func() {
		<-it.slots
		leave()
	}, nil
}

var errWaitTooLong = errors.New("the host's rate limit leaves no time before the deadline")
