package memorytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func forget(t *testing.T, m contract.Memory, sel contract.Selector) evidence.Receipt {
	t.Helper()
	r, err := m.Forget(t.Context(), sel)
	if err != nil {
		t.Fatalf("Forget(%+v) = %v", sel, err)
	}
	return r
}

func (s suite) forgetSelects(t *testing.T) {
	day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		sel  contract.Selector
		want []string
	}{
		{"ids", contract.Selector{IDs: []string{"f1", "f4", "f1"}}, []string{"f1", "f4"}},
		{"url", contract.Selector{URL: "https://example.org/f2"}, []string{"f2"}},
		{"source", contract.Selector{Source: "news"}, []string{"f1", "f3", "f5"}},
		{"before", contract.Selector{Before: day.AddDate(0, 0, 2)}, []string{"f0", "f1"}},
		{"session", contract.Selector{Session: "s_1"}, []string{"f0", "f1"}}, // f2 is also of another
		{"source and date", contract.Selector{Source: "news", Before: day.AddDate(0, 0, 2)}, []string{"f1"}},
		{"ids and source", contract.Selector{IDs: []string{"f0", "f1", "f2"}, Source: "wiki"}, []string{"f0", "f2"}},
		{"session and address", contract.Selector{Session: "s_1", URL: "https://example.org/f1"}, []string{"f1"}},
		{"id and the address of another", contract.Selector{IDs: []string{"f0"}, URL: "https://example.org/f5"}, []string{}},
		{"an unknown id", contract.Selector{IDs: []string{"unknown"}}, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := s.start(t)
			for i := range 6 {
				doc := Doc(fmt.Sprintf("f%d", i), fmt.Sprintf("Forgettable text on fjords number %d.", i))
				doc.Source, doc.Retrieved = []string{"wiki", "news"}[i%2], day.AddDate(0, 0, i)
				doc.Meta = map[string]string{evidence.MetaSession: []string{"s_1", "s_2"}[i/3]}
				put(t, m, doc)
				if i == 2 {
					doc.Meta = map[string]string{evidence.MetaSession: "s_2"}
					put(t, m, doc)
				}
			}
			c.sel.Confirm = true
			preview := c.sel
			preview.DryRun = true
			would, r := forget(t, m, preview), forget(t, m, c.sel)
			if !slices.Equal(would.IDs, r.IDs) || !slices.Equal(would.Titles, r.Titles) || would.Documents != r.Documents || would.Remaining != r.Remaining {
				t.Errorf("the preview = %+v, Forget = %+v", would, r)
			}
			if len(r.Titles) != len(r.IDs) {
				t.Errorf("the titles of %q are %q", r.IDs, r.Titles)
			}
			if !slices.Equal(r.IDs, c.want) || r.Documents != len(c.want) || r.Chunks != len(c.want) || r.Remaining != 6-len(c.want) {
				t.Errorf("Forget = %+v, want %q", r, c.want)
			}
			if len(c.want) == 0 && len(r.Warnings) == 0 {
				t.Error("Forget of an unknown id returns no warning")
			}
			for _, mode := range []string{evidence.ModeHybrid, evidence.ModeBM25, evidence.ModeVector} {
				q := Query("Forgettable text on fjords number", 10)
				q.Mode = mode
				got := ids(recall(t, m, q))
				if len(got) != 6-len(c.want) || slices.ContainsFunc(got, func(id string) bool { return slices.Contains(c.want, id) }) {
					t.Errorf("mode %s finds %q after forgetting %q", mode, got, c.want)
				}
			}
			if st, err := m.Stats(t.Context()); err != nil || st.Documents != 6-len(c.want) || st.Chunks != 6-len(c.want) {
				t.Errorf("Stats = %+v, %v", st, err)
			}
			for _, id := range c.want {
				if _, ok, err := m.Document(t.Context(), id); ok || err != nil {
					t.Errorf("Document(%s) = %v, %v", id, ok, err)
				}
			}
			wantSound(t, m)
		})
	}
}

