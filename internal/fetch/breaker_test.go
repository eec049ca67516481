package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBreakerOpensAndProbes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiters()
		enter := func() (*permit, error) { return l.acquire(t.Context(), "h:80", Rate{}, nil) }
		one := func(with error) {
			t.Helper()
			p, err := enter()
			if err != nil {
				t.Fatal(err)
			}
			p.release(with)
		}
		bad := &Error{Kind: Server, Code: 500}
		for range failuresToOpen - 1 {
			one(bad)
		}
		one(nil) // the row is broken
		for range failuresToOpen - 1 {
			one(bad)
		}
		for _, neutral := range []error{&Error{Kind: Refused}, &Error{Kind: Closed}, errNotCounted, context.Canceled} {
			one(neutral) // neither helps nor harms
		}
		one(bad)
		_, err := enter()
		if want := "has failed 8 times in a row; not asked since 00:00:00 UTC, tried again at 00:00:30 UTC"; !IsKind(err, CircuitOpen) || err.Error() != want {
			t.Fatalf("err = %v, want %s", err, want)
		}
		var e *Error
		if errors.As(err, &e) && e.SourceStatus() != "skipped" {
			t.Errorf("SourceStatus = %q, want skipped", e.SourceStatus())
		}
		time.Sleep(openFor + time.Second)
		probe, err := enter()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := enter(); !IsKind(err, CircuitOpen) || !strings.Contains(err.Error(), "testing whether") {
			t.Errorf("during the probe: %v, want an open circuit", err)
		}
		probe.release(bad)
		if _, err := enter(); !IsKind(err, CircuitOpen) {
			t.Errorf("after a bad probe: %v, want broken", err)
		}
		time.Sleep(openFor + time.Second)
		one(nil)
		one(nil)
		if s := l.states()[0]; s.Breaker != "closed" || s.InFlight != 0 || s.LastError != "server error (500)" {
			t.Errorf("state = %+v", s)
		}
	})
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newLimiters()
		start := time.Now()
		l.backOff("h:80", Rate{}, time.Second)
		var early time.Time
		p, err := l.acquire(t.Context(), "h:80", Rate{}, func(at time.Time) { early = at })
		if err != nil || time.Since(start) != time.Second || !early.Equal(start.Add(time.Second)) {
			t.Errorf("after %s: %v, told %s, want a wait of one second", time.Since(start), err, early)
		}
		p.release(nil)
		l.backOff("h:80", Rate{}, 10*time.Second)
		l.backOff("h:80", Rate{}, time.Second) // the later end holds
		_, err = l.acquire(t.Context(), "h:80", Rate{}, nil)
		var e *Error
		if !errors.As(err, &e) || e.Kind != Throttled || e.RetryAfter != 10*time.Second || e.Error() != "it asked for no requests until 00:00:11 UTC, retry after 10s" {
			t.Errorf("err = %v", err)
		}
		if s := l.states()[0]; !s.WaitUntil.Equal(start.Add(11 * time.Second)) {
			t.Errorf("state = %+v", s)
		}
		l.backOff("h:80", Rate{}, 10000*time.Hour)
		if s := l.states()[0]; s.WaitUntil.After(time.Now().Add(maxBackoff)) {
			t.Errorf("a host silenced itself until %s", s.WaitUntil)
		}
		if p, err := l.acquire(t.Context(), "other:80", Rate{}, nil); err != nil {
			t.Errorf("another host: %v", err)
		} else {
			p.release(nil)
		}
	})
}

func TestUnhealthyHostIsNotAsked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		h     http.HandlerFunc
		kind  Kind  // of the last request
		calls int64 // that reached the host
	}{
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, CircuitOpen, failuresToOpen},
		{"404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, NotFound, failuresToOpen + 2},
		{"429", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(429) }, Throttled, failuresToOpen + 2},
		{"429 for long", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Retry-After", "60"); w.WriteHeader(429) }, Throttled, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var calls atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { calls.Add(1); c.h(w, r) }))
			defer srv.Close()
			n := New(Config{})
			defer n.Close()
			client, err := n.ForHost(srv.URL, Rate{})
			if err != nil {
				t.Fatal(err)
			}
			var last error
			for range failuresToOpen + 2 {
				_, last = client.Get(t.Context(), Request{URL: srv.URL})
			}
			if !IsKind(last, c.kind) || calls.Load() != c.calls {
				t.Errorf("%v after %d requests, want %s after %d", last, calls.Load(), c.kind, c.calls)
			}
			if s := n.Hosts(); len(s) != 1 || "http://"+s[0].Host != srv.URL || s[0].LastError == "" || s[0].LastErrorAt.IsZero() || (s[0].Breaker == "open") != (c.kind == CircuitOpen) {
				t.Errorf("Hosts = %+v", s)
			}
		})
	}
	t.Run("backoff inside of a good answer", func(t *testing.T) {
		t.Parallel()
		var calls atomic.Int64
		srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }))
		defer srv.Close()
		n := New(Config{})
		defer n.Close()
		client, err := n.ForHost(srv.URL, Rate{})
		if err != nil {
			t.Fatal(err)
		}
		client.Backoff(time.Minute)
		n.ForPublic().Backoff(time.Minute) // no host's
		if _, err := client.Get(t.Context(), Request{URL: srv.URL}); !IsKind(err, Throttled) || calls.Load() != 0 {
			t.Errorf("err = %v after %d requests, want throttled after none", err, calls.Load())
		}
	})
}

