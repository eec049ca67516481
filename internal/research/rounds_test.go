package research

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// doubting is a synthesizer that abstains unless some passage has the word.
type doubting struct {
	*fakeModel
	word string
}

func (d doubting) Write(ctx context.Context, in evidence.Brief, stream func(string)) (evidence.Draft, error) {
	for _, e := range in.Evidence {
		if strings.Contains(e.Passage.Text, d.word) {
			return d.fakeModel.Write(ctx, in, stream)
		}
	}
	return evidence.Draft{Abstain: true, Confidence: 0.1, Why: "what came nearest is nothing"}, nil
}

type doubtingChooser struct {
	*fakeChooser
	word string
}

func (c doubtingChooser) BuiltIn() models.Set {
	set := c.fakeChooser.BuiltIn()
	set.Synthesizer = doubting{c.builtIn, c.word}
	return set
}

func (c doubtingChooser) Choose(context.Context) models.Set { return c.BuiltIn() }

// byKeyword finds texts by whole keywords.
type byKeyword struct {
	name  string
	local bool
	texts map[string]string // by keyword, in lower case
	delay time.Duration

	mu    sync.Mutex
	asked []string
}

func (s *byKeyword) Name() string { return s.name }
func (s *byKeyword) Local() bool  { return s.local }

func (s *byKeyword) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	s.mu.Lock()
	s.asked = append(s.asked, q.Text)
	s.mu.Unlock()
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	docs := []evidence.Document{}
	if body := s.texts[strings.ToLower(q.Text)]; body != "" {
		url := "https://" + s.name + ".test/" + strings.ReplaceAll(q.Text, " ", "_")
		docs = append(docs, evidence.Document{ID: evidence.DocumentID(s.name, url, body), Source: s.name, URL: url, Title: q.Text, Text: body, Score: 1})
	}
	return docs, nil
}

// A first round without an answer is followed by one with other words; one with an
// answer, a quick question, and a local source are not.
func TestTheSecondRound(t *testing.T) {
	t.Parallel()
	poor := map[string]string{"bridge strait": "A strait is narrow water.", "strait": "A strait of water.", "collapse": "The bridge fell because of wind."}
	for _, c := range []struct {
		name, depth string
		local       bool
		word        string // that an answer has
		want        []string
		status      string
	}{
		{"poor", DepthStandard, false, "wind", []string{"bridge strait", "collapse", "bridge"}, evidence.Answered},
		{"poor, quick", DepthQuick, false, "wind", []string{"bridge strait"}, evidence.Insufficient},
		{"poor, local", DepthStandard, true, "wind", []string{"bridge strait"}, evidence.Insufficient},
		{"good", DepthStandard, false, "narrow", []string{"bridge strait"}, evidence.Answered},
		{"never good", DepthStandard, false, "nowhere", []string{"bridge strait", "collapse", "bridge"}, evidence.Insufficient},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			src := &byKeyword{name: "wiki", local: c.local, texts: poor}
			w := newWorld(nil, src)
			defer w.Close()
			w.chooser.builtIn.keywords = []string{"bridge strait"}
			w.deps.Models = doubtingChooser{w.chooser, c.word}
			var stages []string
			a, err := w.Research(t.Context(), Request{Question: "Why did the bridge collapse at the strait?", Depth: c.depth}, func(ev Event) {
				if ev.Kind == EventStage && strings.HasPrefix(ev.Stage, "second round") {
					stages = append(stages, ev.Stage)
				}
			})
			if err != nil || a.Status != c.status {
				t.Fatalf("status %q, want %q; %s; %v", a.Status, c.status, a.Answer, err)
			}
			if diff := cmp.Diff(asked(c.want), asked(a.Topics)); diff != "" {
				t.Errorf("topics (-want +got):\n%s", diff)
			}
			if (len(stages) == 1) != (len(c.want) > 1) {
				t.Errorf("progress of the second round = %q", stages)
			}
			if c.name == "poor" && (len(a.Sources) != 1 || a.Sources[0].Documents != 2) {
				t.Errorf("sources = %+v, want one with two documents", a.Sources)
			}
		})
	}
}

func asked(topics []string) map[string]bool {
	out := map[string]bool{}
	for _, t := range topics {
		out[t] = true
	}
	return out
}

// A second round does not make an answer late.
func TestTheSecondRoundKeepsTheBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		src := &byKeyword{name: "wiki", texts: map[string]string{"bridge strait": "A strait is narrow water."}, delay: 1500 * time.Millisecond}
		w := newWorld(nil, src)
		w.chooser.builtIn.keywords = []string{"bridge strait"}
		w.deps.Models = doubtingChooser{w.chooser, "nowhere"}
		begun := time.Now()
		a, err := w.Research(t.Context(), Request{Question: "Why did the bridge collapse at the strait?", Budget: 3 * time.Second}, nil)
		if took := time.Since(begun); err != nil || took > 3500*time.Millisecond {
			t.Errorf("took %s, %v; topics %q", took, err, a.Topics)
		}
		w.Close()
	})
}

func TestRespelled(t *testing.T) {
	t.Parallel()
	found := []evidence.Evidence{{Document: evidence.Document{Title: "Kubernetes"}, Passage: evidence.Passage{Text: "Kubernetes schedules containers."}}}
	for question, want := range map[string]string{
		"How does kuberntes schedule?":  "kubernetes schedule",
		"How does kubernetes schedule?": "",
		"Why?":                          "",
	} {
		if got := respelled(question, found); got != want {
			t.Errorf("respelled(%q) = %q, want %q", question, got, want)
		}
	}
}

// The words of a long question are not compared with all that was found.
func TestLongQuestionsAreNotRespelled(t *testing.T) {
	t.Parallel()
	found := []evidence.Evidence{{Passage: evidence.Passage{Text: "The kettle whistles."}}}
	if got := respelled("kettel", found); got != "kettle" {
		t.Errorf("respelled = %q", got)
	}
	if got := respelled(strings.Repeat("kettel ", 1_000), found); got != "" {
		t.Errorf("respelled has %d bytes", len(got))
	}
}
