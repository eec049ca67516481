package memorytest

import (
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// common is in how many chunks a word is that a recall does not search for beside a rarer
// one: more than rank.MatchBudget.
const common = 6001

// commonDoc is a document in whose chunks there is one word, so often that a recall which
// searches for a rarer one does not search for it too.
func commonDoc(id, source, word string, n int) (evidence.Document, evidence.Chunks) {
	d := Doc(id, strings.Repeat(word+" ", n))
	d.Title, d.Source, d.Tags = "", source, nil
	var c evidence.Chunks
	for i := range n {
		c.Items = append(c.Items, evidence.Chunk{Start: i * (len(word) + 1), End: (i + 1) * (len(word) + 1)})
	}
	return d, c
}

// commonWords recalls with a rare word that does not pass the filter, or that one chunk
// has: common words find the others, whether few chunks pass or many.
func (s suite) commonWords(t *testing.T) {
	m := s.start(t)
	put := func(d evidence.Document, c evidence.Chunks) {
		t.Helper()
		if _, err := m.Put(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
	}
	put(commonDoc("papers", "papers", "paper", common))
	put(commonDoc("stones", "stones", "stone", common+100))
	rare, mine := Doc("rare", "A xylograph."), Doc("mine", "On paper, by bees.")
	rare.Tags = nil
	mine.Source, mine.Tags, mine.Meta = "mine", []string{"mine"}, map[string]string{evidence.MetaSession: "s_mine"}
	put(rare, evidence.Chunks{})
	put(mine, evidence.Chunks{})
	const k = 7
	for name, c := range map[string]struct {
		set  func(*evidence.RecallQuery)
		want int
	}{
		"no filter":                              {func(*evidence.RecallQuery) {}, k},
		"session":                                {func(q *evidence.RecallQuery) { q.Session = "s_mine" }, 1},
		"source":                                 {func(q *evidence.RecallQuery) { q.Source = "mine" }, 1},
		"tag":                                    {func(q *evidence.RecallQuery) { q.Tags = []string{"mine"} }, 1},
		"many pass, with the first common word":  {func(q *evidence.RecallQuery) { q.Source = "papers" }, k},
		"many pass, with the second common word": {func(q *evidence.RecallQuery) { q.Source = "stones" }, k},
	} {
		for _, mode := range []string{evidence.ModeBM25, evidence.ModeHybrid} {
			q := evidence.RecallQuery{Text: "xylograph paper stone", K: k, Mode: mode}
			c.set(&q)
			if r := recall(t, m, q); len(r.Hits) != c.want {
				t.Errorf("%s in mode %s: %d hits, want %d", name, mode, len(r.Hits), c.want)
			}
		}
	}
}
