package research

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

const (
	wikiText = "A transformer is a neural network built on attention. It dispenses with recurrence."
	newsText = "Attention lets every token of a transformer look at every other token in one step."
	sumText  = "The transformer architecture was published in 2017 and replaced recurrent networks."
)

func three(wiki, summary, news time.Duration) (*fakeSource, *fakeSource, *fakeSource) {
	return &fakeSource{name: "wiki", delay: wiki, texts: []string{wikiText}},
		&fakeSource{name: "summary", delay: summary, texts: []string{sumText}},
		&fakeSource{name: "news", delay: news, texts: []string{newsText}}
}

func statuses(a evidence.Answer) map[string]string {
	out := map[string]string{}
	for _, s := range a.Sources {
		out[s.Name] = s.Status
	}
	return out
}

func verbatim(t *testing.T, m *fakeMemory, a evidence.Answer) {
	t.Helper()
	for _, c := range a.Citations {
		d, ok := m.docs[c.DocumentID]
		if !ok || d.Text[c.Start:c.End] != c.Quote || c.Quote == "" {
			t.Errorf("citation %d: %q is not at %d:%d of its document", c.N, c.Quote, c.Start, c.End)
		}
	}
}

func TestTotalIsTheSlowestNotTheSum(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(800*time.Millisecond, 1200*time.Millisecond, 500*time.Millisecond)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		var kinds []string
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, func(e Event) {
			if e.Kind == EventSource {
				kinds = append(kinds, e.Source.Name)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != evidence.Answered || a.Timing.GatherMS != 1200 || a.Timing.SlowestSourceMS != 1200 || a.Timing.TotalMS != 1200 {
			t.Errorf("status %s, timing %+v, want answered in 1200 ms", a.Status, a.Timing)
		}
		if diff := cmp.Diff([]string{"news", "wiki", "summary"}, kinds); diff != "" {
			t.Errorf("source events (-want +got):\n%s", diff)
		}
		if len(a.Citations) != 3 || len(w.memory.docs) != 3 {
			t.Errorf("%d citations, %d documents, want 3 and 3", len(a.Citations), len(w.memory.docs))
		}
		verbatim(t, w.memory, a)
		// No barrier between the steps: the fast source's document was in the
		// memory while the slow one was still on its way.
		newsID := evidence.DocumentID("news", "https://news.test/0", newsText)
		sumID := evidence.DocumentID("summary", "https://summary.test/0", sumText)
		if ahead := w.memory.at[sumID].Sub(w.memory.at[newsID]); ahead != 700*time.Millisecond {
			t.Errorf("the fast document was kept %v before the slow one, want 700ms", ahead)
		}
	})
}

func TestAFailingSourceLosesNothingElse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		break_     func(*fakeSource)
	}{
		{"error", evidence.StatusError, func(s *fakeSource) { s.err = errDown }},
		{"panic", evidence.StatusError, func(s *fakeSource) { s.panic = true }},
		{"its own deadline", evidence.StatusTimeout, func(s *fakeSource) { s.err = context.DeadlineExceeded }},
		{"throttled", evidence.StatusThrottled, func(s *fakeSource) { s.err = throttled{} }},
		{"nothing there", evidence.StatusEmpty, func(s *fakeSource) { s.texts = nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				wiki, summary, news := three(80*time.Millisecond, 120*time.Millisecond, 50*time.Millisecond)
				c.break_(wiki)
				w := newWorld(nil, wiki, summary, news)
				defer w.Close()
				a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
				if err != nil {
					t.Fatal(err)
				}
				want := map[string]string{"wiki": c.want, "summary": "ok", "news": "ok"}
				if diff := cmp.Diff(want, statuses(a)); diff != "" || a.Status != evidence.Answered {
					t.Errorf("%s, sources (-want +got):\n%s", a.Status, diff)
				}
			})
		})
	}
}

type throttled struct{}

func (throttled) Error() string        { return "wiki.test asks to wait" }
func (throttled) SourceStatus() string { return evidence.StatusThrottled }

func TestAHangingSourceCostsTheSoftBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(6*time.Second, 1200*time.Millisecond, 500*time.Millisecond)
		w := newWorld(nil, wiki, summary, news)
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(500 + 2500); a.Timing.GatherMS != want {
			t.Errorf("gather_ms = %d, want %d", a.Timing.GatherMS, want)
		}
		if diff := cmp.Diff(map[string]string{"wiki": "timeout", "summary": "ok", "news": "ok"}, statuses(a)); diff != "" || a.Status != evidence.Answered {
			t.Errorf("%s, sources (-want +got):\n%s", a.Status, diff)
		}
		// The straggler goes on in the background and fills the memory.
		id := evidence.DocumentID("wiki", "https://wiki.test/0", wikiText)
		if _, ok, _ := w.memory.Document(t.Context(), id); ok {
			t.Error("the straggler's document is there before the straggler answered")
		}
		time.Sleep(4 * time.Second) // synthetic
		synctest.Wait()
		if _, ok, _ := w.memory.Document(t.Context(), id); !ok {
			t.Error("the straggler's document was lost")
		}
		for id, doc := range w.memory.docs {
			if doc.Meta[evidence.MetaSession] != a.Session {
				t.Errorf("document %s belongs to session %q, want %q", id, doc.Meta[evidence.MetaSession], a.Session)
			}
		}
		w.Close()
	})
}

func TestCloseEndsStragglers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(time.Hour, 10*time.Millisecond, 10*time.Millisecond)
		w := newWorld(nil, wiki, summary, news)
		if _, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		w.Close()
		if took := time.Since(begun); took != 0 {
			t.Errorf("Close took %v, want none", took)
		}
		if len(wiki.ended) == 0 || !errors.Is(wiki.ended[0], context.Canceled) {
			t.Errorf("the straggler ended with %v, want canceled", wiki.ended)
		}
	})
}

func TestACancelledQuestionIsAnErrorAndReachesTheSources(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(time.Second, time.Second, time.Second)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		before, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.Research(before, Request{Question: "What is a transformer?"}, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before: err = %v, want canceled", err)
		}
		during, cancel := context.WithCancel(t.Context())
		time.AfterFunc(300*time.Millisecond, cancel)
		begun := time.Now()
		_, err := w.Research(during, Request{Question: "What is a transformer?"}, nil)
		if !errors.Is(err, context.Canceled) || time.Since(begun) != 300*time.Millisecond {
			t.Errorf("cancelled during: err = %v after %v, want canceled after 300ms", err, time.Since(begun))
		}
		synctest.Wait()
		if len(wiki.ended) != 1 || wiki.ended[0] == nil {
			t.Errorf("the source ended with %v, want its context cancelled", wiki.ended)
		}
	})
}

func TestABudgetAlwaysGivesAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(time.Hour, time.Hour, time.Hour)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		w.memory.remember("wikipedia", wikiText)
		begun := time.Now()
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Budget: 4 * time.Second}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 4*time.Second || a.Status != evidence.Partial || len(a.Citations) != 1 {
			t.Errorf("%s after %v with %d citations, want partial within 4s with 1", a.Status, took, len(a.Citations))
		}
	})
}

func TestAllSourcesDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(0, 0, 0)
		wiki.err, summary.err, news.err = errDown, errDown, errDown
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != evidence.Insufficient || len(a.Citations) != 0 || !strings.Contains(a.Answer, "wiki.test answered 500") || !strings.Contains(a.Answer, "memory") {
			t.Errorf("%s: %s", a.Status, a.Answer)
		}
		w.memory.remember("wikipedia", wikiText)
		if a, err = w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil); err != nil || a.Status != evidence.Partial {
			t.Errorf("with a memory: %s, %v, want partial", a.Status, err)
		}
		verbatim(t, w.memory, a)
	})
}

