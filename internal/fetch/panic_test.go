package fetch

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestPanicEndsOneRequest panics while an answer and while a robots.txt
// is read. After that, the host's slots are free again.
func TestPanicEndsOneRequest(t *testing.T) {
	t.Parallel()
	var panics atomic.Bool
	now := func() time.Time {
		if panics.Load() {
			panic("the clock is gone")
		}
		return time.Now()
	}
	s := newSite(t, textPage("User-agent: *\nDisallow: /x\n"), nil)
	n := openTo(t, Config{Now: now}, s.Server)
	hostClient, err := n.ForHost(s.URL, Rate{})
	if err != nil {
		t.Fatal(err)
	}
	panics.Store(true)
	for range maxPerHost + 1 {
		if _, err := hostClient.Get(t.Context(), Request{URL: s.URL + "/a"}); !IsKind(err, Malformed) {
			t.Errorf("while a request panics: %v", err)
		}
	}
	if _, err := n.ForPublic().Get(t.Context(), Request{URL: s.URL + "/a"}); !IsKind(err, Robots) {
		t.Errorf("while the reading of robots.txt panics: %v", err)
	}
	panics.Store(false)
	if r, err := hostClient.Get(t.Context(), Request{URL: s.URL + "/a"}); err != nil || string(r.Body) != "page" {
		t.Errorf("after it: %q, %v", r.Body, err)
	}
	for _, h := range n.Hosts() {
		if h.InFlight != 0 {
			t.Errorf("%s: %d requests hold a slot", h.Host, h.InFlight)
		}
	}
}

func TestPortsOfAHostShareALimiter(t *testing.T) {
	t.Parallel()
	n := New(Config{})
	defer n.Close()
	for _, base := range []string{"https://secure.example", "http://plain.example", "http://both.example", "https://both.example"} {
		if _, err := n.ForHost(base, Rate{}); err != nil {
			t.Fatal(err)
		}
	}
	hostClient, err := n.ForHost("http://secure.example", Rate{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		client *Client
		url    string
		want   string
	}{
		{n.ForPublic(), "http://Example.org/a", "example.org:443"},
		{n.ForPublic(), "https://example.org/b", "example.org:443"},
		{n.ForPublic(), "https://plain.example/", "plain.example:80"},
		{n.ForPublic(), "http://both.example/", "both.example:80"},
		{n.ForPublic(), "https://both.example/", "both.example:443"},
		{n.ForPublic(), "http://[2001:db8::1]/", "[2001:db8::1]:443"},
		{n.ForPublic(), "http://example.org:8080/", "example.org:8080"},
		{hostClient, "http://example.org/", "example.org:80"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.client.limiterKey(r.URL); got != c.want {
			t.Errorf("limiter of %s = %s, want %s", c.url, got, c.want)
		}
	}
}
