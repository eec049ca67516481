package research

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// dividing divides every question into the same parts.
type dividing []string

func (d dividing) Parts(context.Context, string, int) ([]string, error) { return d, nil }

// selective quotes what has the first word of the question, and abstains if nothing has.
type selective struct{ *fakeModel }

func (s selective) Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error) {
	word, _, _ := strings.Cut(in.Question, " ")
	var d evidence.Draft
	for i, e := range in.Evidence {
		if strings.Contains(e.Passage.Text, word) {
			d.Sentences = append(d.Sentences, evidence.Sentence{Text: e.Passage.Text, Marks: []int{i + 1}, Quotes: []evidence.Span{{Start: e.Passage.Start, End: e.Passage.End}}})
		}
	}
	return evidence.Draft{Sentences: d.Sentences, Abstain: len(d.Sentences) == 0, Confidence: 0.8}, ctx.Err()
}

type dividingChooser struct {
	*fakeChooser
	parts []string
}

func (c dividingChooser) BuiltIn() models.Set {
	set := c.fakeChooser.BuiltIn()
	set.Synthesizer, set.Divider = selective{c.builtIn}, dividing(c.parts)
	return set
}

func (c dividingChooser) Choose(context.Context) models.Set { return c.BuiltIn() }

// A deep question of several parts is answered by a report: each part is searched, ranked
// and quoted by itself, one without an answer is searched for again, and what is still
// missing is said.
func TestADeepReport(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"gamma deploy": "Gamma is a tool.", "alpha start": "Alpha starts first.", "beta end": "Beta ends last.", "deploy": "Deploying Delta takes a minute.",
	}
	parts := []string{"Alpha start", "Beta end", "Delta deploy", "Omega nowhere"}
	src := &byKeyword{name: "wiki", texts: texts}
	w := newWorld(nil, src)
	defer w.Close()
	w.deps.Models = dividingChooser{w.chooser, parts}
	var stages, text []string
	a, err := w.Research(t.Context(), Request{Question: "Gamma deploy", Depth: DepthDeep}, func(ev Event) {
		switch ev.Kind {
		case EventStage:
			stages = append(stages, ev.Stage)
		case EventText:
			text = append(text, ev.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "## Alpha start\n\nAlpha starts first. [1]\n\n## Beta end\n\nBeta ends last. [2]\n\n## Delta deploy\n\nDeploying Delta takes a minute. [3]"
	if diff := cmp.Diff(want, a.Answer); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if a.Status != evidence.Partial || !strings.Contains(strings.Join(a.Warnings, "\n"), "no answer was found to: Omega nowhere") {
		t.Errorf("status %q, warnings %q", a.Status, a.Warnings)
	}
	if !strings.Contains(strings.Join(stages, "\n"), "second round: ") {
		t.Errorf("stages = %q, want a second round", stages)
	}
	if len(text) != 1 || !strings.HasPrefix(text[0], "## Alpha start") {
		t.Errorf("the text that was shown = %q", text)
	}
	if a.Confidence != 0.8 || len(a.Citations) != 3 {
		t.Errorf("confidence %v, citations %+v", a.Confidence, a.Citations)
	}
}

// patient is a synthesizer that takes its time for the parts of a question.
type patient struct {
	selective
	quick string // the question that it answers at once
}

func (p patient) Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error) {
	if in.Question != p.quick {
		select {
		case <-time.After(time.Minute):
		case <-ctx.Done():
			return evidence.Draft{}, ctx.Err()
		}
	}
	return p.selective.Write(ctx, in, stream)
}

type patientChooser struct {
	dividingChooser
	quick string
}

func (c patientChooser) BuiltIn() models.Set {
	set := c.dividingChooser.BuiltIn()
	set.Synthesizer = patient{selective{c.builtIn}, c.quick}
	return set
}

func (c patientChooser) Choose(context.Context) models.Set { return c.BuiltIn() }

// A report that is not ready in time is left out, and the question answered as one.
func TestAReportKeepsTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &byKeyword{name: "wiki", texts: map[string]string{"alpha start": "Alpha starts first.", "beta end": "Beta ends last."}}
		w := newWorld(nil, src)
		w.deps.Models = patientChooser{dividingChooser{w.chooser, []string{"Alpha start?", "Beta end?"}}, "Alpha start"}
		begun := time.Now()
		a, err := w.Research(t.Context(), Request{Question: "Alpha start", Depth: DepthDeep, Budget: 4 * time.Second}, nil)
		if took := time.Since(begun); err != nil || took > 4500*time.Millisecond || a.Answer != "Alpha starts first. [1]" {
			t.Errorf("took %s: %q, %v", took, a.Answer, err)
		}
		w.Close()
	})
}

