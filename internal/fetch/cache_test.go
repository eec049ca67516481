package fetch

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// flush waits until all pending writes are done.
func (c *Cache) flush() {
	done := make(chan struct{})
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return
	}
	c.ops <- func(context.Context) { close(done) }
	c.mu.Unlock()
	<-done
}

// ticker is a clock that a test moves.
type ticker struct {
	mu sync.Mutex
	at time.Time
}

func newTicker() *ticker { return &ticker{at: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *ticker) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *ticker) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// cached is a client with a cache and a server that counts.
type cached struct {
	clock  *ticker
	cache  *Cache
	path   string
	client *Client
	base   string
	calls  atomic.Int64
}

func openCache(t *testing.T, path string, cfg CacheConfig) *Cache {
	t.Helper()
	c, err := OpenCache(t.Context(), path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func newCached(t *testing.T, lifetime time.Duration, h http.HandlerFunc) *cached {
	t.Helper()
	x := &cached{clock: newTicker(), path: filepath.Join(t.TempDir(), "cache.db")}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.calls.Add(1)
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	x.base = srv.URL
	x.cache = openCache(t, x.path, CacheConfig{Now: x.clock.now})
	n := New(Config{Contact: "ops@example.org", Cache: x.cache, Now: x.clock.now})
	t.Cleanup(func() { n.Close() })
	client, err := n.ForHost(srv.URL, Rate{})
	if err != nil {
		t.Fatal(err)
	}
	x.client = client.WithCache(lifetime)
	return x
}

func (x *cached) get(t *testing.T, path string) Response {
	t.Helper()
	r, err := x.client.Get(t.Context(), Request{URL: x.base + path})
	if err != nil {
		t.Fatalf("Get(%s): %v", path, err)
	}
	return r
}

func TestSecondEqualRequestIsCached(t *testing.T) {
	t.Parallel()
	x := newCached(t, time.Hour, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/page", http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("ETag", `"1"`)
		io.WriteString(w, "hello")
	})
	ctx, trace := WithTrace(t.Context())
	first, err := x.client.Get(ctx, Request{URL: x.base + "/moved"})
	if err != nil {
		t.Fatal(err)
	}
	x.clock.add(10 * time.Minute)
	for _, flushed := range []bool{false, true} { // once from what waits to be written, once from the file
		if flushed {
			x.cache.flush()
		}
		second, err := x.client.Get(ctx, Request{URL: x.base + "/moved"})
		if err != nil {
			t.Fatal(err)
		}
		want := first
		want.Cached, want.Age = true, 10*time.Minute
		if diff := cmp.Diff(want, second); diff != "" {
			t.Errorf("from the file %v (-want +got):\n%s", flushed, diff)
		}
		second.Body[0] = 'X' // a caller's own copy
	}
	if n := x.calls.Load(); n != 2 {
		t.Errorf("%d requests, want 2: the redirect and the page", n)
	}
	if diff := cmp.Diff(TraceCounts{Requests: 2, Cached: 2, Oldest: 10 * time.Minute}, trace.Counts()); diff != "" {
		t.Errorf("trace (-want +got):\n%s", diff)
	}
	if _, err := x.client.Get(ctx, Request{URL: x.base + "/moved", Accept: "text/html"}); err != nil || x.calls.Load() != 4 {
		t.Errorf("another Accept: %v after %d requests, want one of its own", err, x.calls.Load())
	}
	s, err := x.cache.Stats(t.Context())
	if err != nil || s.Entries == 0 || s.Hits != 2 || s.Misses != 2 {
		t.Errorf("Stats = %+v, %v", s, err)
	}
}

func TestExpiredResponseIsRevalidated(t *testing.T) {
	t.Parallel()
	body := atomic.Value{}
	body.Store("one")
	var asked []string
	x := newCached(t, time.Hour, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("If-None-Match")+"|"+r.Header.Get("If-Modified-Since"))
		tag := `"` + body.Load().(string) + `"`
		w.Header().Set("ETag", tag)
		w.Header().Set("Last-Modified", "Sun, 22 Nov 2026 11:00:00 GMT")
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		io.WriteString(w, body.Load().(string))
	})
	start := x.clock.now()
	x.get(t, "/")
	x.clock.add(2 * time.Hour)
	if r := x.get(t, "/"); string(r.Body) != "one" || !r.Cached || r.Stale || r.Age != 0 || !r.Retrieved.Equal(start) {
		t.Errorf("confirmed = %+v, want the old body with its old time", r)
	}
	x.clock.add(30 * time.Minute)
	if r := x.get(t, "/"); r.Age != 30*time.Minute {
		t.Errorf("after the confirmation: %+v", r)
	}
	body.Store("two")
	x.clock.add(time.Hour)
	if r := x.get(t, "/"); string(r.Body) != "two" || r.Cached || !r.Retrieved.Equal(x.clock.now()) {
		t.Errorf("changed = %+v, want the new body", r)
	}
	x.cache.flush()
	if r := x.get(t, "/"); string(r.Body) != "two" || !r.Cached {
		t.Errorf("kept = %+v, want the new body", r)
	}
	old := `"one"|Sun, 22 Nov 2026 11:00:00 GMT`
	if diff := cmp.Diff([]string{"|", old, old}, asked); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}

