package research

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// slowSessions fails the first write and encodes the answer of the second, as a
// memory does.
type slowSessions struct {
	*fakeSessions
	first   bool
	encoded string
}

func (s *slowSessions) Append(ctx context.Context, _ string, turns ...evidence.Turn) error {
	if !s.first {
		s.first = true
		<-ctx.Done()
		return ctx.Err()
	}
	b, err := json.Marshal(turns[1].Run)
	s.encoded = string(b)
	return err
}

// An answer whose turn is stored in the background belongs to its caller, who
// may change it meanwhile. The race detector fails this test if they share
// anything; without it, the stored text does.
func TestATurnInTheBackgroundSharesNothingWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(nil, &fakeSource{name: "wiki", delay: time.Millisecond, texts: []string{wikiText}})
		s := &slowSessions{fakeSessions: w.sessions}
		w.deps.Sessions = s
		a, err := w.Research(t.Context(), Request{Question: "What is a transformer?", Budget: 2 * time.Second}, nil)
		if err != nil || len(a.Claims) == 0 || len(a.Citations) == 0 {
			t.Fatalf("%+v, %v", a, err)
		}
		want := a.Claims[0].Text
		a.Claims[0].Text = "changed"
		a.Claims[0].Citations[0] = -1
		a.Citations[0].Quote = "changed"
		a.Sources[0].Err = "changed"
		a.Warnings[0] = "changed"
		synctest.Wait()
		w.Close()
		var kept evidence.Answer
		if err := json.Unmarshal([]byte(s.encoded), &kept); err != nil {
			t.Fatal(err)
		}
		if kept.Claims[0].Text != want || kept.Claims[0].Citations[0] < 0 || kept.Citations[0].Quote == "changed" || kept.Sources[0].Err != "" {
			t.Errorf("the stored answer was changed: %s", s.encoded)
		}
	})
}
