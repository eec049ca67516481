package memorytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// answer is a question with an answer.
func answer(run evidence.Answer, used ...string) []evidence.Turn {
	return []evidence.Turn{{Role: evidence.RoleUser, Text: "q"}, {Role: evidence.RoleAssistant, Text: "a", Run: &run, Used: used}}
}

// What is too long to be indexed is refused with its length, and nothing of it is stored.
func (s suite) longNames(t *testing.T) {
	m := s.start(t)
	long := strings.Repeat("ab", contract.MaxName/2) + "c"
	put := func(doc evidence.Document, c evidence.Chunks) error {
		_, err := m.Put(t.Context(), doc, c)
		return err
	}
	source, session := Doc("d1", "text"), Doc("d2", "text")
	source.Source = long
	session.Meta = map[string]string{evidence.MetaSession: long}
	vector := evidence.Chunks{Model: evidence.Model{Name: long, Dims: 2}, Items: []evidence.Chunk{{End: 4, Vector: []float32{1, 0}}}}
	for name, err := range map[string]error{
		"id":      put(Doc(long, "text"), evidence.Chunks{}),
		"source":  put(source, evidence.Chunks{}),
		"session": put(session, evidence.Chunks{}),
		"model":   put(Doc("d3", "text"), vector),
		"run":     m.Append(t.Context(), "s_1", answer(evidence.Answer{RunID: long})...),
		"cited":   m.Append(t.Context(), "s_1", answer(evidence.Answer{RunID: "r_1", Citations: []evidence.Citation{{DocumentID: long}}})...),
		"used":    m.Append(t.Context(), "s_1", answer(evidence.Answer{RunID: "r_1"}, long)...),
	} {
		t.Run(name, func(t *testing.T) { wantProblem(t, err, "1001 bytes", "1000") })
	}
	if c, ok := m.(contract.RunClaimer); ok {
		_, err := c.ClaimRun(t.Context(), claimed(long, "", "q"))
		wantProblem(t, err, "1001 bytes")
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Documents != 0 || st.Runs != 0 {
		t.Errorf("Stats = %+v, %v, want an empty memory", st, err)
	}
	if err := put(Doc(long[1:], "text"), evidence.Chunks{}); err != nil {
		t.Errorf("Put of the longest id = %v", err)
	}
}

// Of a tag that is too long, or has bytes that are no text, documents are found by what was
// given as by what is stored.
func (s suite) longTags(t *testing.T) {
	m := s.start(t)
	for i, tag := range []string{strings.Repeat("long", contract.MaxTag), strings.Repeat("ö", contract.MaxTag), strings.Repeat("a", contract.MaxTag-1) + " b", " a\xff\x00b "} {
		doc := Doc(fmt.Sprintf("d%d", i), "Otters sleep on their backs.")
		doc.Tags = []string{tag}
		put(t, m, doc)
		stored, _, err := m.Document(t.Context(), doc.ID)
		if err != nil || len(stored.Tags) != 1 || len(stored.Tags[0]) > contract.MaxTag {
			t.Fatalf("Document = the tags %q, %v, want one of at most %d bytes", stored.Tags, err, contract.MaxTag)
		}
		for _, with := range []string{tag, "  " + tag, stored.Tags[0]} {
			if got := ids(recall(t, m, evidence.RecallQuery{Text: "otters", Tags: []string{with}})); !slices.Equal(got, []string{doc.ID}) {
				t.Errorf("Recall with the tag %.30q = %q, want %s", with, got, doc.ID)
			}
			l, ok := m.(contract.Lister)
			if !ok {
				continue
			}
			if got, err := l.ListDocuments(t.Context(), contract.DocumentFilter{Tags: []string{with}}); err != nil || len(got) != 1 || got[0].ID != doc.ID {
				t.Errorf("ListDocuments with the tag %.30q = %d documents, %v, want %s", with, len(got), err, doc.ID)
			}
		}
	}
	if got := recall(t, m, evidence.RecallQuery{Text: "otters", Tags: []string{"long"}}).Hits; len(got) != 0 {
		t.Errorf("Recall with the beginning of a tag = %d hits, want none", len(got))
	}
}

// Times beyond what a backend can store are compared as they are, and zero bytes are no
// error.
func (s suite) timesAndZeroBytes(t *testing.T) {
	m := s.start(t)
	model := evidence.Model{Name: "a\x00b", Kind: "k\x00", Dims: 2}
	if _, err := m.Put(t.Context(), Doc("d1", "otters"), evidence.Chunks{Model: model, Items: []evidence.Chunk{{End: 6, Vector: []float32{1, 0}}}}); err != nil {
		t.Errorf("Put with zero bytes in the model = %v", err)
	}
	first, last := time.Date(-9000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(300_000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name         string
		since, until time.Time
		hits         int
	}{{"all", first, last, 1}, {"after", last, time.Time{}, 0}, {"before", time.Time{}, first, 0}} {
		r, err := m.Recall(t.Context(), evidence.RecallQuery{Text: "otters", Since: c.since, Until: c.until})
		if err != nil || len(r.Hits) != c.hits {
			t.Errorf("%s: Recall = %d hits, %v, want %d", c.name, len(r.Hits), err, c.hits)
		}
	}
	r, err := m.Forget(t.Context(), contract.Selector{Before: last, DryRun: true})
	if err != nil || r.Documents != 1 {
		t.Errorf("Forget before %s = %+v, %v, want 1 document", last, r, err)
	}
	if c, ok := m.(contract.RunClaimer); ok {
		if got, err := c.ClaimRun(t.Context(), contract.ClaimedRun{ID: "r_1", Question: "q", Begun: claimedAt}); err != nil || !got {
			t.Errorf("ClaimRun without a request = %v, %v", got, err)
		}
	}
}

// A run has one answer: the second is refused with its whole turn.
func (s suite) oneAnswer(t *testing.T) {
	m := s.start(t)
	if err := m.Append(t.Context(), "s_1", answer(evidence.Answer{RunID: "r_1", Question: "q"})...); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, m.Append(t.Context(), "s_2", answer(evidence.Answer{RunID: "r_1", Question: "q"})...), "r_1", "stored already")
	if st, err := m.Stats(t.Context()); err != nil || st.Runs != 1 || st.Turns != 2 {
		t.Errorf("Stats = %+v, %v, want 1 run and 2 turns", st, err)
	}
}
