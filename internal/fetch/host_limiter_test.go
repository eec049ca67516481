package fetch

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// processes are clients on one cache file, each with a handle of its own, and a
// server that counts.
type processes struct {
	clock *ticker
	path  string
	base  string
	rate  Rate
	calls atomic.Int64
	h     atomic.Pointer[http.HandlerFunc]
}

// process is one of them.
type process struct {
	cache  *Cache
	client *Network
	http   *Client
}

func newProcesses(t *testing.T, r Rate, h http.HandlerFunc) *processes {
	t.Helper()
	x := &processes{clock: newTicker(), path: filepath.Join(t.TempDir(), "cache.db"), rate: r}
	x.h.Store(&h)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.calls.Add(1)
		(*x.h.Load())(w, r)
	}))
	t.Cleanup(srv.Close)
	x.base = srv.URL
	return x
}

func (x *processes) start(t *testing.T) *process {
	t.Helper()
	p := &process{cache: openCache(t, x.path, CacheConfig{Now: x.clock.now})}
	p.client = New(Config{Contact: "ops@example.org", Cache: p.cache, Now: x.clock.now})
	t.Cleanup(func() { p.client.Close() })
	var err error
	if p.http, err = p.client.ForHost(x.base, x.rate); err != nil {
		t.Fatal(err)
	}
	return p
}

// stop ends requests in progress and writes what is pending.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := errors.Join(p.client.Close(), p.cache.Close()); err != nil {
		t.Fatal(err)
	}
}

// get requests with a deadline that is far for a response and near for a queue.
func (x *processes) get(t *testing.T, p *process) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := p.http.Get(ctx, Request{URL: x.base})
	return err
}

// kept is the one host as it is in the file.
func (x *processes) kept(t *testing.T) HostState {
	t.Helper()
	got, err := ReadHosts(t.Context(), x.path, x.clock.now())
	if err != nil || len(got) != 1 {
		t.Fatalf("ReadHosts = %+v, %v, want one host", got, err)
	}
	return got[0]
}

func busy(seconds string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", seconds)
		w.WriteHeader(http.StatusTooManyRequests)
	}
}

func fine(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }

func (x *processes) serve(h http.HandlerFunc) { x.h.Store(&h) }

func TestRetryAfterHoldsForOtherProcesses(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(t *testing.T, x *processes, p *process){
		"header": func(t *testing.T, x *processes, p *process) {
			x.serve(busy("60"))
			if err := x.get(t, p); !IsKind(err, Throttled) {
				t.Fatalf("err = %v, want throttled", err)
			}
			x.serve(fine)
		},
		"backoff inside of a good answer": func(t *testing.T, x *processes, p *process) {
			if err := x.get(t, p); err != nil {
				t.Fatal(err)
			}
			p.http.Backoff(time.Minute)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newProcesses(t, Rate{}, fine)
			early, first := x.start(t), x.start(t)
			if err := x.get(t, early); err != nil { // it has asked before, and knows of nothing
				t.Fatal(err)
			}
			refuse(t, x, first)
			first.cache.flush()
			asked := x.calls.Load()
			for _, p := range []*process{early, x.start(t)} {
				var e *Error
				if err := x.get(t, p); !errors.As(err, &e) || e.Kind != Throttled || e.RetryAfter < 45*time.Second || e.RetryAfter > time.Minute {
					t.Errorf("err = %v, want throttled for a minute", err)
				}
			}
			if n := x.calls.Load(); n != asked {
				t.Errorf("%d requests reached the host during its backoff", n-asked)
			}
			if got, want := x.kept(t).WaitUntil, x.clock.now().Add(time.Minute); got.Sub(want).Abs() > 10*time.Second {
				t.Errorf("WaitUntil = %s, want about %s", got, want)
			}
			x.clock.add(61 * time.Second)
			if err := x.get(t, x.start(t)); err != nil {
				t.Errorf("after the minute: %v", err)
			}
			if got := x.kept(t).WaitUntil; !got.IsZero() {
				t.Errorf("WaitUntil = %s after that time", got)
			}
		})
	}
}

