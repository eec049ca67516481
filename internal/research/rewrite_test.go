package research

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// pacedModel is a synthesizer that needs a while.
type pacedModel struct {
	*fakeModel
	fit   models.Fit
	takes time.Duration
	asked int

	unread int // passages that do not fit
}

func (m *pacedModel) Fit(_ context.Context, in evidence.Brief, _ time.Duration) models.Fit {
	fit := m.fit
	if !fit.TooSlow {
		fit.Brief = in
		fit.Brief.Evidence = in.Evidence[:len(in.Evidence)-m.unread]
	}
	return fit
}

func (m *pacedModel) Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error) {
	m.asked++
	select {
	case <-time.After(m.takes):
		return m.fakeModel.Write(ctx, in, stream)
	case <-ctx.Done():
		return evidence.Draft{}, &evidence.Problem{What: "the model was too slow for the time that was left", Cause: ctx.Err()}
	}
}

func draftOf(sentences ...string) *evidence.Draft {
	d := &evidence.Draft{}
	for _, s := range sentences {
		d.Sentences = append(d.Sentences, evidence.Sentence{Text: s})
	}
	return d
}

const goodSentence = "A transformer is a neural network built on attention."

// outcome is what a question with a model led to.
type outcome struct {
	answer evidence.Answer
	took   time.Duration
	shown  time.Duration // when the first text was given
	events []Event
}

// withModel asks a question of a budget of 45 s whose built-in answer quotes three
// sources, at once.
func withModel(t *testing.T, model models.Synthesizer, builtIn func(*fakeModel)) outcome {
	t.Helper()
	wiki, summary, news := three(0, 0, 0)
	w := newWorld(nil, wiki, summary, news)
	defer w.Close()
	if builtIn != nil {
		builtIn(w.chooser.builtIn)
	}
	w.chooser.set = models.Set{Embedder: w.chooser.builtIn, Synthesizer: model, Planner: w.chooser.builtIn, Summarizer: w.chooser.builtIn}
	var out outcome
	var mu sync.Mutex
	begun := time.Now()
	a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Budget: 45 * time.Second}, func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == EventText && out.events == nil {
			out.shown = time.Since(begun)
		}
		if e.Kind == EventText || e.Kind == EventRewritten {
			out.events = append(out.events, e)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	out.answer, out.took = a, time.Since(begun)
	return out
}

// A model replaces the quoted answer if it is in time and no worse. The quoted answer
// is given at once in any case.
func TestAModelThatIsSlow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		model  pacedModel
		by     string
		within time.Duration
		warned string
	}{
		{"in time", pacedModel{fit: models.Fit{Takes: 5 * time.Second}, takes: 4 * time.Second}, "slow", 4 * time.Second, ""},
		{"in time for some of the passages", pacedModel{fit: models.Fit{Takes: 5 * time.Second}, takes: 4 * time.Second, unread: 1}, "slow", 4 * time.Second, "slow had time to read 2 of 3 passages"},
		{"later than it promised", pacedModel{fit: models.Fit{Takes: 2 * time.Second}, takes: 12 * time.Second}, "built-in", 4 * time.Second, "too slow for the time"},
		{"promises more than a third of the budget", pacedModel{fit: models.Fit{Takes: time.Minute}, takes: 40 * time.Second}, "built-in", 15 * time.Second, "too slow for the time"},
		{"hangs", pacedModel{fit: models.Fit{Takes: time.Second}, takes: time.Hour}, "built-in", 3 * time.Second, "too slow for the time"},
		{"known to be too slow", pacedModel{fit: models.Fit{TooSlow: true, Problem: &evidence.Problem{What: "it reads 11 tokens a second"}}}, "built-in", 0, "reads 11"},
		{"known, and told before", pacedModel{fit: models.Fit{TooSlow: true}}, "built-in", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				model := c.model
				model.fakeModel = &fakeModel{name: "slow", draft: draftOf(goodSentence)}
				got := withModel(t, &model, func(m *fakeModel) { m.streams = true })
				if got.answer.Synthesizer != c.by || got.took > c.within || got.answer.Status != evidence.Answered {
					t.Errorf("%s by %s after %s, want %s within %s", got.answer.Status, got.answer.Synthesizer, got.took, c.by, c.within)
				}
				if all := strings.Join(got.answer.Warnings, "\n"); !strings.Contains(all, c.warned) || c.warned == "" && all != "" {
					t.Errorf("warnings %q, want %q", all, c.warned)
				}
				if got.shown != 0 || len(got.events) == 0 || got.events[0].Kind != EventText {
					t.Errorf("the quoted answer was given after %s: %+v", got.shown, got.events)
				}
				last := got.events[len(got.events)-1]
				if rewritten := last.Kind == EventRewritten && last.Text == goodSentence; rewritten != (c.by == "slow") {
					t.Errorf("last event %+v, answer by %s", last, got.answer.Synthesizer)
				}
				if model.fit.TooSlow && model.asked > 0 {
					t.Error("the model was asked")
				}
			})
		})
	}
}

