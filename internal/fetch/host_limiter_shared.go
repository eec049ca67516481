package fetch

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// What a breaker is called on a status page.
const (
	circuitClosed   = "closed"
	circuitOpen     = "open"
	circuitHalfOpen = "half-open"
)

// sharing is what a gate has to do with the other processes of the data folder,
// which meet in the cache's file: each writes there what it learns of a host and
// reads what others did before it asks. A refusal that one process was given so
// holds for all, and all spend from one bucket. Writes happen in the
// background, so that two processes that ask within the same milliseconds may
// spend the same token; the debt is paid by whoever asks next.
//
// Guarded by gates.mu.
type sharedState struct {
	queued  bool // a write waits
	writing bool // a write is under way
	writes  int  // that have ended
	spent   int  // tokens that no write has taken along

	publishedOpen time.Time // since when the breaker is open, as it was last written
	recovered     bool      // the host answered although others had found it broken

	openSince, openUntil time.Time // others' breaker is open
	lastWait             time.Time // the latest wish to be left alone that was read, in the cache's time
}

// learn reads what others know of the host. It takes next to no time and fails
// silently: then the process knows what it knows itself.
func (g *limiters) loadShared(ctx context.Context, it *hostLimiter) {
	cache := g.cache()
	if cache == nil {
		return
	}
	g.mu.Lock()
	busy, writes := it.shared.writing, it.shared.writes
	g.mu.Unlock()
	row, ok := cache.host(ctx, it.key)
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
	g.mu.Lock()
	defer g.mu.Unlock()
	it.shared.openSince, it.shared.openUntil = here(row.since), here(row.until)
	if it.shared.openUntil.After(now.Add(openFor)) { // of a clock that was set back
		it.shared.openSince, it.shared.openUntil = time.Time{}, time.Time{}
	}
	// A wish counts once: by a clock of the cache that stands still it would never end.
	if until := here(row.wait); row.wait.After(it.shared.lastWait) && until.After(it.waitUntil) && !until.After(now.Add(maxBackoff)) {
		it.waitUntil = until
	}
	it.shared.lastWait = row.wait
	if at := here(row.errAt); at.After(it.lastErrAt) && !at.After(now) {
		it.lastErr, it.lastErrKind, it.lastErrAt = row.err, row.kind, at
	}
	limit := it.bucket.Limit()
	if limit == rate.Inf || !it.configured || busy || it.shared.writing || writes != it.shared.writes {
		return // which of our own tokens the row knows of cannot be said
	}
	left := row.tokensAt(then, Rate{PerSecond: float64(limit), Burst: it.bucket.Burst()}) - float64(it.shared.spent)
	drain(it.bucket, now, it.bucket.TokensAt(now)-left)
}

// drain takes x tokens out of the bucket, whole or not.
func drain(l *rate.Limiter, now time.Time, x float64) {
	const nothing = 1e-3 // what two clocks differ by
	if x < nothing {
		return
	}
	l.ReserveN(now, 0) // brings the bucket to now
	whole, part := math.Modf(x)
	for n := int(whole); n > 0; {
		k := min(n, l.Burst())
		l.ReserveN(now, k)
		n -= k
	}
	if part > 0 {
		// One token, taken so long ago that by now the rest of it is back.
		ago := time.Duration((1 - part) / float64(l.Limit()) * float64(time.Second))
		l.ReserveN(now.Add(-ago), 1)
	}
}

// broken is the error of a host that others found broken.
func (g *limiters) checkSharedCircuit(it *hostLimiter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if it.shared.openUntil.After(time.Now()) {
		return &Error{Kind: CircuitOpen, Detail: openDetail(it.shared.openSince, it.shared.openUntil)}
	}
	return nil
}

// reserve takes a token, which giveBack returns when no request is made.
func (g *limiters) reserve(it *hostLimiter) (token *rate.Reservation, giveBack func()) {
	token = it.bucket.Reserve()
	g.countToken(it, 1)
	return token, func() {
		g.countToken(it, -1) // first: learn must not take the bucket for too full
		token.Cancel()
	}
}

func (g *limiters) countToken(it *hostLimiter, n int) {
	g.mu.Lock()
	it.shared.spent += n
	g.mu.Unlock()
	g.publish(it, false)
}

// ended notes how a request went, and tells others if they should know.
func (g *limiters) recordOutcome(it *hostLimiter, e *Error, good bool) {
	since := it.breaker.openSince()
	g.mu.Lock()
	it.users--
	if e != nil && e.Kind != Closed {
		it.lastErr, it.lastErrKind, it.lastErrAt = e.text(), e.Kind, time.Now()
	}
	if good && !it.shared.openSince.IsZero() {
		it.shared.openSince, it.shared.openUntil, it.shared.recovered = time.Time{}, time.Time{}, true
	}
	news := e != nil && e.Kind != Closed || !since.Equal(it.shared.publishedOpen) || it.shared.recovered
	g.mu.Unlock()
	if news {
		g.publish(it, true)
	}
}

// tell has what this process knows of the host written; many calls at once are
// one write. Of a host behind the open door others learn only what matters: its
// failures and wishes.
func (g *limiters) publish(it *hostLimiter, matters bool) {
	cache := g.cache()
	if cache == nil {
		return
	}
	g.mu.Lock()
	if it.shared.queued || !it.configured && !matters {
		g.mu.Unlock()
		return
	}
	it.shared.queued = true
	g.mu.Unlock()
	var taken hostUpdate
	took := false
	queued := cache.queueHostUpdate(it.key, func() hostUpdate {
		took = true
		taken = g.takeUpdate(it, cache.now())
		return taken
	}, func(written bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		switch {
		case !took:
			it.shared.queued = false
		case !written:
			it.shared.spent += taken.spent
			fallthrough
		default:
			it.shared.writing = false
			it.shared.writes++
		}
	})
	if !queued {
		g.mu.Lock()
		it.shared.queued = false
		g.mu.Unlock()
	}
}

// news is what is to be written now, in the cache's time.
func (g *limiters) takeUpdate(it *hostLimiter, then time.Time) hostUpdate {
	now := time.Now()
	there := func(t time.Time) time.Time {
		if t.IsZero() {
			return t
		}
		return then.Add(t.Sub(now))
	}
	since := it.breaker.openSince()
	g.mu.Lock()
	defer g.mu.Unlock()
	it.shared.queued, it.shared.writing = false, true
	n := hostUpdate{open: !it.configured, rate: it.rate(), spent: it.shared.spent,
		kind: it.lastErrKind, err: it.lastErr, errAt: there(it.lastErrAt), wait: there(it.waitUntil)}
	if !since.Equal(it.shared.publishedOpen) || it.shared.recovered {
		n.breaker = true
		if !since.IsZero() {
			n.since, n.until = there(since), there(since.Add(openFor))
		}
	}
	it.shared.spent, it.shared.publishedOpen, it.shared.recovered = 0, since, false
	return n
}

// rate is the bucket's; zero: not limited.
func (it *hostLimiter) rate() Rate {
	limit := it.bucket.Limit()
	if limit == rate.Inf {
		return Rate{}
	}
	return Rate{PerSecond: float64(limit), Burst: it.bucket.Burst()}
}

// MergeHosts are the hosts of both lists, sorted by name. Of a host in both, the
// worse holds: what is left is the smaller number, a wait the longer one, a
// breaker the one that is open; of errors it is the later one. The limits are
// those of live, which knows the settings.
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
