package research

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/models"
)

// locked waits as for another process's write lock: until ctx ends, a minute at
// most.
func locked(ctx context.Context) error {
	select {
	case <-time.After(time.Minute):
		return errors.New("another process has kept the memory busy")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lockedMemory and lockedSessions cannot be written to.
type (
	lockedMemory   struct{ *fakeMemory }
	lockedSessions struct{ *fakeSessions }
)

func (lockedMemory) Put(ctx context.Context, _ evidence.Document, _ evidence.Chunks) (evidence.Receipt, error) {
	return evidence.Receipt{}, locked(ctx)
}

func (lockedSessions) Append(ctx context.Context, _ string, _ ...evidence.Turn) error {
	return locked(ctx)
}

// lockedFold is locked for summaries alone.
type lockedFold struct{ *fakeSessions }

func (lockedFold) Fold(ctx context.Context, _ string, _, _ int64, _ string) (bool, error) {
	return false, locked(ctx)
}

func TestALockedMemoryDoesNotCostTheAnswerItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(time.Second, time.Second, time.Second)
		w := newWorld(nil, wiki, summary, news)
		w.store(func(d *library.Deps) { d.Memory = lockedMemory{w.memory} })
		w.deps.Sessions = lockedSessions{w.sessions}
		begun := time.Now()
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Budget: 10 * time.Second}, nil)
		if err != nil || a.Status != evidence.Answered || len(a.Citations) != 3 {
			t.Errorf("%s with %d citations, %v, want answered with 3", a.Status, len(a.Citations), err)
		}
		if took := time.Since(begun); took > 10*time.Second+leastKeep {
			t.Errorf("a budget of 10s took %v", took)
		}
		if all := strings.Join(a.Warnings, " "); !strings.Contains(all, "still being stored") || !strings.Contains(all, "stored in the background") {
			t.Errorf("warnings %q do not tell", a.Warnings)
		}
		begun = time.Now()
		w.Close()
		if took := time.Since(begun); took > lastGrace+100*time.Millisecond {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestCloseDoesNotWaitForALockedFold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(func(c *Config) { c.FoldAfter, c.FoldKeep = 2, 1 }, &fakeSource{name: "wiki", texts: []string{wikiText}})
		w.deps.Sessions = lockedFold{w.sessions}
		if _, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		w.Close()
		if took := time.Since(begun); took > lastGrace+100*time.Millisecond {
			t.Errorf("Close took %v", took)
		}
		if _, err := w.Research(t.Context(), Request{Question: "And now?"}, nil); err == nil {
			t.Error("a question after Close was taken")
		}
	})
}

// slowEmbedder never gives a vector.
type slowEmbedder struct{ *fakeModel }

func (slowEmbedder) Embed(ctx context.Context, _ []string) ([][]float32, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestASlowEmbedderLosesNoDocument(t *testing.T) {
	t.Parallel()
	for _, budget := range []time.Duration{4 * time.Second, 45 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			source := &fakeSource{name: "wiki", delay: time.Second, texts: []string{wikiText, newsText, sumText, "Four is a text.", "Five is a text."}}
			w := newWorld(nil, source)
			defer w.Close()
			w.chooser.set = models.Set{Embedder: slowEmbedder{&fakeModel{name: "big"}}, Synthesizer: w.chooser.builtIn, Planner: w.chooser.builtIn, Summarizer: w.chooser.builtIn}
			a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Budget: budget}, nil)
			if err != nil || a.Status != evidence.Answered || len(w.memory.docs) != 5 {
				t.Errorf("budget %v: %s, %v, %d documents kept, want answered and 5", budget, a.Status, err, len(w.memory.docs))
			}
			got, err := w.Read(t.Context(), ReadRequest{Query: "transformer", Budget: budget}, nil)
			if err != nil || len(got.Documents) != 5 {
				t.Errorf("budget %v: %d documents read, %v, want 5", budget, len(got.Documents), err)
			}
		})
	}
}

func TestAPanicCostsOneStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(0, 0, 0)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		w.store(func(d *library.Deps) {
			whole := d.Chunk
			d.Chunk = func(s string) []evidence.Chunk {
				if s == wikiText {
					panic("index out of range")
				}
				return whole(s)
			}
		})
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil || a.Status != evidence.Answered || len(a.Citations) != 2 {
			t.Errorf("%s with %d citations, %v, want answered with the other 2", a.Status, len(a.Citations), err)
		}
	})
}

func TestASoftBudgetHoldsWithoutADocument(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		sources []Source
		model   *fakeModel
		want    time.Duration
	}{
		{"one is empty, one hangs", []Source{&fakeSource{name: "a"}, &fakeSource{name: "b", delay: time.Hour}}, nil, 2500 * time.Millisecond},
		{"all are down, the planner hangs", []Source{&fakeSource{name: "a", err: errDown}}, &fakeModel{name: "big", planning: time.Hour}, 2500 * time.Millisecond},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(nil, c.sources...)
			defer w.Close()
			w.memory.remember("wiki", wikiText)
			if c.model != nil {
				w.chooser.set = models.Set{Embedder: w.chooser.builtIn, Synthesizer: w.chooser.builtIn, Planner: c.model, Summarizer: c.model}
			}
			begun := time.Now()
			if _, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil); err != nil || time.Since(begun) != c.want {
				t.Errorf("%s: answered after %v, %v, want %v", c.name, time.Since(begun), err, c.want)
			}
		})
	}
}

func TestASourcesOwnMarksAreNotOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil, &fakeSource{name: "wiki", texts: []string{"A transformer is built on attention, see [2] for the proof."}})
		defer w.Close()
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil || strings.Contains(a.Answer, "[2]") || !strings.Contains(a.Answer, "(2)") || !strings.Contains(a.Citations[0].Quote, "[2]") {
			t.Errorf("answer %q, quote %q, %v", a.Answer, a.Citations[0].Quote, err)
		}
	})
}
