package research

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
)

// resolvingChooser offers the built-in resolver.
type resolvingChooser struct{ *fakeChooser }

func (c resolvingChooser) BuiltIn() models.Set {
	set := c.fakeChooser.BuiltIn()
	set.Resolver = builtin.NewResolver(nil)
	return set
}

// Where nothing is found, the next step fits the question and what has failed.
func TestNextStepFitsTheQuestion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ question, want string }{
		{"Tell me more", "depends on an earlier one"},
		{"And by whom?", "depends on an earlier one"},
		{"???", "no word"},
		{"👍 👍", "no word"},
		{"https://example.org/a?b=c", "fetch that page"},
		{"see https://example.org/a", "ask in other words"},
		{"Who founded Atlantis?", "ask in other words"},
		{"Who founded the sunken city of Atlantis, and how many people lived there?", "ask in fewer words"},
	} {
		w := newWorld(nil, &fakeSource{name: "wiki"})
		w.deps.Models = resolvingChooser{w.chooser}
		a, err := w.Research(t.Context(), Request{Question: c.question}, nil)
		if err != nil || a.Status != evidence.Insufficient || !strings.Contains(a.Answer, c.want) {
			t.Errorf("%q: %s %q, %v, want %q", c.question, a.Status, a.Answer, err, c.want)
		}
		w.Close()
	}
}

func TestNextStepWhereNoSourceIsInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil, &fakeSource{name: "wiki", delay: time.Minute, texts: []string{wikiText}})
		defer w.Close()
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Budget: 2 * time.Second}, nil)
		if err != nil || !strings.Contains(a.Answer, "No source answered in time: allow more than the budget of 2s") || strings.Contains(a.Answer, "doctor") {
			t.Errorf("%q, %v", a.Answer, err)
		}
	})
}
