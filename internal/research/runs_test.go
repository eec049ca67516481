package research

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// leaving returns a context whose caller gives up after d.
func leaving(t *testing.T, d time.Duration, cause error) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	timer := time.AfterFunc(d, func() { cancel(cause) })
	t.Cleanup(func() { timer.Stop(); cancel(nil) })
	return ctx
}

func TestARunOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	for name, pickUp := range map[string]func(w *world, id string) Request{
		"by the question": func(*world, string) Request { return Request{Question: " what is a Transformer? "} },
		"by its id":       func(_ *world, id string) Request { return Request{Run: id} },
	} {
		for when, wait := range map[string]time.Duration{"while it works": time.Second, "later": 10 * time.Second} {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					wiki, summary, news := three(6*time.Second, 7*time.Second, 6500*time.Millisecond)
					w := newWorld(nil, wiki, summary, news)
					defer w.Close()
					_, err := w.Ask(leaving(t, 5*time.Second, evidence.ErrCallerLeft), Request{Question: "What is a transformer?"}, nil)
					if !errors.Is(err, context.Canceled) {
						t.Fatalf("the call that ended early: %v", err)
					}
					synctest.Wait()
					var id string
					for known := range w.runs.byID {
						id = known
					}
					time.Sleep(wait)
					begun := time.Now()
					a, err := w.Ask(t.Context(), pickUp(w, id), nil)
					if err != nil || a.Status != evidence.Answered || a.RunID != id {
						t.Fatalf("picked up: %s of %s, %v, want the answer of %s", a.Status, a.RunID, err, id)
					}
					if took := time.Since(begun); wait > 7*time.Second && took > 0 || took > 2*time.Second {
						t.Errorf("it took %v", took)
					}
					synctest.Wait()
					for _, s := range []*fakeSource{wiki, summary, news} {
						if len(s.asked) > 2 { // keywords of the question
							t.Errorf("%s was asked %q", s.name, s.asked)
						}
						for _, err := range s.ended {
							if err != nil {
								t.Errorf("a search at %s ended with %v", s.name, err)
							}
						}
					}
				})
			})
		}
	}
}

func TestARunEndsWithACallerThatCancels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(6*time.Second, 7*time.Second, 8*time.Second)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		_, err := w.Ask(leaving(t, 2*time.Second, context.Canceled), Request{Question: "What is a transformer?"}, nil)
		synctest.Wait()
		if !errors.Is(err, context.Canceled) || len(wiki.ended) == 0 || wiki.ended[0] == nil {
			t.Errorf("error %v, searches of wiki ended with %v, want all cancelled", err, wiki.ended)
		}
		if len(w.runs.byID) != 0 || len(w.runs.byKey) != 0 {
			t.Errorf("%d runs are left", len(w.runs.byID))
		}
	})
}

func TestCallersOfOneQuestionShareARun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(time.Second, 1200*time.Millisecond, 800*time.Millisecond)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		var events [3]int
		var answers [3]evidence.Answer
		var failed [3]error
		for i := range answers {
			go func() {
				ctx := t.Context()
				if i == 0 { // one that cancels does not end it for the others
					ctx = leaving(t, 500*time.Millisecond, context.Canceled)
				}
				answers[i], failed[i] = w.Ask(ctx, Request{Question: "What is a transformer?"}, func(Event) { events[i]++ })
			}()
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if failed[0] == nil || failed[1] != nil || failed[2] != nil || answers[1].RunID == "" || answers[1].RunID != answers[2].RunID {
			t.Fatalf("runs %q, errors %v, want one run for the two that stayed", []string{answers[1].RunID, answers[2].RunID}, failed)
		}
		if events[1] == 0 || events[2] == 0 || wiki.times() > 2 {
			t.Errorf("events %v, wiki was asked %q", events, wiki.asked)
		}
		answers[1].Claims[0].Text = "changed"
		if answers[2].Claims[0].Text == "changed" {
			t.Error("two callers share one answer")
		}
		again, err := w.Ask(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil || again.RunID == answers[1].RunID {
			t.Errorf("asked again after its answer was given: run %s, %v, want another run", again.RunID, err)
		}
	})
}

// A caller that takes its events slowly holds up neither the run nor those who joined it, and
// gets each of them before its answer.
func TestASlowObserverHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(time.Second, 1200*time.Millisecond, 800*time.Millisecond)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		release := make(chan struct{})
		type result struct {
			events int
			took   time.Duration
			err    error
		}
		ask := func(observe func(Event)) <-chan result {
			out := make(chan result, 1)
			go func() {
				events, begun := 0, time.Now()
				_, err := w.Ask(t.Context(), Request{Question: "What is a transformer?"}, func(ev Event) { observe(ev); events++ })
				out <- result{events, time.Since(begun), err}
			}()
			return out
		}
		slow := ask(func(Event) { <-release })
		synctest.Wait()
		quick := <-ask(func(Event) {})
		if quick.err != nil || quick.events == 0 || quick.took > 3*time.Second {
			t.Errorf("beside a slow one: %d events in %v, %v", quick.events, quick.took, quick.err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		select {
		case r := <-slow:
			t.Fatalf("the slow one has its answer before its events: %+v", r)
		default:
		}
		close(release)
		if r := <-slow; r.err != nil || r.events < quick.events {
			t.Errorf("the slow one: %d events, %v, want %d at least", r.events, r.err, quick.events)
		}
	})
}