// What a model writes is used only if it is as good as the quoted answer.
func TestAModelThatIsWorse(t *testing.T) {
	t.Parallel()
	sure := func(confidence float64, text string) func(*fakeModel) {
		return func(m *fakeModel) {
			m.draft = &evidence.Draft{Confidence: confidence, Sentences: []evidence.Sentence{{Text: text, Marks: []int{1}}}}
		}
	}
	for _, c := range []struct {
		name    string
		builtIn func(*fakeModel)
		draft   *evidence.Draft
		by      string
		status  string
		warned  string
	}{
		{"supported", nil, draftOf(goodSentence), "ollama/x", evidence.Answered, ""},
		{"half of it is invented", nil, draftOf(goodSentence, "Napoleon invented it in 1812.", "It weighs 12 tons."), "built-in", evidence.Answered, "of its 3 sentences too few"},
		{"all of it is invented", nil, draftOf("It was invented by Napoleon in 1812."), "built-in", evidence.Answered, "none of its sentences"},
		{"true, and beside the point", nil, draftOf("Recurrent networks were replaced."), "built-in", evidence.Answered, ""},
		{"another language", nil, draftOf("Die transformer architecture wurde 2017 veröffentlicht und hat recurrent networks ersetzt, und sie ist nicht mit attention zu verwechseln."), "built-in", evidence.Answered, "did not write this answer"},
		{"cut short", nil, &evidence.Draft{Partial: true, Why: "the stream broke off", Sentences: []evidence.Sentence{{Text: goodSentence}}}, "built-in", evidence.Answered, "the stream broke off"},
		{"nothing", nil, &evidence.Draft{}, "built-in", evidence.Answered, "it wrote nothing"},
		{"it leaves out what a sure answer says", sure(0.9, "The transformer architecture was published in 2017 and replaced recurrent networks."), draftOf(goodSentence), "built-in", evidence.Answered, "leaves out what answers"},
		{"it says what a sure answer says", sure(0.9, "The transformer architecture was published in 2017 and replaced recurrent networks."), draftOf("The transformer architecture was published in 2017."), "ollama/x", evidence.Answered, ""},
		{"the built-in one has no answer", func(m *fakeModel) {
			m.draft = &evidence.Draft{Abstain: true, Why: "nothing fits", Sentences: []evidence.Sentence{{}}}
		}, draftOf(goodSentence), "ollama/x", evidence.Partial, ""},
		{"it does not know, nor does the built-in one", func(m *fakeModel) {
			m.draft = &evidence.Draft{Abstain: true, Why: "nothing fits", Sentences: []evidence.Sentence{{}}}
		}, &evidence.Draft{Abstain: true}, "built-in", evidence.Insufficient, ""},
		{"it does not know, and the built-in one is not sure", sure(0.3, goodSentence), &evidence.Draft{Abstain: true}, "ollama/x", evidence.Insufficient, ""},
		{"it does not know, and the built-in one is sure", sure(0.9, goodSentence), &evidence.Draft{Abstain: true}, "built-in", evidence.Answered, "it found no answer"},
		{"it does not know, nor how sure the built-in one is", nil, &evidence.Draft{Abstain: true}, "built-in", evidence.Partial, "it found no answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got := withModel(t, &fakeModel{name: "ollama/x", draft: c.draft}, c.builtIn)
				a := got.answer
				if a.Synthesizer != c.by || a.Status != c.status {
					t.Errorf("%s by %s: %q, warnings %q, want %s by %s", a.Status, a.Synthesizer, a.Answer, a.Warnings, c.status, c.by)
				}
				if !strings.Contains(strings.Join(a.Warnings, "\n"), c.warned) {
					t.Errorf("warnings %q, want %q", a.Warnings, c.warned)
				}
				if strings.Contains(a.Answer, "Napoleon") || strings.Contains(a.Answer, "tons") {
					t.Errorf("an invention is in the answer: %q", a.Answer)
				}
			})
		})
	}
}
