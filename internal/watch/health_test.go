package watch_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/watch"
)

func get(h http.Handler, method string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, "/readyz", http.NoBody))
	return w
}

func TestReadyNamesWhatFails(t *testing.T) {
	t.Parallel()
	var failure error
	var log bytes.Buffer
	h := watch.NewHealth(slog.New(slog.NewTextHandler(&log, nil)),
		watch.Check{Name: "memory", Run: func(context.Context) error { return nil }},
		watch.Check{Name: "disk", Run: func(context.Context) error { return failure }})
	if w := get(h.Ready(), http.MethodGet); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"status":"ok","checks":[{"name":"memory","ok":true},{"name":"disk","ok":true},{"name":"running","ok":true}]}` {
		t.Errorf("GET /readyz = %d %s", w.Code, w.Body)
	}
	h.Ending()
	w := get(h.Ready(), http.MethodGet)
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"failed":["running"]`) {
		t.Errorf("GET /readyz while the server ends = %d %s", w.Code, w.Body)
	}
	if w := get(h.Live(), http.MethodGet); w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"status":"ok"}` {
		t.Errorf("GET /healthz while the server ends = %d %s", w.Code, w.Body)
	}
	if w := get(h.Ready(), http.MethodPost); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST /readyz = %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestReadyHidesTheReason(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := watch.NewHealth(slog.New(slog.NewTextHandler(&log, nil)), watch.Check{Name: "memory", Run: func(context.Context) error {
		return errors.New("opening /srv/secret/memory.db: permission denied")
	}})
	for range 3 {
		w := get(h.Ready(), http.MethodGet)
		if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "secret") || !strings.Contains(w.Body.String(), `"failed":["memory"]`) {
			t.Errorf("GET /readyz = %d %s", w.Code, w.Body)
		}
	}
	if n := strings.Count(log.String(), "permission denied"); n != 1 {
		t.Errorf("the log has the reason %d times, want once: %s", n, &log)
	}
}

// TestACheckThatHangs is asked by many: each gets an answer in time, and the check runs once.
func TestACheckThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int32
		release := make(chan struct{})
		h := watch.NewHealth(discard, watch.Check{Name: "memory", Run: func(context.Context) error {
			running.Add(1)
			<-release
			return nil
		}})
		begun := time.Now()
		done := make(chan int)
		for range 50 {
			go func() { done <- get(h.Ready(), http.MethodGet).Code }()
		}
		for range 50 {
			if code := <-done; code != http.StatusServiceUnavailable {
				t.Errorf("GET /readyz of a memory that hangs = %d", code)
			}
		}
		if took := time.Since(begun); took > 3*time.Second || running.Load() != 1 {
			t.Errorf("50 requests took %s, and the check ran %d times", took, running.Load())
		}
		close(release)
		synctest.Wait()
		time.Sleep(2 * time.Second)
		if w := get(h.Ready(), http.MethodGet); w.Code != http.StatusOK {
			t.Errorf("GET /readyz after the memory answers again = %d %s", w.Code, w.Body)
		}
	})
}
