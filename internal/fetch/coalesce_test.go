package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// slow is a server whose responses wait until the test releases them.
type slow struct {
	client *Client
	c      *Network
	base   string
	came   chan struct{}
	free   chan struct{}
	gone   chan struct{}
	calls  atomic.Int64
}

func newSlow(t *testing.T) *slow {
	t.Helper()
	s := &slow{came: make(chan struct{}, 16), free: make(chan struct{}), gone: make(chan struct{}, 16)}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.came <- struct{}{}
		select {
		case <-s.free:
			io.WriteString(w, "body")
		case <-r.Context().Done():
			s.gone <- struct{}{}
		}
	}))
	t.Cleanup(srv.Close)
	s.c, s.base = New(Config{}), srv.URL
	t.Cleanup(func() { s.c.Close() })
	var err error
	if s.client, err = s.c.ForHost(srv.URL, Rate{}); err != nil {
		t.Fatal(err)
	}
	return s
}

type outcome struct {
	resp Response
	err  error
}

func (s *slow) ask(ctx context.Context, budget time.Duration) <-chan outcome {
	out := make(chan outcome, 1)
	go func() {
		r, err := s.client.Get(ctx, Request{URL: s.base + "/", Budget: NewBudget(budget)})
		out <- outcome{r, err}
	}()
	return out
}

// joined waits until n callers wait for the one call.
func (s *slow) joined(t *testing.T, n int) {
	t.Helper()
	for t.Context().Err() == nil {
		s.c.coalescer.mu.Lock()
		for _, cl := range s.c.coalescer.calls {
			if len(cl.waiters) == n {
				s.c.coalescer.mu.Unlock()
				return
			}
		}
		s.c.coalescer.mu.Unlock()
	}
}

func TestEqualRequestsAreOne(t *testing.T) {
	t.Parallel()
	s := newSlow(t)
	ctx, trace := WithTrace(t.Context())
	var outs []<-chan outcome
	for range 5 {
		outs = append(outs, s.ask(ctx, time.Hour))
	}
	s.joined(t, 5)
	<-s.came
	close(s.free)
	for i, out := range outs {
		got := <-out
		if got.err != nil || string(got.resp.Body) != "body" {
			t.Fatalf("caller %d: %q, %v", i, got.resp.Body, got.err)
		}
		got.resp.Body[0] = 'X' // each has a body of its own
	}
	if n := s.calls.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
	if n := trace.Counts().Requests; n != 5 {
		t.Errorf("trace counts %d, want one for each caller", n)
	}
}

func TestCancelEndsOnlyTheCallersWait(t *testing.T) {
	t.Parallel()
	s := newSlow(t)
	ctx, cancel := context.WithCancel(t.Context())
	first := s.ask(ctx, time.Hour)
	<-s.came
	second := s.ask(t.Context(), time.Hour)
	s.joined(t, 2)
	cancel()
	if got := <-first; !errors.Is(got.err, context.Canceled) {
		t.Errorf("first: %v, want canceled", got.err)
	}
	close(s.free)
	if got := <-second; got.err != nil || string(got.resp.Body) != "body" {
		t.Errorf("second: %q, %v, want the answer", got.resp.Body, got.err)
	}
	if n := s.calls.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestLastCallerEndsTheCall(t *testing.T) {
	t.Parallel()
	s := newSlow(t)
	ctx, cancel := context.WithCancel(t.Context())
	first, second := s.ask(ctx, time.Hour), s.ask(ctx, time.Hour)
	s.joined(t, 2)
	<-s.came
	cancel()
	<-first
	<-second
	<-s.gone // the test would hang, were the request still under way
	third := s.ask(t.Context(), time.Hour)
	<-s.came
	close(s.free)
	if got := <-third; got.err != nil {
		t.Errorf("a caller after the end: %v, want a call of its own", got.err)
	}
}

func TestShortBudgetDecidesForItsCallerAlone(t *testing.T) {
	t.Parallel()
	s := newSlow(t)
	long := make(chan (<-chan outcome), 1)
	go func() { <-s.came; long <- s.ask(t.Context(), time.Hour); s.joined(t, 2) }()
	short := <-s.ask(t.Context(), time.Second)
	if !IsKind(short.err, Timeout) {
		t.Errorf("the short budget: %v, want a timeout", short.err)
	}
	second := <-long
	s.joined(t, 1)
	close(s.free)
	if got := <-second; got.err != nil || string(got.resp.Body) != "body" || s.calls.Load() != 1 {
		t.Errorf("the long budget: %q, %v after %d requests, want the answer of one", got.resp.Body, got.err, s.calls.Load())
	}
}
