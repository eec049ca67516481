package fetch

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestErrorsWithAGoodStatusAreNotStored asks again after responses without an
// answer: a page instead of JSON, broken JSON, a busy service, and an error
// that only the caller can see.
func TestErrorsWithAGoodStatusAreNotStored(t *testing.T) {
	t.Parallel()
	x := newCached(t, time.Hour, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/page":
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<p>blocked")
		case "/broken":
			io.WriteString(w, `{"a":`)
		case "/busy":
			w.Header().Set("Retry-After", "1")
			io.WriteString(w, `{"error":"maxlag"}`)
		default:
			io.WriteString(w, `{"error":"bad"}`)
		}
	})
	for _, path := range []string{"/page", "/broken", "/busy", "/error"} {
		before := x.calls.Load()
		for range 2 {
			req := Request{URL: x.base + path}
			var v struct{ Error string }
			if _, err := x.client.GetJSON(t.Context(), req, &v); err == nil {
				x.client.Invalidate(req)
			}
		}
		if n := x.calls.Load() - before; n != 2 {
			t.Errorf("%s: %d requests, want 2", path, n)
		}
	}
	x.cache.flush()
	if s, err := x.cache.Stats(t.Context()); err != nil || s.Entries != 0 {
		t.Errorf("Stats = %+v, %v, want nothing kept", s, err)
	}
}

func TestNoCacheAsksTheHost(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	x := newCached(t, time.Hour, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, asked.Add(1)) })
	x.get(t, "/")
	got, err := x.client.Get(NoCache(t.Context()), Request{URL: x.base + "/"})
	if err != nil || string(got.Body) != "2" || got.Cached {
		t.Errorf("anew: %q, cached %v, %v, want the second answer", got.Body, got.Cached, err)
	}
	if got := x.get(t, "/"); string(got.Body) != "1" || !got.Cached {
		t.Errorf("then: %q, cached %v, want the first, which was kept", got.Body, got.Cached)
	}
}

func FuzzCacheControl(f *testing.F) {
	for _, s := range []string{"", "no-store", "max-age=60", `private, max-age="5", no-cache`, "max-age=-1", "max-age=99999999999999999999", ",,=,"} {
		f.Add(s, "0", "Accept")
	}
	f.Fuzz(func(t *testing.T, control, age, vary string) {
		store, maxAge := cachePolicy(http.Header{"Cache-Control": {control}, "Age": {age}, "Vary": {vary}})
		if maxAge < noMaxAge || maxAge > (1<<31)*time.Second {
			t.Errorf("max age %s", maxAge)
		}
		if store && strings.EqualFold(strings.TrimSpace(control), "no-store") {
			t.Error("no-store is stored")
		}
	})
}
