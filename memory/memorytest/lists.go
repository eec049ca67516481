package memorytest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// listed puts three documents of different days, sources and tags.
func listed(t *testing.T, m contract.Memory) {
	t.Helper()
	for i, d := range []evidence.Document{
		{ID: "d_old", Source: "note", Title: "Old", Text: "The first text.", Tags: []string{"work"}},
		{ID: "d_mid", Source: "wiki", Title: "Middle", Text: "The second text.", URL: "https://example.org/mid"},
		{ID: "d_new", Source: "note", Title: "New", Text: "The third text.", Tags: []string{"home", "work"}},
	} {
		d.Retrieved = time.Date(2026, 3, 1+i, 12, 0, 0, 0, time.UTC)
		if _, err := m.Put(t.Context(), d, evidence.Chunks{}); err != nil {
			t.Fatal(err)
		}
	}
}

func (s suite) listDocuments(t *testing.T) {
	m := s.start(t)
	l := as[contract.Lister](t, m)
	if got, err := l.ListDocuments(t.Context(), contract.DocumentFilter{}); err != nil || got == nil || len(got) != 0 {
		t.Errorf("ListDocuments of an empty memory = %v, %v", got, err)
	}
	listed(t, m)
	for _, c := range []struct {
		name   string
		filter contract.DocumentFilter
		want   []string
	}{
		{"all, the newest first", contract.DocumentFilter{}, []string{"d_new", "d_mid", "d_old"}},
		{"source", contract.DocumentFilter{Source: "note"}, []string{"d_new", "d_old"}},
		{"tag", contract.DocumentFilter{Tags: []string{"work"}}, []string{"d_new", "d_old"}},
		{"all tags", contract.DocumentFilter{Tags: []string{"work", "home"}}, []string{"d_new"}},
		{"since", contract.DocumentFilter{Since: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}, []string{"d_new", "d_mid"}},
		{"source and since", contract.DocumentFilter{Source: "note", Since: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}, []string{"d_new"}},
		{"limit", contract.DocumentFilter{Limit: 1}, []string{"d_new"}},
		{"nothing", contract.DocumentFilter{Source: "' OR 1"}, []string{}},
	} {
		docs, err := l.ListDocuments(t.Context(), c.filter)
		got := []string{}
		for _, d := range docs {
			got = append(got, d.ID)
			if d.Text != "" {
				t.Errorf("%s: the document %s has its text", c.name, d.ID)
			}
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: ListDocuments(%+v) = %v, %v, want %v", c.name, c.filter, got, err, c.want)
		}
	}
}

func (s suite) listSessionsAndRuns(t *testing.T) {
	m := s.start(t)
	l := as[contract.Lister](t, m)
	first, second := session(t, m, ""), session(t, m, "")
	ask := func(id, question, run string) {
		appendTurns(t, m, id, user(question), evidence.Turn{Role: evidence.RoleAssistant, Text: "Yes.",
			Run: &evidence.Answer{RunID: run, Question: question, Session: id, Status: evidence.Answered, Answer: "Yes."}})
	}
	ask(second.ID, "Is water wet?", "r_one")
	ask(first.ID, "Is ice cold?", "r_two")
	sessions, err := l.ListSessions(t.Context(), 0)
	if err != nil || len(sessions) != 2 {
		t.Fatalf("ListSessions = %+v, %v, want 2", sessions, err)
	}
	for _, got := range sessions {
		if got.Messages != 2 || len(got.Turns) != 0 || got.Title == "" {
			t.Errorf("ListSessions has %+v, want 2 messages, a title and no turns", got)
		}
	}
	runs, err := l.ListRuns(t.Context(), 0)
	if err != nil || len(runs) != 2 {
		t.Fatalf("ListRuns = %+v, %v, want 2", runs, err)
	}
	byID := map[string]contract.RunInfo{}
	for _, r := range runs {
		if r.At.IsZero() || r.Status != evidence.Answered {
			t.Errorf("ListRuns has %+v", r)
		}
		byID[r.ID] = r
	}
	if byID["r_two"].Question != "Is ice cold?" || byID["r_two"].Session != first.ID {
		t.Errorf("ListRuns = %+v", runs)
	}
	if got, err := l.ListRuns(t.Context(), 1); err != nil || len(got) != 1 {
		t.Errorf("ListRuns(1) = %+v, %v", got, err)
	}
	if _, err := m.Forget(t.Context(), contract.Selector{Session: second.ID}); err != nil {
		t.Fatal(err)
	}
	if got, err := l.ListRuns(t.Context(), 0); err != nil || len(got) != 1 || got[0].ID != "r_two" {
		t.Errorf("after Forget, ListRuns = %+v, %v, want r_two alone", got, err)
	}
}
