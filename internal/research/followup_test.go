package research

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// completing is a resolver that completes every question of a session.
type completing struct{ more bool }

func (c completing) Resolve(_ context.Context, question string, s evidence.Session) (models.Resolved, error) {
	return models.Resolved{Question: "completed: " + question, FollowUp: true, More: c.more}, nil
}

// completingChooser offers a resolver, which the fake models are none of.
type completingChooser struct {
	*fakeChooser
	more bool
}

func (c completingChooser) BuiltIn() models.Set {
	set := c.fakeChooser.BuiltIn()
	set.Resolver = completing{c.more}
	return set
}

// A follow-up is searched, ranked and planned in its completed form, and shown and
// stored as it was asked. The documents of the last answer take part although the
// sources do not find them again.
func TestFollowUps(t *testing.T) {
	t.Parallel()
	source := &fakeSource{name: "wiki", texts: []string{"The transistor was invented by Bardeen at Bell Labs in 1947."}}
	w := newWorld(nil, source)
	defer w.Close()
	w.deps.Models = completingChooser{fakeChooser: w.chooser}
	first, err := w.Research(t.Context(), Request{Question: "Who invented the transistor?"}, nil)
	if err != nil || first.Question != "Who invented the transistor?" || len(first.Citations) != 1 {
		t.Fatalf("%+v, %v", first, err)
	}
	source.texts = []string{"Something else entirely, about cats."}
	second, err := w.Research(t.Context(), Request{Question: "When?", Session: first.Session}, nil)
	if err != nil || second.Question != "When?" {
		t.Fatalf("%+v, %v", second, err)
	}
	if !strings.HasPrefix(second.Topics[0], "complet") {
		t.Errorf("topics = %q, want those of the completed question", second.Topics)
	}
	found := false
	for _, p := range second.Evidence {
		found = found || p.DocumentID == first.Citations[0].DocumentID
	}
	if !found {
		t.Errorf("the last answer's document is not among the evidence: %+v", second.Evidence)
	}
	s, err := w.sessions.Open(t.Context(), first.Session)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, turn := range s.Turns {
		if turn.Role == evidence.RoleUser {
			said = append(said, turn.Text)
		}
	}
	if diff := cmp.Diff([]string{"Who invented the transistor?", "When?"}, said); diff != "" {
		t.Errorf("stored questions (-want +got):\n%s", diff)
	}
}

// A question without a session is not completed.
func TestAFirstQuestionStandsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(nil, &fakeSource{name: "wiki", texts: []string{wikiText}})
	defer w.Close()
	w.deps.Models = completingChooser{fakeChooser: w.chooser}
	a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
	if err != nil || strings.Contains(strings.Join(a.Topics, " "), "complet") {
		t.Errorf("topics = %q, %v", a.Topics, err)
	}
}