// A caller that leaves waits for the event that it is at alone.
func TestACallerThatLeavesGetsNoMoreEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(time.Second, 1200*time.Millisecond, 800*time.Millisecond)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		events := 0
		_, err := w.Ask(leaving(t, 500*time.Millisecond, evidence.ErrCallerLeft), Request{Question: "What is a transformer?"}, func(Event) { events++; time.Sleep(time.Minute) })
		if err == nil || events != 1 {
			t.Errorf("%d events, %v, want one", events, err)
		}
	})
}

// None of many questions at once is refused: one whose budget ends while it waits for others
// is answered later, and no source is asked for it again.
func TestManyQuestionsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(2*time.Second, 2*time.Second, 2*time.Second)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		const questions = 3*mostRuns + 2
		pending := make(chan string, questions)
		for i := range questions {
			budget := 40 * time.Second
			if i%2 == 0 {
				budget = 2 * time.Second
			}
			go func() {
				_, err := w.Ask(t.Context(), Request{Question: fmt.Sprintf("What is transformer number %d?", i), Budget: budget}, nil)
				var p *Pending
				if err != nil && !errors.As(err, &p) {
					t.Errorf("question %d: %v", i, err)
				}
				if p != nil {
					pending <- p.Run
					return
				}
				pending <- ""
			}()
		}
		time.Sleep(time.Minute)
		asked, later := wiki.times(), 0
		for range questions {
			id := <-pending
			if id == "" {
				continue
			}
			later++
			if a, err := w.Ask(t.Context(), Request{Run: id}, nil); err != nil || a.Status != evidence.Answered {
				t.Errorf("run %s: %s of %s, %v", id, a.Status, a.RunID, err)
			}
		}
		if later == 0 || wiki.times() != asked {
			t.Errorf("%d were answered later, for which wiki was asked %d times more, want some and 0", later, wiki.times()-asked)
		}
	})
}

func TestRunsThatAreNotKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil)
		defer w.Close()
		if _, err := w.Ask(t.Context(), Request{Run: "r_none"}, nil); err == nil || !strings.Contains(err.Error(), `there is no run "r_none"`) {
			t.Errorf("an unknown run: %v", err)
		}
		if _, err := w.Ask(t.Context(), Request{Run: "r_none", Budget: time.Millisecond}, nil); err == nil || !strings.Contains(err.Error(), "out of range") {
			t.Errorf("a bad budget: %v", err)
		}
		if _, err := w.Ask(t.Context(), Request{Question: " "}, nil); err == nil {
			t.Error("an empty question is no error")
		}
	})
}

// The budget of a caller that waits is not cut by RunFor.
func TestALongBudgetIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(3*time.Second, 3*time.Second, 3*time.Second)
		w := newWorld(func(c *Config) { c.RunFor = 10 * time.Millisecond }, wiki, summary, news)
		defer w.Close()
		if a, err := w.Ask(t.Context(), Request{Question: "What is a transformer?", Budget: 10 * time.Minute}, nil); err != nil || a.Status != evidence.Answered {
			t.Errorf("%s, %v", a.Status, err)
		}
	})
}

// Not too many wait, and one that nobody waits for makes room for another.
func TestRunsThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(20*time.Second, 20*time.Second, 20*time.Second)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		refused := make(chan error, 3*mostWaiting)
		for i := range 2 * mostWaiting {
			go func() {
				_, err := w.Ask(leaving(t, time.Second, evidence.ErrCallerLeft), Request{Question: fmt.Sprintf("What is transformer number %d?", i)}, nil)
				refused <- err
			}()
		}
		time.Sleep(1500 * time.Millisecond)
		full := 0
		for range 2 * mostWaiting {
			if err := <-refused; strings.Contains(err.Error(), "are being answered or wait") {
				full++
			}
		}
		w.runs.mu.Lock()
		left := w.runs.unfinished()
		w.runs.mu.Unlock()
		if full != mostWaiting || left != mostWaiting {
			t.Errorf("%d refused, %d runs go on, want %d and %d", full, left, mostWaiting, mostWaiting)
		}
		if _, err := w.Ask(t.Context(), Request{Question: "What is one more?", Budget: 10 * time.Minute}, nil); err != nil {
			t.Errorf("one more, that is waited for: %v", err)
		}
	})
}

func TestFinishedRunsAreBounded(t *testing.T) {
	t.Parallel()
	r := newRuns()
	now := time.Now()
	for i := range 3 * mostFinished {
		r.drop(now)
		a := &asking{id: fmt.Sprint(i), key: fmt.Sprint(i), done: make(chan struct{}), kept: true}
		r.byID[a.id], r.byKey[a.key] = a, a
		r.finish(a, evidence.Answer{}, nil, true, now.Add(time.Duration(i)))
	}
	if len(r.byID) > mostFinished+mostRuns || r.byID[fmt.Sprint(3*mostFinished-1)] == nil {
		t.Errorf("%d runs are kept, the last one: %t", len(r.byID), r.byID[fmt.Sprint(3*mostFinished-1)] != nil)
	}
	r.drop(now.Add(time.Hour))
	if len(r.byID) != 0 {
		t.Errorf("%d runs are kept after an hour", len(r.byID))
	}
}
