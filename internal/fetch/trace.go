package fetch

import (
	"context"
	"sync"
	"time"
)

// Trace counts what the requests of one context cost. It is safe for concurrent
// use. A caller that wants to say "answered from the cache" asks whether there
// were cached answers and no requests.
type Trace struct {
	mu         sync.Mutex
	counts     TraceCounts
	invalidate []func() // each takes one answer out of the cache
}

// TraceCounts are a Trace's sums.
type TraceCounts struct {
	Requests int           // on the wire: each redirect, retry and robots.txt too; one that two callers shared counts for both
	Cached   int           // answers whose body came from the cache; after a request when the host confirmed it
	Stale    int           // of these, the ones past their lifetime, as the host could not be asked
	Oldest   time.Duration // the greatest Age of a cached answer
}

type traceKey struct{}

// WithTrace makes the requests under the returned context count into the Trace.
// A Trace within a Trace counts alone.
func WithTrace(ctx context.Context) (context.Context, *Trace) {
	t := &Trace{}
	return context.WithValue(ctx, traceKey{}, t), t
}

// Counts are the sums so far.
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

// Forget takes the answers so far out of the cache: for a caller to whom they
// were of no use, such as an error that came with a good status.
func (t *Trace) Invalidate() {
	t.mu.Lock()
	kept := t.invalidate
	t.invalidate = nil
	t.mu.Unlock()
	for _, drop := range kept {
		drop()
	}
}

func (t *Trace) addResponse(r Response, d *Client, a checkedRequest) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if a.lifetime > 0 && d.network.cache() != nil {
		t.invalidate = append(t.invalidate, func() { d.network.cache().drop(a.key) })
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