func TestHostShortensTheLifetime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, control, vary string
		after               time.Duration
		calls               int64
	}{
		{"nothing said", "", "", 59 * time.Minute, 1},
		{"no-store", "no-store", "", 0, 2},
		{"no-store among others", "private, No-Store , max-age=60", "", 0, 2},
		{"no-cache", "no-cache", "", 0, 2},
		{"private is for us", "private", "", 59 * time.Minute, 1},
		{"shorter", "max-age=60", "", 61 * time.Second, 2},
		{"shorter, not yet", "max-age=60", "", 59 * time.Second, 1},
		{"longer does not lengthen", "max-age=86400", "", 61 * time.Minute, 2},
		{"unreadable", "max-age=soon", "", 0, 2},
		{"varies with everything", "", "*", 0, 2},
		{"varies with what is in the key", "", "Accept", 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newCached(t, time.Hour, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cache-Control", c.control)
				w.Header().Set("Vary", c.vary)
			})
			x.get(t, "/")
			x.clock.add(c.after)
			x.get(t, "/")
			if got := x.calls.Load(); got != c.calls {
				t.Errorf("%d requests, want %d", got, c.calls)
			}
		})
	}
	t.Run("a client without a lifetime", func(t *testing.T) {
		t.Parallel()
		x := newCached(t, 0, func(http.ResponseWriter, *http.Request) {})
		x.get(t, "/")
		x.get(t, "/")
		x.cache.flush()
		if s, err := x.cache.Stats(t.Context()); err != nil || s.Entries != 0 || x.calls.Load() != 2 {
			t.Errorf("%d requests, %+v, %v, want 2 and nothing kept", x.calls.Load(), s, err)
		}
	})
}

