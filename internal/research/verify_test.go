package research

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

func passage(title, body string) evidence.Evidence {
	d := evidence.Document{ID: evidence.DocumentID("t", title, body), Source: "t", Title: title, Text: "Head. " + body}
	return evidence.Evidence{Document: d, Passage: evidence.Passage{DocumentID: d.ID, Start: 6, End: 6 + len(body), Text: body}}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	ranked := []evidence.Evidence{
		passage("BERT", "BERT was introduced in October 2018 by researchers at Google. It is trained to predict masked words. It was not trained on dialogue."),
		passage("GPT", "GPT-3 has 175 billion parameters. It predicts the next word of a text from the words before it."),
	}
	for _, c := range []struct {
		name, text string
		marks      []int
		want       string
		cites      int // index of the passage, -1 for none
	}{
		{"paraphrase", "BERT was introduced by Google researchers in 2018.", []int{1}, evidence.Supported, 0},
		{"no mark: attributed", "GPT-3 has 175 billion parameters.", nil, evidence.Supported, 1},
		{"wrong mark: moved", "GPT-3 has 175 billion parameters.", []int{1}, evidence.Supported, 1},
		{"mark out of range", "GPT-3 has 175 billion parameters.", []int{7}, evidence.Supported, 1},
		{"wrong year", "BERT was introduced in October 2016 by researchers at Google.", []int{1}, evidence.Unsupported, -1},
		{"wrong name", "BERT was introduced in October 2018 by researchers at Microsoft.", []int{1}, evidence.Unsupported, -1},
		{"wrong number", "GPT-3 has 17 billion parameters.", []int{2}, evidence.Unsupported, -1},
		{"denied", "BERT is not trained to predict masked words.", []int{1}, evidence.Unsupported, -1},
		{"announces what does not follow", "GPT-3 has 175 billion parameters:", []int{2}, evidence.Unsupported, -1},
		{"announces, with marks of Markdown", "**The number of parameters of GPT-3 is as follows:**", []int{2}, evidence.Unsupported, -1},
		{"announces in another script", "GPT-3 has 175 billion parameters：", []int{2}, evidence.Unsupported, -1},
		{"made up", "Elephants sleep standing up in the savanna.", []int{1}, evidence.Unsupported, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := newVerifier(ranked, nil).check(t.Context(), evidence.Draft{Sentences: []evidence.Sentence{{Text: c.text, Marks: c.marks}}})[0]
			if got.verdict != c.want {
				t.Fatalf("%q: %s (%s), want %s", c.text, got.verdict, got.why, c.want)
			}
			if c.cites >= 0 && (len(got.proofs) == 0 || got.proofs[0].Evidence != c.cites) {
				t.Errorf("%q: proofs %+v, want passage %d", c.text, got.proofs, c.cites)
			}
			if got.verdict != evidence.Supported && got.why == "" {
				t.Error("a verdict other than supported must say why")
			}
		})
	}
}

func TestAQuoteThatIsNotAtItsOffsetsIsNotTrusted(t *testing.T) {
	t.Parallel()
	ranked := []evidence.Evidence{passage("BERT", "BERT is trained to predict masked words.")}
	draft := evidence.Draft{Sentences: []evidence.Sentence{{Text: "Elephants sleep standing.", Marks: []int{1}, Quotes: []evidence.Span{{Start: 6, End: 20}}}}}
	if got := newVerifier(ranked, nil).check(t.Context(), draft)[0]; got.verdict != evidence.Unsupported {
		t.Errorf("verdict %s, want unsupported", got.verdict)
	}
}

func TestAQuoteThatIsTakenBackIsCompleted(t *testing.T) {
	t.Parallel()
	quote := "The mill is often said to be haunted."
	ranked := []evidence.Evidence{passage("Mill", quote+" In fact, an owl lives there.")}
	draft := evidence.Draft{Sentences: []evidence.Sentence{{Text: quote, Marks: []int{1}, Quotes: []evidence.Span{{Start: 6, End: 6 + len(quote)}}}}}
	got := newVerifier(ranked, nil).check(t.Context(), draft)[0]
	if got.verdict != evidence.Supported || got.text != quote+" In fact, an owl lives there." || got.proofs[0].Span.End != len(ranked[0].Document.Text) {
		t.Errorf("%s: %q with %+v", got.verdict, got.text, got.proofs)
	}
}

func TestEachPassageThatSupportsIsCited(t *testing.T) {
	t.Parallel()
	ranked := []evidence.Evidence{passage("A", "GPT-3 has 175 billion parameters."), passage("B", "GPT-3 has 175 billion parameters in 96 layers.")}
	draft := evidence.Draft{Sentences: []evidence.Sentence{{Text: "GPT-3 has 175 billion parameters.", Marks: []int{1, 2}}}}
	if got := newVerifier(ranked, nil).check(t.Context(), draft)[0]; got.verdict != evidence.Supported || len(got.proofs) != 2 {
		t.Errorf("%s with %+v, want two proofs", got.verdict, got.proofs)
	}
}

func TestWhatIsNotSupportedLeavesTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wiki, summary, news := three(0, 0, 0)
		w := newWorld(nil, wiki, summary, news)
		defer w.Close()
		model := &fakeModel{name: "ollama/x", draft: &evidence.Draft{Sentences: []evidence.Sentence{
			{Text: "The transformer architecture was published in 2017."}, {Text: "It was invented by Napoleon in 1812."},
		}}}
		w.chooser.set = models.Set{Embedder: model, Synthesizer: model, Planner: w.chooser.builtIn, Summarizer: w.chooser.builtIn}
		a, err := w.Research(t.Context(), Request{Question: "When was the transformer published?"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != evidence.Answered || strings.Contains(a.Answer, "Napoleon") || len(a.Claims) != 2 || a.Claims[1].Verdict != evidence.Unsupported || a.Synthesizer != "ollama/x" {
			t.Errorf("%s by %s: %q, claims %+v", a.Status, a.Synthesizer, a.Answer, a.Claims)
		}
		verbatim(t, w.memory, a)
	})
}

func TestAModelThatFailsOrInventsIsReplacedByQuotes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		model *fakeModel
	}{
		{"fails", &fakeModel{name: "ollama/x", err: errors.New("model runner has crashed")}},
		{"sees no answer", &fakeModel{name: "ollama/x", draft: &evidence.Draft{Abstain: true, Sentences: []evidence.Sentence{{}}}}},
		{"invents", &fakeModel{name: "ollama/x", draft: &evidence.Draft{Sentences: []evidence.Sentence{{Text: "It was invented by Napoleon in 1812."}}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				wiki, summary, news := three(0, 0, 0)
				w := newWorld(nil, wiki, summary, news)
				defer w.Close()
				w.chooser.set = models.Set{Embedder: w.chooser.builtIn, Synthesizer: c.model, Planner: w.chooser.builtIn, Summarizer: w.chooser.builtIn}
				a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
				want := evidence.Answered
				if c.model.draft != nil && c.model.draft.Abstain {
					want = evidence.Partial
				}
				if err != nil || a.Status != want || a.Synthesizer != "built-in" || len(a.Warnings) == 0 {
					t.Errorf("%s by %s, %v, warnings %q", a.Status, a.Synthesizer, err, a.Warnings)
				}
			})
		})
	}
}
