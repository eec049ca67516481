package fetch

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// States of a circuit, as HostState shows them.
const (
	circuitClosed   = "closed"
	circuitOpen     = "open"
	circuitHalfOpen = "half-open"
)

// sharedState is what a limiter shares with other processes of the same data
// folder through the cache's file: each writes what it learns about a host, and
// reads what others wrote before it sends. So a refusal of one process holds
// for all, and all spend from one bucket. Writes are asynchronous: two
// processes can spend the same token within milliseconds, which later requests
// make up for.
//
// Guarded by limiters.mu.
type sharedState struct {
	queued  bool // a write is queued
	writing bool // a write is in progress
	writes  int  // writes that ended
	spent   int  // tokens that were not written yet

	publishedOpen time.Time // when the circuit opened, as last written; zero: closed
	recovered     bool      // the host answered although another process had opened the circuit

	openSince, openUntil time.Time // of another process's circuit
	lastWait             time.Time // the latest backoff that was read, in the cache's time
}

// loadShared reads what other processes know about the host. A failure is
// ignored: then this process goes by what it knows.
func (l *limiters) loadShared(ctx context.Context, h *hostLimiter) {
	cache := l.cache()
	if cache == nil {
		return
	}
	l.mu.Lock()
	busy, writes := h.shared.writing, h.shared.writes
	l.mu.Unlock()
	row, ok := cache.host(ctx, h.key)
	if !ok {
		return
	}
	now, then := time.Now(), cache.now()
	here := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return now.Add(t.Sub(then))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h.shared.openSince, h.shared.openUntil = here(row.since), here(row.until)
	if h.shared.openUntil.After(now.Add(openFor)) { // of a clock that was set back
		h.shared.openSince, h.shared.openUntil = time.Time{}, time.Time{}
	}
	// A backoff is read once: it would never end by a cache clock that stands
	// still.
	if until := here(row.wait); row.wait.After(h.shared.lastWait) && until.After(h.waitUntil) && !until.After(now.Add(maxBackoff)) {
		h.waitUntil = until
	}
	h.shared.lastWait = row.wait
	if at := here(row.errAt); at.After(h.lastErrAt) && !at.After(now) {
		h.lastErr, h.lastErrKind, h.lastErrAt = row.err, row.kind, at
	}
	limit := h.bucket.Limit()
	if limit == rate.Inf || !h.configured || busy || h.shared.writing || writes != h.shared.writes {
		return // it is unknown which of our tokens the row includes
	}
	left := row.tokensAt(then, Rate{PerSecond: float64(limit), Burst: h.bucket.Burst()}) - float64(h.shared.spent)
	drain(h.bucket, now, h.bucket.TokensAt(now)-left)
}

// drain removes x tokens from the bucket, which may be a fraction.
func drain(l *rate.Limiter, now time.Time, x float64) {
	const nothing = 1e-3 // differences of clocks
	if x < nothing {
		return
	}
	l.ReserveN(now, 0) // refills it up to now
	whole, part := math.Modf(x)
	for n := int(whole); n > 0; {
		k := min(n, l.Burst())
		l.ReserveN(now, k)
		n -= k
	}
	if part > 0 {
		// One token, taken so long ago that the rest of it has been refilled.
		ago := time.Duration((1 - part) / float64(l.Limit()) * float64(time.Second))
		l.ReserveN(now.Add(-ago), 1)
	}
}

// checkSharedCircuit returns an error if another process has opened the
// circuit.
func (l *limiters) checkSharedCircuit(h *hostLimiter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.shared.openUntil.After(time.Now()) {
		return &Error{Kind: CircuitOpen, Detail: openDetail(h.shared.openSince, h.shared.openUntil)}
	}
	return nil
}

// reserve takes a token; giveBack returns it if no request is sent.
func (l *limiters) reserve(h *hostLimiter) (token *rate.Reservation, giveBack func()) {
	token = h.bucket.Reserve()
	l.countToken(h, 1)
	return token, func() {
		l.countToken(h, -1) // first, or loadShared would drain the bucket
		token.Cancel()
	}
}

func (l *limiters) countToken(h *hostLimiter, n int) {
	l.mu.Lock()
	h.shared.spent += n
	l.mu.Unlock()
	l.publish(h, false)
}

