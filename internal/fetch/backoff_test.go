package fetch

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// GitHub refuses with 403 and says in other headers when the limit is reset.
func TestUsedUpRateLimitIsThrottling(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		remaining, reset string
		kind             Kind
		wait             time.Duration
	}{
		{"0", fmt.Sprint(now.Add(40 * time.Second).Unix()), Throttled, 40 * time.Second},
		{"0", fmt.Sprint(now.Add(-time.Minute).Unix()), Forbidden, 0},
		{"0", "soon", Forbidden, 0},
		{"7", fmt.Sprint(now.Add(40 * time.Second).Unix()), Forbidden, 0},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-RateLimit-Remaining", c.remaining)
			w.Header().Set("X-RateLimit-Reset", c.reset)
			w.WriteHeader(http.StatusForbidden)
		}))
		t.Cleanup(srv.Close)
		n := New(Config{Contact: "ops@example.org", Now: func() time.Time { return now }})
		t.Cleanup(func() { n.Close() })
		client, err := n.ForHost(srv.URL, Rate{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Get(t.Context(), Request{URL: srv.URL})
		var e *Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.RetryAfter != c.wait {
			t.Errorf("%s until %s: %+v, want %s after %s", c.remaining, c.reset, err, c.kind, c.wait)
		}
	}
}
