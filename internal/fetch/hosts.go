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
	breakerClosed   = "closed"
	breakerOpen     = "open"
	breakerHalfOpen = "half-open"
)

// sharing is what a gate has to do with the other processes of the data folder,
// which meet in the cache's file: each writes there what it learns of a host and
// reads what others did before it asks. A refusal that one process was given so
// holds for all, and all spend from one bucket. Writes happen in the
// background, so that two processes that ask within the same milliseconds may
// spend the same token; the debt is paid by whoever asks next.
//
// Guarded by gates.mu.
type sharing struct {
	queued  bool // a write waits
	writing bool // a write is under way
	writes  int  // that have ended
	spent   int  // tokens that no write has taken along

	said   time.Time // since when the breaker is open, as it was last written
	mended bool      // the host answered although others had found it broken

	since, until time.Time // others' breaker is open
	heard        time.Time // the latest wish to be left alone that was read, in the cache's time
}

// learn reads what others know of the host. It takes next to no time and fails
// silently: then the process knows what it knows itself.
func (g *gates) learn(ctx context.Context, it *gate) {
	cache := g.cache()
	if cache == nil {
		return
	}
	g.mu.Lock()
	busy, writes := it.others.writing, it.others.writes
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
	it.others.since, it.others.until = here(row.since), here(row.until)
	if it.others.until.After(now.Add(openFor)) { // of a clock that was set back
		it.others.since, it.others.until = time.Time{}, time.Time{}
	}
	// A wish counts once: by a clock of the cache that stands still it would never end.
	if until := here(row.wait); row.wait.After(it.others.heard) && until.After(it.until) && !until.After(now.Add(longestLeave)) {
		it.until = until
	}
	it.others.heard = row.wait
	if at := here(row.errAt); at.After(it.lastErrAt) && !at.After(now) {
		it.lastErr, it.lastErrKind, it.lastErrAt = row.err, row.kind, at
	}
	limit := it.limiter.Limit()
	if limit == rate.Inf || !it.pinned || busy || it.others.writing || writes != it.others.writes {
		return // which of our own tokens the row knows of cannot be said
	}
	left := row.tokensAt(then, Rate{PerSecond: float64(limit), Burst: it.limiter.Burst()}) - float64(it.others.spent)
	drain(it.limiter, now, it.limiter.TokensAt(now)-left)
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
func (g *gates) broken(it *gate) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if it.others.until.After(time.Now()) {
		return &Error{Kind: Broken, Detail: brokenDetail(it.others.since, it.others.until)}
	}
	return nil
}

// reserve takes a token, which giveBack returns when no request is made.
func (g *gates) reserve(it *gate) (token *rate.Reservation, giveBack func()) {
	token = it.limiter.Reserve()
	g.count(it, 1)
	return token, func() {
		g.count(it, -1) // first: learn must not take the bucket for too full
		token.Cancel()
	}
}

func (g *gates) count(it *gate, n int) {
	g.mu.Lock()
	it.others.spent += n
	g.mu.Unlock()
	g.tell(it, false)
}

// ended notes how a request went, and tells others if they should know.
func (g *gates) ended(it *gate, e *Error, good bool) {
	since := it.breaker.openSince()
	g.mu.Lock()
	it.users--
	if e != nil && e.Kind != Closed {
		it.lastErr, it.lastErrKind, it.lastErrAt = e.text(), e.Kind, time.Now()
	}
	if good && !it.others.since.IsZero() {
		it.others.since, it.others.until, it.others.mended = time.Time{}, time.Time{}, true
	}
	news := e != nil && e.Kind != Closed || !since.Equal(it.others.said) || it.others.mended
	g.mu.Unlock()
	if news {
		g.tell(it, true)
	}
}

// tell has what this process knows of the host written; many calls at once are
// one write. Of a host behind the open door others learn only what matters: its
// failures and wishes.
func (g *gates) tell(it *gate, matters bool) {
	cache := g.cache()
	if cache == nil {
		return
	}
	g.mu.Lock()
	if it.others.queued || !it.pinned && !matters {
		g.mu.Unlock()
		return
	}
	it.others.queued = true
	g.mu.Unlock()
	var taken hostNews
	took := false
	queued := cache.keepHost(it.key, func() hostNews {
		took = true
		taken = g.news(it, cache.now())
		return taken
	}, func(written bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		switch {
		case !took:
			it.others.queued = false
		case !written:
			it.others.spent += taken.spent
			fallthrough
		default:
			it.others.writing = false
			it.others.writes++
		}
	})
	if !queued {
		g.mu.Lock()
		it.others.queued = false
		g.mu.Unlock()
	}
}

// news is what is to be written now, in the cache's time.
func (g *gates) news(it *gate, then time.Time) hostNews {
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
	it.others.queued, it.others.writing = false, true
	n := hostNews{open: !it.pinned, rate: it.rate(), spent: it.others.spent,
		kind: it.lastErrKind, err: it.lastErr, errAt: there(it.lastErrAt), wait: there(it.until)}
	if !since.Equal(it.others.said) || it.others.mended {
		n.breaker = true
		if !since.IsZero() {
			n.since, n.until = there(since), there(since.Add(openFor))
		}
	}
	it.others.spent, it.others.said, it.others.mended = 0, since, false
	return n
}

// rate is the bucket's; zero: not limited.
func (it *gate) rate() Rate {
	limit := it.limiter.Limit()
	if limit == rate.Inf {
		return Rate{}
	}
	return Rate{PerSecond: float64(limit), Burst: it.limiter.Burst()}
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
		if s.Breaker == breakerClosed {
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
