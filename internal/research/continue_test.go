package research

import (
	"context"
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

// uneven answers each search after a time of its own, with a text of its own.
type uneven struct {
	delays map[string]time.Duration // by keyword, in lower case
	texts  map[string]string
}

func (uneven) Name() string { return "wiki" }

func (s uneven) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	word := strings.ToLower(q.Text)
	select {
	case <-time.After(s.delays[word]):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	url, body := "https://wiki.test/"+strings.ReplaceAll(word, " ", "_"), s.texts[word]
	if body == "" {
		return []evidence.Document{}, nil
	}
	return []evidence.Document{{ID: evidence.DocumentID("wiki", url, body), Source: "wiki", URL: url, Title: word, Text: body, Score: 1}}, nil
}

// The searches of a first round may end while those of the second go on: what both bring
// late is in the answer that is made again.
func TestALaterRoundOutlivesTheStragglersOfTheFirst(t *testing.T) {
	t.Parallel()
	const poor, near, good = "A strait is narrow water.", "The strait has a bridge of steel.", "The bridge fell because of wind."
	for _, c := range []struct {
		name                            string
		first, straggler, second, third time.Duration
	}{
		{"the first round's end within the second", 100 * time.Millisecond, 3 * time.Second, 10 * time.Millisecond, 8 * time.Second},
		{"the first round's end before the second begins", 100 * time.Millisecond, 2700 * time.Millisecond, 200 * time.Millisecond, 8 * time.Second},
		{"the second round's end first", 100 * time.Millisecond, 12 * time.Second, 10 * time.Millisecond, 8 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(nil, uneven{
					map[string]time.Duration{"bridge strait": c.first, "strait": c.straggler, "collapse": c.second, "bridge": c.third},
					map[string]string{"bridge strait": poor, "strait": near, "bridge": good},
				})
				defer w.Close()
				w.chooser.builtIn.keywords = []string{"bridge strait", "strait"}
				w.deps.Models = doubtingChooser{w.chooser, "wind"}
				a, err := w.Ask(t.Context(), Request{Question: "Why did the bridge collapse at the strait?", Budget: 8 * time.Second}, nil)
				if err != nil {
					t.Fatal(err)
				}
				meanwhile, err := w.Ask(t.Context(), Request{Run: a.RunID}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if meanwhile.RunID != a.RunID || !strings.Contains(strings.Join(meanwhile.Warnings, "\n"), "still awaited: wiki") {
					t.Errorf("meanwhile: run %s, %q", meanwhile.RunID, meanwhile.Warnings)
				}
				time.Sleep(20 * time.Second)
				synctest.Wait()
				b, err := w.Ask(t.Context(), Request{Run: a.RunID}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if b.RunID == a.RunID || b.Status != evidence.Answered || !strings.Contains(b.Answer, near) || !strings.Contains(b.Answer, good) || strings.Contains(strings.Join(b.Warnings, "\n"), "awaited") {
					t.Errorf("at its end: run %s after %s, %s: %q, %q", b.RunID, a.RunID, b.Status, b.Answer, b.Warnings)
				}
			})
		})
	}
}
