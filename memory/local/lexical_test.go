package local

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// A question of one very common word reads the newest chunks that have it, also under a filter;
// if too few of them pass, all.
func TestOneCommonWordUnderAFilter(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	const word, more = "stone ", 100
	for i, n := range []int{fewChunks + more, commonest + more} {
		d := textDoc(i, strings.Repeat(word, n))
		d.Source = []string{"old", "new"}[i]
		var c evidence.Chunks
		for j := range n {
			c.Items = append(c.Items, evidence.Chunk{Start: j * len(word), End: (j + 1) * len(word)})
		}
		if _, err := l.Put(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
	}
	for source, want := range map[string]struct{ from, to int64 }{
		"old": {1, fewChunks + more},
		"new": {fewChunks + 2*more + 1, fewChunks + 2*more + commonest},
	} {
		q, err := l.prepareQuery(evidence.RecallQuery{Text: "stone", Mode: evidence.ModeBM25, K: 5, Source: source})
		if err != nil {
			t.Fatal(err)
		}
		err = l.read(t.Context(), "matching", func(tx *sql.Tx) error {
			s, err := l.termStats(t.Context(), tx, q.terms)
			if err != nil {
				return err
			}
			found, err := l.matching(t.Context(), tx, q, s)
			if len(found) != q.depth || slices.Min(found) < want.from || slices.Max(found) > want.to {
				t.Errorf("%s: %d chunks match, from %d to %d, want %d from %d to %d", source, len(found), slices.Min(found), slices.Max(found), q.depth, want.from, want.to)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Near-duplicates among the newest chunks, of which recall shows one, do not hide what else
// passes the filter.
func TestOneCommonWordInNearDuplicates(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	r := rand.New(rand.NewPCG(1, 2))
	passage := func() string {
		s := "stone"
		for range 20 {
			s += fmt.Sprintf(" w%dx", r.IntN(1e6))
		}
		return s + " "
	}
	put := func(i int, source string, texts ...string) {
		t.Helper()
		d := textDoc(i, strings.Join(texts, ""))
		d.Source = source
		var c evidence.Chunks
		at := 0
		for _, s := range texts {
			c.Items = append(c.Items, evidence.Chunk{Start: at, End: at + len(s)})
			at += len(s)
		}
		if _, err := l.Put(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
	}
	var distinct []string
	for range fewChunks + 500 {
		distinct = append(distinct, passage())
	}
	put(0, "mine", distinct...)
	put(1, "other", slices.Repeat([]string{"stone "}, commonest+100)...)
	same := passage()
	for i := range 10 {
		put(2+i, "mine", same)
	}
	res, err := l.Recall(t.Context(), evidence.RecallQuery{Text: "stone", Mode: evidence.ModeBM25, K: 5, Source: "mine"})
	if err != nil || len(res.Hits) != 5 {
		t.Errorf("%d hits, %v, want 5", len(res.Hits), err)
	}
}