func TestRatesAreHalvedWithoutAContact(t *testing.T) {
	t.Parallel()
	for contact, want := range map[string][]HostState{
		"": {
			{Configured: true, Host: "127.0.0.1:80", Breaker: "closed", Tokens: 4, Rate: Rate{2, 4}},
			{Configured: true, Host: "[::1]:80", Breaker: "closed", Tokens: 4, Rate: Rate{2, 4}},
			{Configured: true, Host: "api.example.org:443", Breaker: "closed", Tokens: 2, Rate: Rate{1, 2}},
			{Configured: true, Host: "localhost:80", Breaker: "closed", Tokens: 4, Rate: Rate{2, 4}},
			{Configured: true, Host: "unlimited.example.org:443", Breaker: "closed"},
		},
		"ops@example.org": {
			{Configured: true, Host: "127.0.0.1:80", Breaker: "closed", Tokens: 4, Rate: Rate{2, 4}},
			{Configured: true, Host: "[::1]:80", Breaker: "closed", Tokens: 4, Rate: Rate{2, 4}},
			{Configured: true, Host: "api.example.org:443", Breaker: "closed", Tokens: 4, Rate: Rate{2, 4}},
			{Configured: true, Host: "localhost:80", Breaker: "closed", Tokens: 4, Rate: Rate{2, 4}},
			{Configured: true, Host: "unlimited.example.org:443", Breaker: "closed"},
		},
	} {
		n := New(Config{Contact: contact})
		for _, base := range []string{"https://api.example.org/x", "http://127.0.0.1", "http://[::1]/", "http://localhost"} {
			if _, err := n.ForHost(base, Rate{2, 4}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := n.ForHost("https://unlimited.example.org", Rate{}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, n.Hosts()); diff != "" {
			t.Errorf("contact %q (-want +got):\n%s", contact, diff)
		}
		if open := n.cfg.PublicRate.PerSecond; open != map[bool]float64{true: 2, false: 1}[n.Identified()] {
			t.Errorf("contact %q: open rate %v", contact, open)
		}
		n.Close()
	}
}

// TestSpentBudgetIsNotCounted asks with budgets that an earlier request
// used up.
func TestSpentBudgetIsNotCounted(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer srv.Close()
	n := New(Config{})
	defer n.Close()
	client, err := n.ForHost(srv.URL, Rate{})
	if err != nil {
		t.Fatal(err)
	}
	budget := NewBudget(time.Second)
	budget.spend(time.Second)
	for range failuresToOpen + 3 {
		if _, err := client.Get(t.Context(), Request{URL: srv.URL, Budget: budget}); !IsKind(err, Timeout) {
			t.Errorf("without time: %v, want a timeout", err)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("asked %d times by who could not wait for an answer", asked.Load())
	}
	if _, err := client.Get(t.Context(), Request{URL: srv.URL}); err != nil {
		t.Errorf("another caller with time of its own: %v", err)
	}
}

// TestTooShortABudgetIsNotCounted has a host that would answer, and callers
// whose budgets are nearly spent.
func TestTooShortABudgetIsNotCounted(t *testing.T) {
	t.Parallel()
	free := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-free:
		case <-r.Context().Done():
		}
	}))
	defer srv.Close()
	n := New(Config{})
	defer n.Close()
	client, err := n.ForHost(srv.URL, Rate{})
	if err != nil {
		t.Fatal(err)
	}
	for range failuresToOpen + 1 {
		if _, err := client.Get(t.Context(), Request{URL: srv.URL, Budget: NewBudget(time.Microsecond)}); !IsKind(err, Timeout) {
			t.Errorf("next to no time: %v, want a timeout", err)
		}
	}
	close(free)
	if _, err := client.Get(t.Context(), Request{URL: srv.URL, Budget: NewBudget(time.Minute)}); err != nil {
		t.Errorf("another caller with time of its own: %v", err)
	}
}

func TestInBand(t *testing.T) {
	t.Parallel()
	l := newLimiters()
	l.backOff("h:80", Rate{}, time.Hour)
	_, waits := l.acquire(t.Context(), "h:80", Rate{}, nil)
	for _, c := range []struct {
		err  error
		want bool
	}{
		{waits, false},
		{&Error{Kind: Throttled, Code: 429}, false},
		{&Error{Kind: Throttled, RetryAfter: time.Second}, true},
		{&Error{Kind: API}, true},
		{&Error{Kind: Malformed}, true},
		{&Error{Kind: ContentType}, true},
		{&Error{Kind: Server, Code: 500}, false},
	} {
		var e *Error
		if !errors.As(c.err, &e) || e.InBand() != c.want {
			t.Errorf("%v: in band is not %v", c.err, c.want)
		}
	}
}