func TestAMemoryThatRefusesIsAWarning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(0, 0, 0)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		w.memory.err = errors.New("disk full")
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
		want := []string{"3 documents were read but not kept: disk full"} // one for a cause
		if err != nil || a.Status != evidence.Answered || !slices.Equal(a.Warnings, want) {
			t.Errorf("%s, %v, warnings %q, want %q", a.Status, err, a.Warnings, want)
		}
		for _, c := range a.Citations {
			if c.DocumentID != "" {
				t.Errorf("the id %s of a document that was not kept is shown", c.DocumentID)
			}
		}
		read, err := w.Read(t.Context(), ReadRequest{Query: "transformer"}, nil)
		if err != nil || len(read.Documents) == 0 || read.Documents[0].ID != "" || len(read.Warnings) != 1 {
			t.Errorf("Read = %+v, %v, want documents without ids and one warning", read, err)
		}
	})
}

// A turn that is not stored has no ids, unless they are of a session that was there.
func TestATurnThatIsNotStoredHasNoIDs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(0, 0, 0)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		first, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil || first.Session == "" || first.RunID == "" || len(first.Citations) == 0 || first.Citations[0].DocumentID == "" {
			t.Fatalf("%+v, %v: want ids", first, err)
		}
		w.sessions.refuse(errors.New("disk full"))
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil || a.Session != "" || a.RunID != "" || len(a.Warnings) != 1 {
			t.Errorf("session %q, run %q, %v, warnings %q: want no ids and one warning", a.Session, a.RunID, err, a.Warnings)
		}
		a, err = w.Research(t.Context(), Request{Question: "What is attention?", Session: first.Session}, nil)
		if err != nil || a.Session != first.Session || a.RunID != "" {
			t.Errorf("in an older session: session %q, run %q, %v", a.Session, a.RunID, err)
		}
	})
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(nil, &fakeSource{name: "wiki"}, &fakeSource{name: "news"})
	t.Cleanup(w.Close)
	for _, c := range []struct {
		name string
		req  Request
		want string
	}{
		{"empty", Request{Question: " \n"}, "question is empty"},
		{"invisible characters", Request{Question: "\u200b\u2060\ufeff \U000E0041"}, "question is empty"},
		{"letters without ink", Request{Question: "\u3164 \u2800"}, "question is empty"},
		{"language", Request{Question: "q", Language: "en_US"}, `"en_US" is not a language tag`},
		{"100 kB", Request{Question: strings.Repeat("x", 100_000)}, "100000 bytes"},
		{"not text", Request{Question: "a\xff"}, "UTF-8"},
		{"unknown source", Request{Question: "q", Sources: []string{"bing"}}, "choose from: news, wiki"},
		{"a day", Request{Question: "q", Budget: 24 * time.Hour}, "24h0m0s"},
		{"negative", Request{Question: "q", Budget: -1}, "out of range"},
		{"depth", Request{Question: "q", Depth: "bottomless"}, "quick, standard or deep"},
		{"session", Request{Question: "q", Session: "s_nope"}, "s_nope"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := w.Research(t.Context(), c.req, nil)
			if p := evidence.AsProblem(err); !p.Usage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want a usage problem with %q", err, c.want)
			}
		})
	}
}

func TestSessionIsFolded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(0, 0, 0)
		w := newWorld(nil, wiki, summary, news)
		session := ""
		for range 3 {
			a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Session: session}, nil)
			if err != nil {
				t.Fatal(err)
			}
			session = a.Session
		}
		w.Close()
		s, err := w.sessions.Open(t.Context(), session)
		if err != nil || len(s.Turns) != 3 || strings.Count(s.Summary, "user: ") != 2 {
			t.Errorf("%d turns, summary %q, %v, want 3 turns and the first three messages folded", len(s.Turns), s.Summary, err)
		}
	})
}

func TestAModelPlansBesideTheFanOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(800*time.Millisecond, 800*time.Millisecond, 800*time.Millisecond)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		model := &fakeModel{name: "ollama/x", keywords: []string{"self-attention"}, planning: 300 * time.Millisecond}
		w.chooser.set = models.Set{Embedder: model, Synthesizer: model, Planner: model, Summarizer: model}
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"transform", "self-attention"}, a.Topics); diff != "" || a.Timing.GatherMS != 1100 {
			t.Errorf("gather_ms %d, topics (-want +got):\n%s", a.Timing.GatherMS, diff)
		}
	})
}
