package fetch_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

var testClock = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// serve starts a server and a Network with a Client of it.
func serve(t *testing.T, cfg fetch.Config, h http.HandlerFunc) (*fetch.Network, *fetch.Client, string) {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return testClock }
	}
	n := fetch.New(cfg)
	t.Cleanup(func() { n.Close() })
	client, err := n.ForHost(srv.URL, fetch.Rate{})
	if err != nil {
		t.Fatal(err)
	}
	return n, client, srv.URL
}

func TestRequestSaysWhoWeAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, version, contact, want string }{
		{"with a contact", "1.2.3", "ops@example.org", "research-mcp/1.2.3 (ops@example.org) Go-http-client"},
		{"without", "1.2.3", "", "research-mcp/1.2.3 (no contact set) Go-http-client"},
		{"hostile values", "1\r\nX: y", "a) b(\n", "research-mcp/1X: y (a b) Go-http-client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got http.Header
			_, client, base := serve(t, fetch.Config{Version: c.version, Contact: c.contact}, func(w http.ResponseWriter, r *http.Request) {
				got = r.Header.Clone()
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, `{}`)
			})
			if _, err := client.GetJSON(t.Context(), fetch.Request{URL: base}, &struct{}{}); err != nil {
				t.Fatal(err)
			}
			want := http.Header{"User-Agent": {c.want}, "Accept": {"application/json"}, "Accept-Encoding": {"gzip"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("request header (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	_, client, base := serve(t, fetch.Config{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new?x=1", http.StatusFound)
			return
		}
		if got := r.Referer(); got != "" {
			t.Errorf("Referer = %q, want none", got)
		}
		w.Header().Set("Content-Type", "Text/Plain; charset=utf-8")
		w.Header().Set("ETag", `W/"7"`)
		w.Header().Set("Last-Modified", "Sun, 22 Nov 2026 11:00:00 GMT")
		w.Header().Set("Retry-After", "Sun, 22 Nov 2026 12:00:30 GMT")
		io.WriteString(w, "hello")
	})
	got, err := client.Get(t.Context(), fetch.Request{URL: base + "/old#part"})
	if err != nil {
		t.Fatal(err)
	}
	want := fetch.Response{
		Body: []byte("hello"), URL: base + "/new?x=1", ContentType: "text/plain", Charset: "utf-8", ETag: `W/"7"`,
		LastModified: "Sun, 22 Nov 2026 11:00:00 GMT", RetryAfter: 30 * time.Second, Retrieved: testClock,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Get (-want +got):\n%s", diff)
	}
}

func TestFailuresAreTyped(t *testing.T) {
	t.Parallel()
	reply := func(code int, kind, body string, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
			io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		kind    fetch.Kind
		status  string
		words   string
		after   time.Duration
	}{
		{"429", reply(429, "text/html", "<p>slow down", "Retry-After", "7"), fetch.Throttled, evidence.StatusThrottled, "asked too often (429), retry after 7s", 7 * time.Second},
		{"403 without identity", reply(403, "text/plain", "Please set a user-agent"), fetch.Forbidden, evidence.StatusError, "answered 403, and no contact is set", 0},
		{"404", reply(404, "application/json", `{"title":"Not found."}`), fetch.NotFound, evidence.StatusError, "not found (404)", 0},
		{"500", reply(500, "text/html", "secret stack trace"), fetch.Server, evidence.StatusError, "server error (500)", 0},
		{"400", reply(400, "application/json", `{}`), fetch.BadStatus, evidence.StatusError, "answered 400", 0},
		{"HTML with 200", reply(200, "text/html", "<html>secret"), fetch.ContentType, evidence.StatusError, "answered text/html instead of JSON", 0},
		{"text with 200", reply(200, "text/plain", "secret: one call in five seconds"), fetch.ContentType, evidence.StatusError, "answered text/plain instead of JSON", 0},
		{"garbage", reply(200, "application/json", `{"a":`), fetch.Malformed, evidence.StatusError, "not the JSON that was expected", 0},
		{"another shape", reply(200, "application/json", `[1]`), fetch.Malformed, evidence.StatusError, "not the JSON that was expected", 0},
		{"too large", reply(200, "application/json", `"`+strings.Repeat("x", 3<<10)+`"`), fetch.TooLarge, evidence.StatusError, "larger than 2 kB", 0},
		{"header too large", reply(200, "application/json", `{}`, "X-Big", strings.Repeat("x", 70<<10)), fetch.TooLarge, evidence.StatusError, "header is too large", 0},
		{"broken gzip", reply(200, "application/json", "this is no gzip at all", "Content-Encoding", "gzip"), fetch.Malformed, evidence.StatusError, "compression is broken", 0},
		{"redirect to another host", reply(302, "text/html", "", "Location", "http://127.0.0.2:1/secret"), fetch.BadRedirect, evidence.StatusError, "redirected to another host", 0},
		{"redirect loop", reply(302, "text/html", "", "Location", "/again"), fetch.BadRedirect, evidence.StatusError, "redirected too often", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, client, base := serve(t, fetch.Config{MaxBody: 2 << 10}, c.handler)
			var v struct{ A int }
			_, err := client.GetJSON(t.Context(), fetch.Request{URL: base + "/secret"}, &v)
			var e *fetch.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.RetryAfter != c.after {
				t.Fatalf("err = %#v, want kind %q and retry after %s", err, c.kind, c.after)
			}
			if got := e.SourceStatus(); got != c.status {
				t.Errorf("SourceStatus = %q, want %q", got, c.status)
			}
			host := strings.TrimPrefix(base, "http://")
			if got := err.Error(); !strings.HasPrefix(got, host+": ") || !strings.Contains(got, c.words) || strings.Contains(got, "secret") || len(got) > 160 {
				t.Errorf("text = %q, want the host and %q and nothing of the body or path", got, c.words)
			}
		})
	}
}

