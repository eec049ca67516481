package research

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// The answer of a run is not given for another question, whether the run has its answer or
// is at work, here or in another process. Its own question may be written otherwise.
func TestARunIsNotTheAnswerOfAnotherQuestion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		answered bool
		by       int // of two processes, the one that is asked for the run of the first
	}{
		{"answered", true, 0}, {"at work", false, 0}, {"at work elsewhere", false, 1}, {"answered elsewhere", true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				all, claims := replicas(2, 3*time.Second)
				for _, w := range all {
					defer w.Close()
				}
				id := all[0].beginRun(t, claims[0])
				if c.answered {
					time.Sleep(time.Minute)
					synctest.Wait()
				}
				begun := time.Now()
				for _, other := range []string{"What is a tokenizer?", "transformer", strings.Repeat("What is attention? ", 40)} {
					a, err := all[c.by].Ask(t.Context(), Request{Run: id, Question: other}, nil)
					if err == nil || !evidence.AsProblem(err).Usage {
						t.Fatalf("%.40q got %s, %q, %v", other, a.Status, a.Answer, err)
					}
					for _, want := range []string{id, `"What is a transformer?"`, strings.TrimSpace(other[:min(len(other), 100)]), "leave run_id out", "the run's question"} {
						if !strings.Contains(err.Error(), want) {
							t.Errorf("%.40q: %q does not say %q", other, err, want)
						}
					}
				}
				if took := time.Since(begun); took > 0 {
					t.Errorf("the refusals took %v", took)
				}
				for _, same := range []string{"", "What is a transformer?", " what  is a TRANSFORMER", "\t"} {
					if a, err := all[c.by].Ask(t.Context(), Request{Run: id, Question: same}, nil); err != nil || a.Question != "What is a transformer?" || a.Answer == "" {
						t.Errorf("%q: %q, %q, %v", same, a.Question, a.Answer, err)
					}
				}
			})
		})
	}
}

// A question of a forgotten answer is told to nobody.
func TestAForgottenQuestionIsNotNamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(time.Second, time.Second, time.Second)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		a, err := w.Ask(t.Context(), Request{Question: "What is a transformer?"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.sessions.mu.Lock()
		clear(w.sessions.all)
		w.sessions.mu.Unlock()
		if _, err := w.Ask(t.Context(), Request{Run: a.RunID, Question: "What is a tokenizer?"}, nil); err == nil || strings.Contains(err.Error(), "transformer") || !strings.Contains(err.Error(), "there is no run") {
			t.Errorf("got %v", err)
		}
	})
}
