package research

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// echoing finds the same document with every keyword, each time with another
// score and date, or fails in another way; slow is the keyword whose answer
// comes last.
type echoing struct {
	slow string
	fail bool
}

func (echoing) Name() string { return "wiki" }

func (s echoing) Search(_ context.Context, q evidence.Query) ([]evidence.Document, error) {
	at, score := time.Unix(1, 0), 0.5
	if q.Text == "second" {
		at, score = time.Unix(2, 0), 1
	}
	if q.Text == s.slow {
		<-time.After(time.Second) // on the synthetic clock
	}
	if s.fail {
		return nil, errors.New(q.Text + " failed")
	}
	return []evidence.Document{{ID: "d_1", Source: "wiki", URL: "https://wiki.test/1", Title: "wiki page", Text: wikiText, Score: score, Retrieved: at}}, nil
}

// Which of a source's answers comes first changes nothing: not the document that
// both keywords found, and not the failure that is told.
func TestArrivalOrderDecidesNothing(t *testing.T) {
	t.Parallel()
	for _, fail := range []bool{false, true} {
		var answers []evidence.Answer
		for _, slow := range []string{"first", "second"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(nil, echoing{slow: slow, fail: fail})
				w.chooser.builtIn.keywords = []string{"first", "second"}
				a, err := w.Research(t.Context(), Request{Question: "What is a transformer?"}, nil)
				if err != nil {
					t.Fatal(err)
				}
				a.Timing = evidence.Timing{}
				answers = append(answers, a)
				w.Close()
			})
		}
		if !fail && (len(answers[0].Citations) == 0 || !answers[0].Citations[0].Retrieved.Equal(time.Unix(1, 0))) {
			t.Errorf("citations = %+v, want the document as the first keyword found it", answers[0].Citations)
		}
		if fail && answers[0].Sources[0].Err != "first failed" {
			t.Errorf("report = %+v", answers[0].Sources[0])
		}
		if diff := cmp.Diff(answers[0], answers[1]); diff != "" {
			t.Errorf("failing %v: the order of the answers changed this:\n%s", fail, diff)
		}
	}
}
