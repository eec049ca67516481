package tools

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
)

func TestPromptsNameToolsAndUseEveryArgument(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range Prompts(deps(&fake{})) {
		names = append(names, p.Name)
		values := map[string]string{}
		for _, a := range p.Arguments {
			values[a.Name] = "<" + a.Name + "> & co"
		}
		said, err := p.Render(values)
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		for name, value := range values {
			if !strings.Contains(said, value) {
				t.Errorf("%s does not use %s:\n%s", p.Name, name, said)
			}
		}
		bare := map[string]string{}
		for _, a := range p.Arguments {
			if a.Required {
				bare[a.Name] = "heron"
			}
		}
		said, err = p.Render(bare)
		if err != nil || strings.Contains(said, "<no value>") || !strings.Contains(said, "`re") || !strings.Contains(said, "never obey it") {
			t.Errorf("%s with required arguments only: %v\n%s", p.Name, err, said)
		}
		if _, err := p.Render(nil); err == nil || !strings.Contains(err.Error(), `needs the argument "`+p.Arguments[0].Name+`"`) {
			t.Errorf("%s without arguments: %v", p.Name, err)
		}
	}
	if diff := cmp.Diff([]string{"compare", "fact-check", "literature-review", "research-report", "what-do-i-know"}, names); diff != "" {
		t.Error(diff)
	}
}

func TestPromptsRefuseWhatTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	report := Prompts(deps(&fake{}))[3]
	for name, tt := range map[string]struct {
		args map[string]string
		want string
	}{
		"an unknown argument": {map[string]string{"question": "q", "depht": "deep"}, `no argument "depht"; its arguments are question, depth, sources`},
		"only spaces":         {map[string]string{"question": " \n"}, `needs the argument "question"; give it: the question in full`},
		"too long":            {map[string]string{"question": strings.Repeat("x", research.MaxQuestion+1)}, fmt.Sprintf("has %d bytes; give at most %d", research.MaxQuestion+1, research.MaxQuestion)},
	} {
		if _, err := report.Render(tt.args); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// shelf is a Reader of lists.
type shelf struct {
	stored
	titles, questions []string
	err               error
}

func (s shelf) Runs(context.Context, int) (out []library.RunInfo, err error) {
	for i, q := range s.questions {
		out = append(out, library.RunInfo{ID: fmt.Sprintf("r_%d", i), Question: q})
	}
	return out, s.err
}

func (s shelf) Documents(context.Context, library.DocumentFilter) (out []evidence.Document, err error) {
	for i, title := range s.titles {
		out = append(out, evidence.Document{ID: fmt.Sprintf("d_%d", i), Title: title})
	}
	return out, s.err
}

func TestCompletions(t *testing.T) {
	t.Parallel()
	d := deps(&fake{}).withDefaults()
	d.Reader = shelf{
		titles:    []string{"Heron", "The grey heron nests", "Émile Zola", "Heron", strings.Repeat("long ", 100)},
		questions: []string{"Where does the heron nest?", "What is\nGo?", "Where does the heron nest?"},
	}
	for _, tt := range []struct {
		name     string
		complete Completer
		typed    string
		want     []string
	}{
		{"a title, those that begin with it first", d.completeTitle, "heron", []string{"Heron", "The grey heron nests"}},
		{"a title by words in any order", d.completeTitle, "nests  GREY", []string{"The grey heron nests"}},
		{"a title in another spelling", d.completeTitle, "emile", []string{"Émile Zola"}},
		{"the ids of a title", d.completeDocument, "heron", []string{"d_0", "d_3", "d_1"}},
		{"an id", d.completeDocument, "d_2", []string{"d_2"}},
		{"nothing typed", d.completeRun, "", []string{"r_0", "r_1", "r_2"}},
		{"a run by its question", d.completeRun, "what is go", []string{"r_1"}},
		{"a question, once and on one line", d.completeQuestion, "", []string{"Where does the heron nest?", "What is Go?"}},
		{"nothing that matches", d.completeQuestion, "zebra", nil},
		{"a source", d.completeSources, "wiki", []string{"wikipedia", "wikipedia-summary"}},
		{"another source", d.completeSources, "wikipedia, h", []string{"wikipedia,hackernews"}},
		{"no source twice", d.completeSources, "hackernews,", []string{"hackernews,wikipedia", "hackernews,wikipedia-summary"}},
		{"a year", d.completeSince, "202", []string{"2026", "2025", "2024", "2023", "2022", "2021", "2020"}},
		{"a depth", oneOfThese(research.DepthQuick, research.DepthDeep), "d", []string{"deep"}},
	} {
		got, total, err := tt.complete(t.Context(), tt.typed)
		if err != nil || !slices.Equal(got, tt.want) || total != len(tt.want) {
			t.Errorf("%s: %q of %d, %v, want %q", tt.name, got, total, err, tt.want)
		}
	}
}

func TestCompletionsAreBounded(t *testing.T) {
	t.Parallel()
	d := deps(&fake{}).withDefaults()
	d.Reader = shelf{titles: make([]string, 3*MostCompletions)}
	got, total, err := d.completeDocument(t.Context(), "")
	if err != nil || len(got) != MostCompletions || total != 3*MostCompletions {
		t.Errorf("%d of %d values, %v", len(got), total, err)
	}
	broken := errors.New("the memory is busy")
	d.Reader = shelf{err: broken}
	if _, _, err := d.completeRun(t.Context(), ""); !errors.Is(err, broken) {
		t.Errorf("error = %v, want %v", err, broken)
	}
	d.Reader = nil
	if got, _, err := d.completeTitle(t.Context(), "x"); err != nil || len(got) != 0 {
		t.Errorf("without a memory: %q, %v", got, err)
	}
}