func TestJSONThatIsAnnouncedAsTextIsRead(t *testing.T) {
	t.Parallel()
	_, client, base := serve(t, fetch.Config{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "\n {\"A\": 3}")
	})
	var v struct{ A int }
	if _, err := client.GetJSON(t.Context(), fetch.Request{URL: base}, &v); err != nil || v.A != 3 {
		t.Errorf("GetJSON = %+v, %v, want A = 3", v, err)
	}
}

func TestBodyCapCountsAfterDecompression(t *testing.T) {
	t.Parallel()
	_, client, base := serve(t, fetch.Config{MaxBody: 64 << 10}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for range 64 {
			if _, err := z.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
		z.Close()
	})
	if _, err := client.Get(t.Context(), fetch.Request{URL: base}); !fetch.IsKind(err, fetch.TooLarge) {
		t.Errorf("err = %v, want too large", err)
	}
}

func TestBodyThatNeverEndsIsCutOff(t *testing.T) {
	t.Parallel()
	_, client, base := serve(t, fetch.Config{MaxBody: 64 << 10}, func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 32<<10); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	// With an hour to go, only the cap can end it.
	_, err := client.Get(t.Context(), fetch.Request{URL: base, Budget: fetch.NewBudget(time.Hour)})
	if !fetch.IsKind(err, fetch.TooLarge) {
		t.Errorf("err = %v, want too large", err)
	}
}

func TestRetryOnceWhereItMayHelp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		first func(w http.ResponseWriter)
		calls int64
		ok    bool
	}{
		{"503", func(w http.ResponseWriter) { w.WriteHeader(503) }, 2, true},
		{"503 for long", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "60"); w.WriteHeader(503) }, 1, false},
		{"500", func(w http.ResponseWriter) { w.WriteHeader(500) }, 1, false},
		{"429", func(w http.ResponseWriter) { w.WriteHeader(429) }, 1, false},
		{"connection lost", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			_, client, base := serve(t, fetch.Config{}, func(w http.ResponseWriter, _ *http.Request) {
				if calls.Add(1) == 1 {
					c.first(w)
				}
			})
			_, err := client.Get(t.Context(), fetch.Request{URL: base})
			if (err == nil) != c.ok || calls.Load() != c.calls {
				t.Errorf("err = %v after %d calls, want ok %v after %d", err, calls.Load(), c.ok, c.calls)
			}
		})
	}
	t.Run("never more than one retry", func(t *testing.T) {
		t.Parallel()
		var calls atomic.Int64
		_, client, base := serve(t, fetch.Config{}, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); w.WriteHeader(502) })
		if _, err := client.Get(t.Context(), fetch.Request{URL: base}); !fetch.IsKind(err, fetch.Server) || calls.Load() != 2 {
			t.Errorf("err = %v after %d calls, want a server error after 2", err, calls.Load())
		}
	})
	t.Run("not without time for it", func(t *testing.T) {
		t.Parallel()
		var calls atomic.Int64
		_, client, base := serve(t, fetch.Config{}, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			w.Header().Set("Retry-After", "2")
			w.WriteHeader(503)
		})
		_, err := client.Get(t.Context(), fetch.Request{URL: base, Budget: fetch.NewBudget(1500 * time.Millisecond)})
		if !fetch.IsKind(err, fetch.Server) || calls.Load() != 1 {
			t.Errorf("err = %v after %d calls, want a server error after 1", err, calls.Load())
		}
	})
}