// Each field that is set is counted alone, and a session of which only some
// documents are selected stays.
func (s suite) forgetCounts(t *testing.T) {
	m := s.start(t)
	id := session(t, m, "").ID
	appendTurns(t, m, id, user("What of fjords?"))
	for i := range 6 {
		doc := Doc(fmt.Sprintf("f%d", i), fmt.Sprintf("Countable text number %d.", i))
		doc.Source, doc.Meta = []string{"wiki", "news"}[i%2], map[string]string{evidence.MetaSession: id}
		put(t, m, doc)
	}
	r := forget(t, m, contract.Selector{Source: "news", Session: id, IDs: []string{"f1", "f2"}})
	counts := map[int]int{}
	for _, c := range r.Matched {
		counts[c.Documents]++
	}
	if !slices.Equal(r.IDs, []string{"f1"}) || len(r.Matched) != 3 || counts[2] != 1 || counts[3] != 1 || counts[6] != 1 {
		t.Errorf("Forget = %+v, want f1, of 2 by id, 3 of the source and 6 of the session", r)
	}
	if got := session(t, m, id); len(got.Turns) != 1 {
		t.Errorf("the session = %+v, want its turn", got)
	}
}

// A third of the memory needs a confirmation, and a preview none.
func (s suite) forgetAsks(t *testing.T) {
	for _, c := range []struct {
		name             string
		documents, total int
		want             bool // refused
	}{
		{"the only one", 1, 1, false}, {"a third", 3, 9, false}, {"more than a third", 4, 9, true},
		{"two of three", 2, 3, true}, {"ten of many", 10, 31, false}, {"eleven of many", 11, 60, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := s.start(t)
			for i := range c.total {
				doc := Doc(fmt.Sprint("a", i), fmt.Sprintf("Text %d.", i))
				if i >= c.documents {
					doc.Source = "another"
				}
				put(t, m, doc)
			}
			sel := contract.Selector{Source: "test"}
			_, err := m.Forget(t.Context(), sel)
			if (err != nil) != c.want {
				t.Errorf("Forget of %d of %d = %v, want refused: %v", c.documents, c.total, err, c.want)
			}
			if c.want {
				wantProblem(t, err, fmt.Sprint(c.documents), "confirm")
				sel.DryRun = true
				if r := forget(t, m, sel); r.Documents != c.documents || r.Remaining != c.total-c.documents {
					t.Errorf("the preview = %+v", r)
				}
				if st, err := m.Stats(t.Context()); err != nil || st.Documents != c.total {
					t.Errorf("after a preview: %d documents, %v", st.Documents, err)
				}
			}
		})
	}
}

// A document that was also put outside of sessions stays when its session is removed, whatever
// its text was then.
func (s suite) forgetReplaced(t *testing.T) {
	m := s.start(t)
	id := session(t, m, "").ID
	for name, puts := range map[string][2]string{"first mine": {"", id}, "then mine": {id, ""}, "never mine": {id, id}} {
		for i, in := range puts {
			doc := Doc(name, fmt.Sprintf("Version %d of %s.", i, name))
			if in != "" {
				doc.Meta = map[string]string{evidence.MetaSession: in}
			}
			put(t, m, doc)
		}
	}
	if r := forget(t, m, contract.Selector{Session: id, Confirm: true}); r.Documents != 1 {
		t.Errorf("%d documents were removed with the session, want 1", r.Documents)
	}
	for name, want := range map[string]bool{"first mine": true, "then mine": true, "never mine": false} {
		if _, found, err := m.Document(t.Context(), name); found != want || err != nil {
			t.Errorf("%s is there: %v, %v, want %v", name, found, err, want)
		}
	}
}

