package memorytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// wantNoBytes searches all files under dir for marker.
func wantNoBytes(t *testing.T, dir, marker string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(marker)) {
			t.Errorf("%s still holds %q", path, marker)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
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
		{"any of them", contract.Selector{IDs: []string{"f0"}, URL: "https://example.org/f5"}, []string{"f0", "f5"}},
		{"nothing there", contract.Selector{IDs: []string{"nobody"}}, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := s.start(t)
			for i := range 6 {
				doc := Doc(fmt.Sprintf("f%d", i), fmt.Sprintf("Forgettable text on fjords number %d.", i))
				doc.Source, doc.Retrieved = []string{"wiki", "news"}[i%2], day.AddDate(0, 0, i)
				doc.Meta = map[string]string{contract.MetaSession: []string{"s_1", "s_2"}[i/3]}
				put(t, m, doc)
				if i == 2 {
					doc.Meta = map[string]string{contract.MetaSession: "s_2"}
					put(t, m, doc)
				}
			}
			r := forget(t, m, c.sel)
			if !slices.Equal(r.IDs, c.want) || r.Documents != len(c.want) || r.Chunks != len(c.want) || r.Remaining != 6-len(c.want) {
				t.Errorf("Forget = %+v, want %q", r, c.want)
			}
			if len(c.want) == 0 && len(r.Warnings) == 0 {
				t.Error("Forget of nothing does not say so")
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

// forgetTraces: no index, summary, run, backup or byte of the folder holds what
// was forgotten.
func (s suite) forgetTraces(t *testing.T) {
	const (
		sentence = "The zanzibarquux marker says that seven purple herons slept under the old lighthouse."
		word     = "zanzibarquux"
		docID    = "d_abcdefghijklmnopqrstuvwxyz"
	)
	dir := t.TempDir()
	m, other := s.at(t, dir), s.at(t, dir)
	filler := strings.Repeat("Some filler on rivers and their deltas, and on what grows there. ", 30)
	for i := range 60 {
		put(t, m, Doc(fmt.Sprintf("filler%d", i), fmt.Sprintf("Number %d. %s", i, filler)))
		if i == 30 {
			put(t, m, Doc(docID, filler[:700]+"\n\n"+sentence+"\n\n"+filler[:900]))
			second := Chunks(filler[:700] + "\n\n" + sentence + "\n\n" + filler[:900])
			second.Model.Revision = "2"
			if _, err := m.Put(t.Context(), Doc(docID, filler[:700]+"\n\n"+sentence+"\n\n"+filler[:900]), second); err != nil {
				t.Fatal(err)
			}
		}
	}
	id := session(t, m, "").ID
	run := evidence.Answer{Question: "What of herons?", Session: id, RunID: "r_quoting", Status: evidence.Answered, Answer: sentence + " [1]",
		Citations: []evidence.Citation{{N: 1, Quote: sentence, DocumentID: docID}}}
	appendTurns(t, m, id, user("What of herons?"), evidence.Turn{Role: evidence.RoleAssistant, Text: sentence + " [1]", Run: &run})
	appendTurns(t, m, id, user("What of rivers?"), evidence.Turn{Role: evidence.RoleAssistant, Text: "They flow."})
	if ok, err := m.Fold(t.Context(), id, 0, 3, "They spoke of it: "+sentence); !ok || err != nil {
		t.Fatal(ok, err)
	}
	uncited := session(t, m, "").ID
	appendTurns(t, m, uncited, user("Is it true that "+sentence))
	if got := ids(recall(t, other, Query(sentence, 1))); !slices.Equal(got, []string{docID}) {
		t.Fatalf("Recall before = %q", got)
	}
	if err := os.MkdirAll(filepath.Join(dir, "backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Backup(t.Context(), filepath.Join(dir, "backups", "before.db")); err != nil {
		t.Fatal(err)
	}

	r := forget(t, m, contract.Selector{IDs: []string{docID}})
	if !slices.Equal(r.IDs, []string{docID}) || r.Remaining != 60 || len(r.Warnings) == 0 {
		t.Errorf("Forget = %+v", r)
	}
	for _, mark := range []string{word, sentence, docID} {
		wantNoBytes(t, dir, mark)
	}
	for _, h := range []contract.Memory{m, other} {
		for _, mode := range []string{evidence.ModeHybrid, evidence.ModeBM25, evidence.ModeVector} {
			q := Query(sentence, 50)
			q.Mode = mode
			if got := ids(recall(t, h, q)); slices.Contains(got, docID) {
				t.Errorf("mode %s still finds it", mode)
			}
		}
		if _, ok, err := h.Run(t.Context(), "r_quoting"); ok || err != nil {
			t.Errorf("Run = %v, %v", ok, err)
		}
	}
	got := session(t, other, id)
	if got.Summary != "" || len(got.Turns) != 4 || got.Messages != 4 || got.Turns[1].Run != nil || got.Turns[3].Text != "They flow." {
		t.Errorf("the session afterwards = %+v", got)
	}
	if ok, err := m.Fold(t.Context(), id, 0, 3, "a summary made before: "+sentence); ok || err != nil {
		t.Errorf("a late Fold = %v, %v, want false", ok, err)
	}
	if ok, err := m.Fold(t.Context(), id, got.SummaryTo, 3, "a summary made afterwards"); !ok || err != nil {
		t.Errorf("a new Fold = %v, %v, want true", ok, err)
	}
	if g, err := m.Gone(t.Context(), docID); err != nil || !g.Gone || len(g.Found) != 0 {
		t.Errorf("Gone = %+v, %v", g, err)
	}
	wantSound(t, m)
}

func (s suite) forgetSession(t *testing.T) {
	dir := t.TempDir()
	m := s.at(t, dir)
	id := session(t, m, "").ID
	const said = "A secret that only this session knows of."
	run := evidence.Answer{RunID: "r_gone", Answer: said}
	appendTurns(t, m, id, user(said), evidence.Turn{Role: evidence.RoleAssistant, Text: "I see.", Run: &run})
	if r := forget(t, m, contract.Selector{Session: id}); r.Documents != 0 || len(r.Warnings) != 0 {
		t.Errorf("Forget = %+v", r)
	}
	_, err := m.Open(t.Context(), id)
	wantProblem(t, err, id)
	wantNoBytes(t, dir, said)
	for _, gone := range []string{id, "r_gone"} {
		if g, err := m.Gone(t.Context(), gone); err != nil || !g.Gone {
			t.Errorf("Gone(%s) = %+v, %v", gone, g, err)
		}
	}
}

// wantSound checks the memory with itself.
func wantSound(t *testing.T, m contract.Memory) contract.CheckReport {
	t.Helper()
	r, err := m.Check(t.Context())
	if err != nil || !r.OK || len(r.Problems) != 0 || r.Problems == nil {
		t.Errorf("Check = %+v, %v", r, err)
	}
	return r
}