// hang does not answer, and reports when a request came and ended.
func hang(came, went chan<- struct{}) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		<-r.Context().Done()
		went <- struct{}{}
	}
}

func TestCancelClosesTheSocket(t *testing.T) {
	t.Parallel()
	came, went := make(chan struct{}, 1), make(chan struct{}, 1)
	_, client, base := serve(t, fetch.Config{}, hang(came, went))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-came; cancel() }()
	_, err := client.Get(ctx, fetch.Request{URL: base, Budget: fetch.NewBudget(time.Hour)})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want context.Canceled", err)
	}
	<-went // the test would hang, were the socket left open
}

func TestOwnDeadlineIsATimeoutNotTheCallersError(t *testing.T) {
	t.Parallel()
	came, went := make(chan struct{}, 1), make(chan struct{}, 1)
	_, client, base := serve(t, fetch.Config{}, hang(came, went))
	budget := fetch.NewBudget(time.Second)
	_, err := client.Get(t.Context(), fetch.Request{URL: base, Budget: budget})
	if !fetch.IsKind(err, fetch.Timeout) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want an own timeout", err)
	}
	if budget.Left() != 0 {
		t.Errorf("budget left = %s, want 0", budget.Left())
	}
	<-went
}

func TestCallersDeadlineIsTheCallersError(t *testing.T) {
	t.Parallel()
	came, went := make(chan struct{}, 1), make(chan struct{}, 1)
	_, client, base := serve(t, fetch.Config{}, hang(came, went))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := client.Get(ctx, fetch.Request{URL: base})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want the caller's deadline", err)
	}
	<-went
}

// TestWaitingForASlotIsNotChargedToTheBudget holds all slots of a host: the fourth
// request waits without spending its budget.
func TestWaitingForASlotIsNotChargedToTheBudget(t *testing.T) {
	t.Parallel()
	came, free := make(chan struct{}, 8), make(chan struct{})
	var now, most atomic.Int64
	_, client, base := serve(t, fetch.Config{}, func(_ http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		came <- struct{}{}
		if r.URL.Path == "/hold" {
			<-free
		}
	})
	var wg sync.WaitGroup
	for i := range 3 { // equal requests would be one
		wg.Go(func() {
			if _, err := client.Get(t.Context(), fetch.Request{URL: fmt.Sprintf("%s/hold?%d", base, i)}); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		<-came
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Millisecond)
	defer cancel()
	budget := fetch.NewBudget(time.Minute)
	if _, err := client.Get(ctx, fetch.Request{URL: base + "/fourth", Budget: budget}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("fourth: err = %v, want the caller's deadline", err)
	}
	if budget.Left() != time.Minute {
		t.Errorf("fourth: %s of a minute left, want all of it", budget.Left())
	}
	close(free)
	wg.Wait()
	if most.Load() != 3 {
		t.Errorf("most requests at once = %d, want 3", most.Load())
	}
}

func TestRateLimitThatLeavesNoTimeIsThrottling(t *testing.T) {
	t.Parallel()
	n, client, base := serve(t, fetch.Config{}, func(http.ResponseWriter, *http.Request) {})
	// A second client of the same host is slower, so its rate holds for both.
	if _, err := n.ForHost(base, fetch.Rate{PerSecond: 0.001, Burst: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ForHost(base, fetch.Rate{PerSecond: 100, Burst: 100}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(t.Context(), fetch.Request{URL: base}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := client.Get(ctx, fetch.Request{URL: base}); !fetch.IsKind(err, fetch.Throttled) {
		t.Errorf("err = %v, want throttled by our own limit", err)
	}
}
