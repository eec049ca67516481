package fetch

import (
	"context"
	"sync"
	"time"
)

// Trace counts the requests of one context. It is safe for concurrent use. With
// cached responses and no requests, an answer came from the cache alone.
type Trace struct {
	mu         sync.Mutex
	counts     TraceCounts
	invalidate []func() // each removes one response from the cache
}

// TraceCounts are a Trace's sums.
type TraceCounts struct {
	Requests int           // sent, with redirects, retries and robots.txt; a coalesced one counts for each caller
	Cached   int           // responses whose body came from the cache, revalidated ones too
	Stale    int           // of these, those past their lifetime, because the host could not be asked
	Oldest   time.Duration // the greatest Age of a cached response
}

type traceKey struct{}

// WithTrace returns a context whose requests are counted by the returned Trace.
// A Trace inside another one counts alone.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	t := &Trace{}
	return context.WithValue(ctx, traceKey{}, t), t
}

// Counts returns the sums so far.
func (t *Trace) Counts() TraceCounts {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

func traceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

func (t *Trace) addRequests(n int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts.Requests += n
}

// Invalidate removes the responses so far from the cache. Use it when they
// turned out to be useless, such as errors with a good status.
func (t *Trace) Invalidate() {
	t.mu.Lock()
	kept := t.invalidate
	t.invalidate = nil
	t.mu.Unlock()
	for _, drop := range kept {
		drop()
	}
}

func (t *Trace) addResponse(r Response, c *Client, cr checkedRequest) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if cr.lifetime > 0 && c.network.cache() != nil {
		t.invalidate = append(t.invalidate, func() { c.network.cache().drop(cr.key) })
	}
	if !r.Cached {
		return
	}
	t.counts.Cached++
	if r.Stale {
		t.counts.Stale++
	}
	t.counts.Oldest = max(t.counts.Oldest, r.Age)
}