func TestBucketIsShared(t *testing.T) {
	t.Parallel()
	x := newProcesses(t, Rate{PerSecond: 0.01, Burst: 3}, fine)
	for i := range 3 { // three short runs
		p := x.start(t)
		if err := x.get(t, p); err != nil {
			t.Fatalf("run %d: %v", i, err)
		}
		p.stop(t)
	}
	if got := x.kept(t); math.Abs(got.Tokens) > 0.1 || got.Spent != 3 || got.Rate != x.rate {
		t.Errorf("kept = %+v, want nothing left and 3 spent", got)
	}
	fourth := x.start(t)
	if err := x.get(t, fourth); !IsKind(err, Throttled) || err == nil || !strings.Contains(err.Error(), noTimeForQueue) {
		t.Errorf("err = %v, want that the rate leaves no time", err)
	}
	fourth.stop(t)
	if got := x.kept(t); got.Spent != 3 || math.Abs(got.Tokens) > 0.1 || x.calls.Load() != 3 {
		t.Errorf("after a request that was not made: %+v, %d calls", got, x.calls.Load())
	}
	x.clock.add(101 * time.Second)
	fifth := x.start(t)
	if err := x.get(t, fifth); err != nil {
		t.Errorf("with one token more: %v", err)
	}
	fifth.stop(t)
	sixth := x.start(t)
	if err := x.get(t, sixth); !IsKind(err, Throttled) {
		t.Errorf("err = %v, want throttled: that token is spent", err)
	}
	sixth.stop(t)
	x.clock.add(24 * time.Hour)
	if got := x.kept(t); got.Tokens != 3 || got.Spent != 0 {
		t.Errorf("a day later: %+v, want a full bucket and nothing spent", got)
	}
}

// Tokens that are not written yet count, pending or after a failed write.
func TestUnwrittenTokensCount(t *testing.T) {
	t.Parallel()
	r := Rate{PerSecond: 0.001, Burst: 5}
	c := openCache(t, filepath.Join(t.TempDir(), "cache.db"), CacheConfig{})
	l := newLimiters()
	l.cache = func() *Cache { return c }
	l.configure("h:80", r)
	h := l.byHost["h:80"]
	spent := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return h.shared.spent
	}
	write := func(n int) { // by another process
		if err := writeHost(t.Context(), c.db, "h:80", hostUpdate{rate: r, spent: n}, time.Now(), 0); err != nil {
			t.Fatal(err)
		}
	}
	write(1)
	c.writing.Lock() // nothing is written
	l.reserve(h)
	l.loadShared(t.Context(), h)
	c.writing.Unlock()
	if got := h.bucket.Tokens(); math.Abs(got-3) > 0.1 {
		t.Errorf("%g tokens, want 3: one was spent here and one by others", got)
	}
	c.flush()
	if n := spent(); n != 0 {
		t.Errorf("%d tokens are still to be written", n)
	}
	if _, err := c.db.Exec("ALTER TABLE hosts RENAME TO elsewhere"); err != nil {
		t.Fatal(err)
	}
	l.reserve(h)
	c.flush()
	if n := spent(); n != 1 {
		t.Errorf("%d tokens are to be written after a write that failed, want 1", n)
	}
	if _, err := c.db.Exec("ALTER TABLE elsewhere RENAME TO hosts"); err != nil {
		t.Fatal(err)
	}
	l.reserve(h)
	c.flush()
	got, err := c.Hosts(t.Context())
	if err != nil || len(got) != 1 || math.Abs(got[0].Tokens-1) > 0.1 || got[0].Spent != 4 {
		t.Errorf("Hosts = %+v, %v, want one token left of five", got, err)
	}
}

