package research

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// A run whose budget is spent goes on, gives what there is at once, and asks nothing twice.
func TestARunGoesOnWhenItsBudgetIsSpent(t *testing.T) {
	t.Parallel()
	for name, pickUp := range map[string]func(evidence.Answer) Request{
		"by its id":       func(a evidence.Answer) Request { return Request{Run: a.RunID} },
		"by the question": func(evidence.Answer) Request { return Request{Question: "what is a  transformer?"} },
		"by the question, in session": func(a evidence.Answer) Request {
			return Request{Question: "What is a transformer?", Session: a.Session}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				wiki, summary, news := three(3*time.Second, 20*time.Second, 6*time.Second)
				w := newWorld(nil, wiki, summary, news)
				defer w.Close()
				ask := func(r Request) evidence.Answer {
					t.Helper()
					begun := time.Now()
					a, err := w.Ask(t.Context(), r, nil)
					if err != nil {
						t.Fatal(err)
					}
					if took := time.Since(begun); r.Budget == 0 && took > 0 {
						t.Errorf("picking it up took %v", took)
					}
					return a
				}
				a := ask(Request{Question: "What is a transformer?", Budget: 2 * time.Second})
				if len(a.Citations) > 0 || !strings.Contains(strings.Join(a.Warnings, "\n"), "still awaited: news, summary, wiki; call research with run_id "+a.RunID) {
					t.Fatalf("first: %+v", a)
				}
				if early := ask(pickUp(a)); early.RunID != a.RunID || len(early.Citations) > 0 {
					t.Errorf("before anything came: %+v", early)
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if b := ask(pickUp(a)); b.RunID != a.RunID || statuses(b)["wiki"] != evidence.StatusOK || statuses(b)["summary"] != evidence.StatusTimeout || !strings.Contains(strings.Join(b.Warnings, "\n"), "still awaited: summary") {
					t.Errorf("meanwhile: run %s, %v, %q", b.RunID, statuses(b), b.Warnings)
				}
				time.Sleep(30 * time.Second)
				synctest.Wait()
				c := ask(pickUp(a))
				if c.RunID == a.RunID || c.Session != a.Session || statuses(c)["summary"] != evidence.StatusOK || c.Answer == "" || strings.Contains(strings.Join(c.Warnings, "\n"), "awaited") {
					t.Errorf("at its end: run %s, %v, %q", c.RunID, statuses(c), c.Warnings)
				}
				if again := ask(Request{Run: a.RunID}); again.RunID != c.RunID {
					t.Errorf("once more: run %s, want %s", again.RunID, c.RunID)
				}
				if n := len(w.sessions.all[a.Session].Turns); n != 4 {
					t.Errorf("%d turns in the session, want those of two answers", n)
				}
				for _, s := range []*fakeSource{wiki, summary, news} {
					if len(s.asked) > 2 { // keywords of the question
						t.Errorf("%s was asked %q", s.name, s.asked)
					}
				}
			})
		})
	}
}
