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
	// A wish counts once: by a clock of the cache that stands still it would never end.
	if until := here(row.wait); row.wait.After(h.shared.lastWait) && until.After(h.waitUntil) && !until.After(now.Add(maxBackoff)) {
		h.waitUntil = until
	}
	h.shared.lastWait = row.wait
	if at := here(row.errAt); at.After(h.lastErrAt) && !at.After(now) {
		h.lastErr, h.lastErrKind, h.lastErrAt = row.err, row.kind, at
	}
	limit := h.bucket.Limit()
	if limit == rate.Inf || !h.configured || busy || h.shared.writing || writes != h.shared.writes {
		return // which of our own tokens the row knows of cannot be said
	}
	left := row.tokensAt(then, Rate{PerSecond: float64(limit), Burst: h.bucket.Burst()}) - float64(h.shared.spent)
	drain(h.bucket, now, h.bucket.TokensAt(now)-left)
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
func (l *limiters) checkSharedCircuit(h *hostLimiter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.shared.openUntil.After(time.Now()) {
		return &Error{Kind: CircuitOpen, Detail: openDetail(h.shared.openSince, h.shared.openUntil)}
	}
	return nil
}

// reserve takes a token, which giveBack returns when no request is made.
func (l *limiters) reserve(h *hostLimiter) (token *rate.Reservation, giveBack func()) {
	token = h.bucket.Reserve()
	l.countToken(h, 1)
	return token, func() {
		l.countToken(h, -1) // first: learn must not take the bucket for too full
		token.Cancel()
	}
}

func (l *limiters) countToken(h *hostLimiter, n int) {
	l.mu.Lock()
	h.shared.spent += n
	l.mu.Unlock()
	l.publish(h, false)
}

// ended notes how a request went, and tells others if they should know.
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

// tell has what this process knows of the host written; many calls at once are
// one write. Of a host behind the open door others learn only what matters: its
// failures and wishes.
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

// news is what is to be written now, in the cache's time.
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

// rate is the bucket's; zero: not limited.
func (h *hostLimiter) rate() Rate {
	limit := h.bucket.Limit()
	if limit == rate.Inf {
		return Rate{}
	}
	return Rate{PerSecond: float64(limit), Burst: h.bucket.Burst()}
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
