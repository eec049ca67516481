package memorytest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func user(text string) evidence.Turn { return evidence.Turn{Role: evidence.RoleUser, Text: text} }

func appendTurns(t *testing.T, m contract.Memory, id string, turns ...evidence.Turn) {
	t.Helper()
	if err := m.Append(t.Context(), id, turns...); err != nil {
		t.Fatalf("Append(%s) = %v", id, err)
	}
}

func session(t *testing.T, m contract.Memory, id string) evidence.Session {
	t.Helper()
	s, err := m.Open(t.Context(), id)
	if err != nil {
		t.Fatalf("Open(%q) = %v", id, err)
	}
	return s
}

func (s suite) sessions(t *testing.T) {
	dir := t.TempDir()
	m := s.at(t, dir)
	a, b := session(t, m, ""), session(t, m, "")
	if !strings.HasPrefix(a.ID, "s_") || len(a.ID) < 18 || a.ID == b.ID || a.Created.IsZero() || a.Turns == nil {
		t.Errorf("new sessions = %+v, %+v", a, b)
	}
	_, err := m.Open(t.Context(), "s_unknown")
	wantProblem(t, err, "s_unknown")
	if err := m.Append(t.Context(), "s_new", user("x")); err != nil {
		t.Errorf("Append to a new session = %v", err)
	}
	if s, err := m.Open(t.Context(), "s_new"); err != nil || len(s.Turns) != 1 {
		t.Errorf("Open(s_new) = %d turns, %v, want 1", len(s.Turns), err)
	}
	wantProblem(t, m.Append(t.Context(), a.ID, evidence.Turn{Role: "narrator", Text: "x"}), "narrator")

	at := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	appendTurns(t, m, a.ID, evidence.Turn{Role: evidence.RoleUser, Text: "What is attention?", At: at},
		evidence.Turn{Role: evidence.RoleAssistant, Text: "A weighting.", At: at.Add(time.Second)})
	appendTurns(t, m, a.ID, user("And then?"))
	got := session(t, s.at(t, dir), a.ID) // through another handle
	if got.Title != "What is attention?" || got.Messages != 3 || len(got.Turns) != 3 {
		t.Fatalf("Open = %+v", got)
	}
	want := evidence.Turn{Seq: 2, Role: evidence.RoleAssistant, Text: "A weighting.", At: at.Add(time.Second)}
	if diff := cmp.Diff(want, got.Turns[1]); diff != "" {
		t.Errorf("second turn (-want +got):\n%s", diff)
	}
	if got.Turns[2].At.IsZero() || got.Turns[0].Seq != 1 || got.Turns[2].Seq != 3 {
		t.Errorf("turns = %+v", got.Turns)
	}
}

func (s suite) fold(t *testing.T) {
	dir := t.TempDir()
	m, other := s.at(t, dir), s.at(t, dir)
	id := session(t, m, "").ID
	for i := range 6 {
		appendTurns(t, m, id, user(fmt.Sprintf("turn %d", i+1)))
	}
	if ok, err := m.Fold(t.Context(), id, 0, 3, "the first three"); !ok || err != nil {
		t.Fatalf("Fold = %v, %v", ok, err)
	}
	if ok, err := other.Fold(t.Context(), id, 0, 4, "too late"); ok || err != nil {
		t.Errorf("Fold from an old state = %v, %v, want false", ok, err)
	}
	if ok, err := m.Fold(t.Context(), id, 3, 99, "beyond the end"); ok || err != nil {
		t.Errorf("Fold beyond the last turn = %v, %v, want false", ok, err)
	}
	got := session(t, other, id)
	if got.Summary != "the first three" || got.SummaryTo != 3 || got.Messages != 6 || len(got.Turns) != 3 || got.Turns[0].Text != "turn 4" {
		t.Errorf("after Fold = %+v", got)
	}
	var wins sync.Map
	var wg sync.WaitGroup
	for i, h := range []contract.Memory{m, other, m, other} {
		wg.Go(func() {
			if ok, err := h.Fold(t.Context(), id, 3, 5, fmt.Sprint("fold ", i)); err != nil {
				t.Errorf("Fold = %v", err)
			} else if ok {
				wins.Store(i, true)
			}
		})
	}
	wg.Wait()
	n := 0
	wins.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d of 4 concurrent Folds succeeded, want 1", n)
	}
	_, err := m.Fold(t.Context(), "s_unknown", 0, 1, "x")
	wantProblem(t, err, "s_unknown")
}

func (s suite) runs(t *testing.T) {
	dir := t.TempDir()
	m := s.at(t, dir)
	put(t, m, Doc("cited", "A cited text on obelisks."))
	id := session(t, m, "").ID
	want := evidence.Answer{Question: "q?", Session: id, RunID: "r_1", Status: evidence.Answered, Answer: "a [1]",
		Claims:    []evidence.Claim{{Text: "a", Citations: []int{1}, Verdict: evidence.Supported}},
		Citations: []evidence.Citation{{N: 1, Title: "About cited", Quote: "A cited text", Start: 0, End: 12, DocumentID: "cited", Retrieved: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}},
		Sources:   []evidence.SourceReport{}, Topics: []string{}, Warnings: []string{"w"},
		Analysis: evidence.Analysis{Status: "ok", BySource: map[string]int{"test": 1}, Keywords: []evidence.TermCount{}, TopDocuments: []evidence.TopDocument{}}}
	appendTurns(t, m, id, user("q?"), evidence.Turn{Role: evidence.RoleAssistant, Text: "a [1]", Run: &want})
	got, ok, err := s.at(t, dir).Run(t.Context(), "r_1")
	if !ok || err != nil {
		t.Fatalf("Run = %v, %v", ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Run (-want +got):\n%s", diff)
	}
	if turns := session(t, m, id).Turns; len(turns) != 2 || turns[0].Run != nil || turns[1].Run == nil || turns[1].Run.RunID != "r_1" {
		t.Errorf("turns = %+v", turns)
	}
	if _, ok, err := m.Run(t.Context(), "r_none"); ok || err != nil {
		t.Errorf("Run(r_none) = %v, %v, want false", ok, err)
	}
	if r := recall(t, m, evidence.RecallQuery{Text: "obelisks", Session: id}); len(r.Hits) != 1 {
		t.Errorf("recall within the session = %q, want the document that it cites", ids(r))
	}
}
