package research

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// replicas are engines of several processes on one memory, whose sources take some seconds.
func replicas(n int, took time.Duration) (all []*world, claims []*fakeClaims) {
	shared := &sharedClaims{all: map[string]contract.ClaimedRun{}, by: map[string]*fakeClaims{}}
	for i := range n {
		wiki, summary, news := three(took, took, took)
		w := newWorld(nil, wiki, summary, news)
		if i > 0 {
			w.sessions = all[0].sessions
			w.deps.Sessions = w.sessions
		}
		shared.sessions = w.sessions
		inner := w.deps.NewID
		w.deps.NewID = func(p string) string { return fmt.Sprintf("%s_at%d", inner(p), i) }
		c := &fakeClaims{sharedClaims: shared}
		w.deps.Claims = c
		all, claims = append(all, w), append(claims, c)
	}
	return all, claims
}

func (w *world) asked() int {
	n := 0
	for _, s := range w.deps.Sources {
		f := s.(*fakeSource)
		f.mu.Lock()
		n += len(f.asked)
		f.mu.Unlock()
	}
	return n
}

// begin lets a process work on a question whose caller does not wait, and returns its id.
func (w *world) beginRun(t *testing.T, c *fakeClaims) string {
	t.Helper()
	if _, err := w.Ask(leaving(t, time.Second, evidence.ErrCallerLeft), Request{Question: "What is a transformer?"}, nil); err == nil {
		t.Fatal("the first call has an answer")
	}
	all, err := c.ClaimedRuns(t.Context())
	if err != nil || len(all) != 1 || !all[0].Alive || all[0].Question != "What is a transformer?" {
		t.Fatalf("claims %+v, %v", all, err)
	}
	return all[0].ID
}

var waysToPickUp = map[string]func(id string) Request{
	"by the question": func(string) Request { return Request{Question: "What is a transformer?"} },
	"by its id":       func(id string) Request { return Request{Run: id} },
}

func TestARunOfAnotherProcess(t *testing.T) {
	t.Parallel()
	for name, pickUp := range waysToPickUp {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				all, claims := replicas(2, 10*time.Second)
				defer all[0].Close()
				defer all[1].Close()
				id := all[0].beginRun(t, claims[0])

				short := pickUp(id)
				short.Budget = 2 * time.Second
				_, err := all[1].Ask(t.Context(), short, nil)
				var pending *Pending
				if !errors.As(err, &pending) || pending.Run != id {
					t.Errorf("a short wait = %v, want %s pending", err, id)
				}
				a, err := all[1].Ask(t.Context(), pickUp(id), nil)
				if err != nil || a.RunID != id || a.Status != evidence.Answered || all[1].asked() > 0 {
					t.Errorf("picked up: %s of %s, %v; the sources were asked %d times", a.Status, a.RunID, err, all[1].asked())
				}
				if left, _ := claims[1].ClaimedRuns(t.Context()); len(left) > 0 {
					t.Errorf("claims after the answer: %+v", left)
				}
			})
		})
	}
}

// A run whose process was killed is started again exactly once, by its run_id or by the same
// question.
func TestARunOfAKilledProcess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all, claims := replicas(3, 10*time.Second)
		for _, w := range all {
			defer w.Close()
		}
		id := all[0].beginRun(t, claims[0])
		claims[0].die()
		all[0].sessions.refuseFrom(id) // a killed process stores nothing
		var callers sync.WaitGroup
		for _, w := range all[1:] {
			for name, pickUp := range waysToPickUp {
				callers.Go(func() {
					if a, err := w.Ask(t.Context(), pickUp(id), nil); err != nil || a.RunID != id || a.Status != evidence.Answered {
						t.Errorf("%s: %s of %s, %v, want the answer of %s", name, a.Status, a.RunID, err, id)
					}
				})
			}
		}
		callers.Wait()
		if a, b := all[1].asked(), all[2].asked(); (a == 0) == (b == 0) {
			t.Errorf("the sources were asked %d and %d times, want by one of the two", a, b)
		}
		if left, _ := claims[1].ClaimedRuns(t.Context()); len(left) > 0 {
			t.Errorf("claims after the answer: %+v", left)
		}
	})
}

// A process that ends in good order leaves its runs to others.
func TestARunOfAProcessThatEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all, claims := replicas(2, 10*time.Second)
		defer all[1].Close()
		id := all[0].beginRun(t, claims[0])
		all[0].Close()
		claims[0].die() // the memory is closed after the engine
		if a, err := all[1].Ask(t.Context(), Request{Run: id}, nil); err != nil || a.RunID != id || a.Status != evidence.Answered {
			t.Errorf("%s of %s, %v", a.Status, a.RunID, err)
		}
	})
}

// A person's cancellation ends a run everywhere, and leaves nothing.
func TestARunThatEndsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all, claims := replicas(2, 10*time.Second)
		defer all[0].Close()
		defer all[1].Close()
		id := make(chan string, 1)
		go func() {
			time.Sleep(time.Second)
			found, _ := claims[1].ClaimedRuns(t.Context())
			id <- found[0].ID
			time.Sleep(3 * time.Second)
			if left, _ := claims[1].ClaimedRuns(t.Context()); len(left) > 0 {
				t.Errorf("claims after the cancellation: %+v", left)
			}
		}()
		go func() {
			_, _ = all[0].Ask(leaving(t, 3*time.Second, errors.New("stop")), Request{Question: "What is a transformer?"}, nil)
		}()
		_, err := all[1].Ask(t.Context(), Request{Run: <-id}, nil)
		if err == nil || !strings.Contains(err.Error(), "ended without an answer") {
			t.Errorf("picked up = %v", err)
		}
		time.Sleep(2 * time.Second)
		if a, err := all[1].Ask(t.Context(), Request{Question: "What is a transformer?"}, nil); err != nil || a.Status != evidence.Answered {
			t.Errorf("asked again: %s, %v", a.Status, err)
		}
	})
}

// A caller who waited for another process, whose run then ended without an answer, has an
// answer of its own within the budget that it named.
func TestTheBudgetCountsWhatWasWaitedElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all, _ := replicas(2, 10*time.Second)
		defer all[0].Close()
		defer all[1].Close()
		const question = "What is a transformer?"
		var first sync.WaitGroup
		first.Go(func() {
			if _, err := all[0].Ask(leaving(t, 8*time.Second, context.Canceled), Request{Question: question}, nil); err == nil {
				t.Error("the cancelled call has an answer")
			}
		})
		time.Sleep(time.Second)
		begun := time.Now()
		_, err := all[1].Ask(t.Context(), Request{Question: question, Budget: 12 * time.Second}, nil)
		if took := time.Since(begun); err != nil || took < 8*time.Second || took > 13*time.Second {
			t.Errorf("an answer after %s, %v, want one within the 12 s of its budget", took, err)
		}
		first.Wait()
	})
}