// recordOutcome stores the outcome of a request and publishes it if other
// processes need it.
func (l *limiters) recordOutcome(h *hostLimiter, e *Error, good bool) {
	since := h.breaker.openSince()
	l.mu.Lock()
	h.users--
	if e != nil && e.Kind != Closed {
		h.lastErr, h.lastErrKind, h.lastErrAt = e.text(), e.Kind, time.Now()
	}
	if good && !h.shared.openSince.IsZero() {
		h.shared.openSince, h.shared.openUntil, h.shared.recovered = time.Time{}, time.Time{}, true
	}
	news := e != nil && e.Kind != Closed || !since.Equal(h.shared.publishedOpen) || h.shared.recovered
	l.mu.Unlock()
	if news {
		l.publish(h, true)
	}
}

// publish queues a write of what this process knows about the host; calls while
// one is queued join it. For public hosts only failures and backoffs matter.
func (l *limiters) publish(h *hostLimiter, matters bool) {
	cache := l.cache()
	if cache == nil {
		return
	}
	l.mu.Lock()
	if h.shared.queued || !h.configured && !matters {
		l.mu.Unlock()
		return
	}
	h.shared.queued = true
	l.mu.Unlock()
	var taken hostUpdate
	took := false
	queued := cache.queueHostUpdate(h.key, func() hostUpdate {
		took = true
		taken = l.takeUpdate(h, cache.now())
		return taken
	}, func(written bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		switch {
		case !took:
			h.shared.queued = false
		case !written:
			h.shared.spent += taken.spent
			fallthrough
		default:
			h.shared.writing = false
			h.shared.writes++
		}
	})
	if !queued {
		l.mu.Lock()
		h.shared.queued = false
		l.mu.Unlock()
	}
}

// takeUpdate returns what is to be written, in the time of the cache's clock.
func (l *limiters) takeUpdate(h *hostLimiter, then time.Time) hostUpdate {
	now := time.Now()
	there := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return then.Add(t.Sub(now))
	}
	since := h.breaker.openSince()
	l.mu.Lock()
	defer l.mu.Unlock()
	h.shared.queued, h.shared.writing = false, true
	n := hostUpdate{open: !h.configured, rate: h.rate(), spent: h.shared.spent,
		kind: h.lastErrKind, err: h.lastErr, errAt: there(h.lastErrAt), wait: there(h.waitUntil)}
	if !since.Equal(h.shared.publishedOpen) || h.shared.recovered {
		n.breaker = true
		if !since.IsZero() {
			n.since, n.until = there(since), there(since.Add(openFor))
		}
	}
	h.shared.spent, h.shared.publishedOpen, h.shared.recovered = 0, since, false
	return n
}

// rate is the bucket's rate; zero: not limited.
func (h *hostLimiter) rate() Rate {
	limit := h.bucket.Limit()
	if limit == rate.Inf {
		return Rate{}
	}
	return Rate{PerSecond: float64(limit), Burst: h.bucket.Burst()}
}

// MergeHosts merges two lists, sorted by name. For a host in both, the worse
// state holds: fewer tokens, the longer wait, the open circuit, the later
// error. Rates are those of live, which knows the settings.
func MergeHosts(live, kept []HostState) []HostState {
	out := slices.Clone(live)
	at := map[string]int{}
	for i, s := range out {
		at[s.Host] = i
	}
	for _, k := range kept {
		i, both := at[k.Host]
		if !both {
			out = append(out, k)
			continue
		}
		s := &out[i]
		if k.Rate.PerSecond > 0 && s.Rate.PerSecond > 0 {
			s.Tokens = min(s.Tokens, k.Tokens)
		}
		if s.Breaker == circuitClosed {
			s.Breaker, s.BrokenUntil = k.Breaker, k.BrokenUntil
		}
		if k.LastErrorAt.After(s.LastErrorAt) {
			s.LastError, s.LastErrorKind, s.LastErrorAt = k.LastError, k.LastErrorKind, k.LastErrorAt
		}
		if k.WaitUntil.After(s.WaitUntil) {
			s.WaitUntil = k.WaitUntil
		}
		s.Spent = max(s.Spent, k.Spent)
	}
	slices.SortFunc(out, func(a, b HostState) int { return strings.Compare(a.Host, b.Host) })
	return out
}