// Waiting requests of all processes are one queue.
func TestProcessesShareOneQueue(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache.db")
	synctest.Test(t, func(t *testing.T) {
		r := Rate{PerSecond: 1.0 / 3, Burst: 1}
		open := func() (*limiters, *Cache) {
			c, err := OpenCache(t.Context(), path, CacheConfig{})
			if err != nil {
				t.Fatal(err)
			}
			l := newLimiters()
			l.cache = func() *Cache { return c }
			l.configure("h:80", r)
			return l, c
		}
		start := time.Now()
		var after []time.Duration
		g1, c1 := open()
		g2, c2 := open()
		for i := range 6 {
			l, c := g1, c1
			if i%2 == 1 {
				l, c = g2, c2
			}
			p, err := l.acquire(t.Context(), "h:80", r, nil)
			if err != nil {
				t.Fatal(err)
			}
			after = append(after, time.Since(start).Round(time.Second))
			p.release(nil)
			c.flush()
		}
		want := []time.Duration{0, 3 * time.Second, 6 * time.Second, 9 * time.Second, 12 * time.Second, 15 * time.Second}
		if diff := cmp.Diff(want, after); diff != "" {
			t.Errorf("requests began after (-want +got):\n%s", diff)
		}
		if err := errors.Join(c1.Close(), c2.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestOpenCircuitHoldsForOtherProcesses(t *testing.T) {
	t.Parallel()
	x := newProcesses(t, Rate{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	first := x.start(t)
	for range failuresToOpen {
		if err := x.get(t, first); !IsKind(err, Server) {
			t.Fatalf("err = %v, want a server error", err)
		}
	}
	first.cache.flush()
	x.serve(fine)
	second := x.start(t)
	if err := x.get(t, second); !IsKind(err, CircuitOpen) || !strings.Contains(err.Error(), "has failed 8 times in a row") {
		t.Errorf("err = %v, want broken", err)
	}
	live := second.client.Hosts()[0]
	if k := x.kept(t); k.Breaker != "open" || k.BrokenUntil.Before(x.clock.now()) || live.Breaker != "open" || live.LastError != "server error (500)" || k.LastErrorKind != Server {
		t.Errorf("kept %+v, live %+v, want open with the error", k, live)
	}
	if n := x.calls.Load(); n != failuresToOpen {
		t.Errorf("%d requests, want %d", n, failuresToOpen)
	}
	x.clock.add(openFor + 5*time.Second)
	if k := x.kept(t); k.Breaker != "half-open" {
		t.Errorf("later: %+v, want half-open", k)
	}
	third := x.start(t)
	if err := x.get(t, third); err != nil {
		t.Fatalf("the probe: %v", err)
	}
	third.cache.flush()
	if k := x.kept(t); k.Breaker != "closed" || k.LastError == "" || k.LastErrorAt.IsZero() {
		t.Errorf("after the probe: %+v, want closed, with the last error", k)
	}
}

func TestPublicHosts(t *testing.T) {
	t.Parallel()
	x := newProcesses(t, Rate{}, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/robots") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		fine(w, r)
	})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*x.h.Load())(w, r) }))
	t.Cleanup(srv.Close)
	p := x.start(t)
	page := openTo(t, Config{Contact: "ops@example.org", Cache: p.cache, Now: x.clock.now}, srv).ForPublic()
	hosts := func() int {
		p.cache.flush()
		got, err := p.cache.Hosts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(got)
	}
	ask := func(path string) error {
		_, err := page.Get(t.Context(), Request{URL: srv.URL + path})
		return err
	}
	if err := ask("/good"); err != nil {
		t.Fatal(err)
	}
	if n := hosts(); n != 0 { // a missing robots.txt is no failure to tell of
		t.Errorf("%d hosts kept after a good answer, want none", n)
	}
	if err := x.get(t, p); err != nil {
		t.Fatal(err)
	}
	x.serve(busy("60"))
	if err := ask("/busy"); !IsKind(err, Throttled) {
		t.Fatalf("err = %v, want throttled", err)
	}
	if n := hosts(); n != 2 {
		t.Errorf("%d hosts kept, want the configured one and the one that refused", n)
	}
	if err := p.cache.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := x.kept(t); "http://"+got.Host != x.base || got.Spent != 1 {
		t.Errorf("after Clear: %+v, want the configured host alone", got)
	}
	if name := strings.TrimPrefix(srv.URL, "http://"); len(holding(t, filepath.Dir(x.path), name)) > 0 {
		t.Errorf("after Clear the file still names %s", name)
	}
}