func TestStaleResponseReplacesAFailure(t *testing.T) {
	t.Parallel()
	fail := map[string]func(w http.ResponseWriter, r *http.Request){
		"500":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"429":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) },
		"lost":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"out of time": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	}
	for name, h := range fail {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var bad atomic.Bool
			x := newCached(t, time.Hour, func(w http.ResponseWriter, r *http.Request) {
				if bad.Load() {
					h(w, r)
					return
				}
				io.WriteString(w, "old")
			})
			x.get(t, "/")
			bad.Store(true)
			x.clock.add(6 * 24 * time.Hour)
			ctx, trace := WithTrace(t.Context())
			budget := time.Minute
			if name == "out of time" {
				budget = 30 * time.Millisecond
			}
			r, err := x.client.Get(ctx, Request{URL: x.base + "/", Budget: NewBudget(budget)})
			if err != nil || string(r.Body) != "old" || !r.Stale || !r.Cached || r.Age != 6*24*time.Hour {
				t.Fatalf("Get = %+v, %v, want the stale answer", r, err)
			}
			if n := trace.Counts(); n.Stale != 1 || n.Requests == 0 || n.Oldest != r.Age {
				t.Errorf("trace = %+v", n)
			}
			x.clock.add(25 * time.Hour)
			if _, err := x.client.Get(t.Context(), Request{URL: x.base + "/", Budget: NewBudget(budget)}); err == nil {
				t.Error("after more than seven days: no error")
			}
		})
	}
	t.Run("not for what is gone", func(t *testing.T) {
		t.Parallel()
		var gone atomic.Int64
		x := newCached(t, time.Hour, func(w http.ResponseWriter, _ *http.Request) {
			if code := gone.Load(); code != 0 {
				w.WriteHeader(int(code))
			}
		})
		x.get(t, "/")
		x.clock.add(2 * time.Hour)
		for _, code := range []int64{404, 500} { // the 404 removes it, so the 500 finds nothing
			gone.Store(code)
			if r, err := x.client.Get(t.Context(), Request{URL: x.base + "/"}); err == nil {
				t.Errorf("%d: Get = %+v, want an error", code, r)
			}
		}
	})
}

func TestCacheIsSharedByHandles(t *testing.T) {
	t.Parallel()
	x := newCached(t, time.Hour, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	x.get(t, "/")
	x.cache.flush()
	other := openCache(t, x.path, CacheConfig{Now: x.clock.now})
	n := New(Config{Cache: other, Now: x.clock.now})
	defer n.Close()
	client, err := n.ForHost(x.base, Rate{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.WithCache(time.Hour).Get(t.Context(), Request{URL: x.base + "/"})
	if err != nil || !r.Cached || string(r.Body) != "hello" || x.calls.Load() != 1 {
		t.Errorf("Get = %+v, %v after %d requests, want the other's answer", r, err, x.calls.Load())
	}
}

// TestPublicClientDoesNotReadResponsesOfHostClients asks for an internal
// name whose response a host client has stored.
func TestPublicClientDoesNotReadResponsesOfHostClients(t *testing.T) {
	t.Parallel()
	x := newCached(t, time.Hour, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "inner secret") })
	x.get(t, "/")
	x.client.network.cfg.PublicPorts = []uint16{80}
	open := x.client.network.newClient(x.client.network.publicTransport, &publicPolicy{ports: allPorts(x.base)}).WithCache(time.Hour)
	if r, err := open.Get(t.Context(), Request{URL: x.base + "/"}); !IsKind(err, Refused) {
		t.Errorf("Get = %q, %v, want refused", r.Body, err)
	}
}

func allPorts(base string) []uint16 {
	var port uint16
	fmt.Sscanf(base[strings.LastIndex(base, ":"):], ":%d", &port)
	return []uint16{port}
}

func TestStaleResponseWhileTheCircuitIsOpen(t *testing.T) {
	t.Parallel()
	var bad atomic.Bool
	x := newCached(t, time.Hour, func(w http.ResponseWriter, _ *http.Request) {
		if bad.Load() {
			w.WriteHeader(500)
		}
	})
	x.get(t, "/")
	bad.Store(true)
	x.clock.add(2 * time.Hour)
	for range failuresToOpen + 3 {
		if r := x.get(t, "/"); !r.Stale {
			t.Errorf("Get = %+v, want the stale answer", r)
		}
	}
	if n := x.calls.Load(); n != 1+failuresToOpen {
		t.Errorf("%d requests, want none while the breaker is open", n)
	}
	if _, err := x.client.Get(t.Context(), Request{URL: x.base + "/other"}); !IsKind(err, CircuitOpen) {
		t.Errorf("without an old answer: %v, want broken", err)
	}
}