func (s suite) forgetRefuses(t *testing.T) {
	m := s.start(t)
	_, err := m.Forget(t.Context(), contract.Selector{Confirm: true})
	wantProblem(t, err)
	n := contract.ConfirmAbove + 1
	for i := range n {
		doc := Doc(fmt.Sprint("many", i), fmt.Sprintf("Text %d.", i))
		put(t, m, doc)
	}
	_, err = m.Forget(t.Context(), contract.Selector{Source: "test"})
	wantProblem(t, err, fmt.Sprint(n), "confirm")
	if !errors.Is(err, evidence.ErrUnconfirmed) {
		t.Errorf("the refusal %v is not caused by evidence.ErrUnconfirmed", err)
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Documents != n {
		t.Errorf("after a refusal: %d documents, %v", st.Documents, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Forget(ctx, contract.Selector{Source: "test", Confirm: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("Forget with a cancelled context = %v", err)
	}
	if r := forget(t, m, contract.Selector{Source: "test", Confirm: true}); r.Documents != n || r.Remaining != 0 {
		t.Errorf("Forget with Confirm = %d documents, %d remain", r.Documents, r.Remaining)
	}
	wantSound(t, m)
}

// secret is a memory with one document, among others, that is cited and quoted
// in sessions.
type secret struct {
	m, other         contract.Memory
	session, uncited string // sessions: one cites the document, the other quotes it
}

const (
	secretText = "The zanzibarquux marker says that seven purple herons slept under the old lighthouse."
	secretWord = "zanzibarquux"
	secretID   = "d_abcdefghijklmnopqrstuvwxyz"
)

func (s suite) secret(t *testing.T, dir string) secret {
	t.Helper()
	x := secret{m: s.at(t, dir), other: s.at(t, dir)}
	filler := strings.Repeat("Some filler on rivers and their deltas, and on what grows there. ", 30)
	for i := range 60 {
		put(t, x.m, Doc(fmt.Sprintf("filler%d", i), fmt.Sprintf("Number %d. %s", i, filler)))
		if i == 30 {
			doc := Doc(secretID, filler[:700]+"\n\n"+secretText+"\n\n"+filler[:900])
			put(t, x.m, doc)
			second := Chunks(doc.Text)
			second.Model.Revision = "2"
			if _, err := x.m.Put(t.Context(), doc, second); err != nil {
				t.Fatal(err)
			}
		}
	}
	x.session = session(t, x.m, "").ID
	run := evidence.Answer{Question: "What of herons?", Session: x.session, RunID: "r_quoting", Status: evidence.Answered, Answer: secretText + " [1]",
		Citations: []evidence.Citation{{N: 1, Quote: secretText, DocumentID: secretID}}}
	appendTurns(t, x.m, x.session, user("What of herons?"), evidence.Turn{Role: evidence.RoleAssistant, Text: secretText + " [1]", Run: &run})
	appendTurns(t, x.m, x.session, user("What of rivers?"), evidence.Turn{Role: evidence.RoleAssistant, Text: "They flow."})
	if ok, err := x.m.Fold(t.Context(), x.session, 0, 3, "They spoke of it: "+secretText); !ok || err != nil {
		t.Fatal(ok, err)
	}
	x.uncited = session(t, x.m, "").ID
	appendTurns(t, x.m, x.uncited, user("Is it true that "+secretText))
	if got := ids(recall(t, x.other, Query(secretText, 1))); !slices.Equal(got, []string{secretID}) {
		t.Fatalf("Recall before Forget = %q", got)
	}
	return x
}

// forgetTraces checks that no recall, session, summary or run returns what was
// forgotten, through any handle.
func (s suite) forgetTraces(t *testing.T) {
	x := s.secret(t, t.TempDir())
	r := forget(t, x.m, contract.Selector{IDs: []string{secretID}})
	if !slices.Equal(r.IDs, []string{secretID}) || r.Remaining != 60 || len(r.Warnings) == 0 {
		t.Errorf("Forget = %+v", r)
	}
	for _, h := range []contract.Memory{x.m, x.other} {
		for _, mode := range []string{evidence.ModeHybrid, evidence.ModeBM25, evidence.ModeVector} {
			q := Query(secretText, 50)
			q.Mode = mode
			if got := ids(recall(t, h, q)); slices.Contains(got, secretID) {
				t.Errorf("mode %s still finds it", mode)
			}
		}
		if _, ok, err := h.Run(t.Context(), "r_quoting"); ok || err != nil {
			t.Errorf("Run = %v, %v", ok, err)
		}
		for _, id := range []string{x.session, x.uncited} {
			if got := session(t, h, id); strings.Contains(fmt.Sprintf("%+v", got), secretWord) {
				t.Errorf("session %s still quotes it: %+v", id, got)
			}
		}
	}
	got := session(t, x.other, x.session)
	if got.Summary != "" || len(got.Turns) != 4 || got.Messages != 4 || got.Turns[1].Run != nil || got.Turns[3].Text != "They flow." {
		t.Errorf("the session afterwards = %+v", got)
	}
	if ok, err := x.m.Fold(t.Context(), x.session, 0, 3, "a summary made before: "+secretText); ok || err != nil {
		t.Errorf("a late Fold = %v, %v, want false", ok, err)
	}
	if ok, err := x.m.Fold(t.Context(), x.session, got.SummaryTo, 3, "a summary made afterwards"); !ok || err != nil {
		t.Errorf("a new Fold = %v, %v, want true", ok, err)
	}
	wantSound(t, x.m)
}

// forgetBytes checks that the stored bytes contain nothing of what was
// forgotten.
func (s suite) forgetBytes(t *testing.T) {
	dir := t.TempDir()
	x := s.secret(t, dir)
	markers := []string{secretWord, secretText, secretID}
	for _, marker := range markers {
		if len(s.Leftovers(t, dir, marker)) == 0 {
			t.Errorf("%q is not found before Forget: the test proves nothing", marker)
		}
	}
	forget(t, x.m, contract.Selector{IDs: []string{secretID}})
	for _, marker := range markers {
		if left := s.Leftovers(t, dir, marker); len(left) > 0 {
			t.Errorf("%q is still in %q", marker, left)
		}
	}
}

const sessionSecret = "A secret that only this session knows of."

// oneSession returns a memory with a session that has a turn and a run, "r_gone".
func (s suite) oneSession(t *testing.T, dir string) (contract.Memory, string) {
	t.Helper()
	m := s.at(t, dir)
	id := session(t, m, "").ID
	run := evidence.Answer{RunID: "r_gone", Answer: sessionSecret}
	appendTurns(t, m, id, user(sessionSecret), evidence.Turn{Role: evidence.RoleAssistant, Text: "I see.", Run: &run})
	return m, id
}

func (s suite) forgetSession(t *testing.T) {
	m, id := s.oneSession(t, t.TempDir())
	if _, ok, err := m.Run(t.Context(), "r_gone"); !ok || err != nil {
		t.Errorf("Run before Forget = %v, %v, want true", ok, err)
	}
	if r := forget(t, m, contract.Selector{Session: id}); r.Documents != 0 || len(r.Warnings) != 0 {
		t.Errorf("Forget = %+v", r)
	}
	_, err := m.Open(t.Context(), id)
	wantProblem(t, err, id)
	if _, ok, err := m.Run(t.Context(), "r_gone"); ok || err != nil {
		t.Errorf("Run = %v, %v", ok, err)
	}
}

func (s suite) forgetSessionBytes(t *testing.T) {
	dir := t.TempDir()
	m, id := s.oneSession(t, dir)
	if len(s.Leftovers(t, dir, sessionSecret)) == 0 {
		t.Errorf("%q is not found before Forget: the test proves nothing", sessionSecret)
	}
	forget(t, m, contract.Selector{Session: id})
	if left := s.Leftovers(t, dir, sessionSecret); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
}