// At other depths, and where fewer than two parts have an answer, the question is
// answered as one.
func TestAQuestionOfPartsAnsweredAsOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		depth string
		parts []string
	}{{DepthStandard, []string{"Alpha start", "Beta end"}}, {DepthDeep, []string{"Alpha start", "Omega nowhere"}}, {DepthDeep, nil}} {
		src := &byKeyword{name: "wiki", texts: map[string]string{"alpha start": "Alpha starts first.", "beta end": "Beta ends last."}}
		w := newWorld(nil, src)
		w.deps.Models = dividingChooser{w.chooser, c.parts}
		a, err := w.Research(t.Context(), Request{Question: "Alpha start", Depth: c.depth}, nil)
		if err != nil || a.Answer != "Alpha starts first. [1]" || a.Status != evidence.Answered {
			t.Errorf("%+v: %q, %q, %v", c, a.Status, a.Answer, err)
		}
		w.Close()
	}
}

// unconvinced quotes as selective does, and is not sure of it; without is what it finds
// no answer in.
type unconvinced struct {
	selective
	name, without string
}

func (u unconvinced) Name() string { return u.name }
func (u unconvinced) Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error) {
	if u.without != "" && strings.HasPrefix(in.Question, u.without) {
		return evidence.Draft{Abstain: true}, nil
	}
	d, err := u.selective.Write(ctx, in, stream)
	d.Confidence = 0.4
	return d, err
}

type unconvincedChooser struct{ dividingChooser }

func (c unconvincedChooser) BuiltIn() models.Set {
	set := c.dividingChooser.BuiltIn()
	set.Synthesizer = unconvinced{selective{c.builtIn}, "built-in", ""}
	return set
}

func (c unconvincedChooser) Choose(context.Context) models.Set {
	set := c.BuiltIn()
	set.Synthesizer = unconvinced{selective{c.builtIn}, "model", "Beta"}
	return set
}

// A part in which a model finds no answer, and the quotes are doubtful, is named.
func TestAReportNamesWhatAModelDoesNotAnswer(t *testing.T) {
	t.Parallel()
	src := &byKeyword{name: "wiki", texts: map[string]string{"alpha start": "Alpha starts first.", "beta end": "Beta ends last."}}
	w := newWorld(nil, src)
	defer w.Close()
	w.deps.Models = unconvincedChooser{dividingChooser{w.chooser, []string{"Alpha start", "Beta end"}}}
	a, err := w.Research(t.Context(), Request{Question: "Alpha start", Depth: DepthDeep}, nil)
	if err != nil || strings.Contains(a.Answer, "Beta") || !strings.Contains(strings.Join(a.Warnings, "\n"), "no answer was found to: Beta end") {
		t.Errorf("%q, %q, %v", a.Answer, a.Warnings, err)
	}
}

// Headings begin with a capital, whatever the script.
func TestHeading(t *testing.T) {
	t.Parallel()
	for question, want := range map[string]string{
		"alpha start?": "## Alpha start?", "était-ce tôt ?": "## Était-ce tôt ?", "ёлка?": "## Ёлка?", "何ですか": "## 何ですか", "3 boats?": "## 3 boats?", "": "## ",
	} {
		if got := heading(question); got != want {
			t.Errorf("heading(%q) = %q, want %q", question, got, want)
		}
	}
}
