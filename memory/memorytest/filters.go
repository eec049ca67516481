package memorytest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// What recallUnderFilters puts: documents of some chunks, whose vectors lie in clusters.
// The chunks of a document are in different clusters, so that what passes a filter is
// everywhere. It is the hard case for an index that is asked for the nearest first and
// for the filter afterwards.
const (
	filteredDocs   = 300
	filteredChunks = 8
	filteredPer    = 20 // chunks of a cluster
	filteredK      = 10
	leastFound     = 0.98 // of the nearest that pass
	leastNear      = 0.1  // similarity; a backend may leave out what is not similar at all
)

// filteredSet is the documents with what a filter sees of them.
type filteredSet struct {
	docs    []evidence.Document
	vectors [][][]float32 // by document and chunk
	queries [][]float32
}

func newFilteredSet() filteredSet {
	rnd := rand.New(rand.NewPCG(7, 11))
	vector := func() []float32 {
		v := make([]float32, Model().Dims)
		for i := range v {
			v[i] = float32(rnd.NormFloat64())
		}
		return v
	}
	near := func(centre []float32, by float64) []float32 {
		v := slices.Clone(centre)
		for i := range v {
			v[i] += float32(by * rnd.NormFloat64())
		}
		return v
	}
	var f filteredSet
	centres := make([][]float32, filteredDocs*filteredChunks/filteredPer)
	for i := range centres {
		centres[i] = vector()
	}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range filteredDocs {
		d := Doc(fmt.Sprintf("v%d", i), "")
		d.Source, d.Tags, d.Meta = share(i, "src"), []string{share(i+1, "tag")}, map[string]string{evidence.MetaSession: share(i+2, "s")}
		d.Retrieved = day.AddDate(0, 0, (i*97)%filteredDocs) // not as they are put
		f.docs = append(f.docs, d)
		var all [][]float32
		for range filteredChunks {
			all = append(all, near(centres[rnd.IntN(len(centres))], 0.3))
		}
		f.vectors = append(f.vectors, all)
	}
	for range 30 {
		f.queries = append(f.queries, near(centres[rnd.IntN(len(centres))], 0.3))
	}
	return f
}

// share names the part to which a number belongs: one percent, ten, forty or the rest.
func share(i int, prefix string) string {
	switch {
	case i%100 == 7:
		return prefix + "_1"
	case i%10 == 3:
		return prefix + "_10"
	case i%5 < 2:
		return prefix + "_40"
	}
	return prefix + "_rest"
}

// filters are by their names what a query sets and which documents pass.
func (f filteredSet) filters() map[string]struct {
	set  func(*evidence.RecallQuery)
	pass func(evidence.Document) bool
} {
	type filter = struct {
		set  func(*evidence.RecallQuery)
		pass func(evidence.Document) bool
	}
	out := map[string]filter{"none": {func(*evidence.RecallQuery) {}, func(evidence.Document) bool { return true }}}
	for _, part := range []string{"1", "10", "40"} {
		source, tag, session := "src_"+part, "tag_"+part, "s_"+part
		out["source "+part] = filter{func(q *evidence.RecallQuery) { q.Source = source }, func(d evidence.Document) bool { return d.Source == source }}
		out["tag "+part] = filter{func(q *evidence.RecallQuery) { q.Tags = []string{tag} }, func(d evidence.Document) bool { return d.Tags[0] == tag }}
		out["session "+part] = filter{func(q *evidence.RecallQuery) { q.Session = session }, func(d evidence.Document) bool { return d.Meta[evidence.MetaSession] == session }}
	}
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, days := range []int{3, 30, 120} {
		since := first.AddDate(0, 0, filteredDocs-days)
		out[fmt.Sprintf("the last %d days", days)] = filter{func(q *evidence.RecallQuery) { q.Since = since }, func(d evidence.Document) bool { return !d.Retrieved.Before(since) }}
	}
	until := first.AddDate(0, 0, 2)
	out["tag 40 of the first days"] = filter{func(q *evidence.RecallQuery) { q.Tags, q.Until = []string{"tag_40"}, until },
		func(d evidence.Document) bool { return d.Tags[0] == "tag_40" && !d.Retrieved.After(until) }}
	return out
}

func (f filteredSet) put(t *testing.T, m contract.Memory) {
	t.Helper()
	for i, d := range f.docs {
		chunks := evidence.Chunks{Model: Model()}
		for j, v := range f.vectors[i] {
			piece := unlike(i*filteredChunks + j)
			chunks.Items = append(chunks.Items, evidence.Chunk{Start: len(d.Text), End: len(d.Text) + len(piece), Vector: v})
			d.Text += piece
		}
		if _, err := m.Put(t.Context(), d, chunks); err != nil {
			t.Fatal(err)
		}
	}
}

// unlike is a text that shares no word with those of other numbers.
func unlike(n int) string {
	rnd := rand.New(rand.NewPCG(uint64(n), 5))
	out := ""
	for range 6 {
		word := make([]byte, 9)
		for i := range word {
			word[i] = byte('a' + rnd.IntN(26))
		}
		out += string(word) + " "
	}
	return out
}

// nearest returns the similarities of the nearest chunks that pass, computed one by one.
func (f filteredSet) nearest(q []float32, pass func(evidence.Document) bool) []float64 {
	var all []float64
	for i, d := range f.docs {
		if !pass(d) {
			continue
		}
		for _, v := range f.vectors[i] {
			if cos := cosine(q, v); cos > leastNear {
				all = append(all, cos)
			}
		}
	}
	slices.SortFunc(all, func(a, b float64) int { return cmp.Compare(b, a) })
	return all[:min(filteredK, len(all))]
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}

// recallUnderFilters compares recall by vectors with the exact answer, under filters that
// let one percent, ten and forty of the documents pass. An index that finds others, or too
// few, says nothing.
func (s suite) recallUnderFilters(t *testing.T) {
	open := s.Open
	if s.OpenLarge != nil {
		open = s.OpenLarge
	}
	m, err := open(context.WithoutCancel(t.Context()), contract.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	f := newFilteredSet()
	f.put(t, m)
	for name, c := range f.filters() {
		found, want := 0, 0
		for _, v := range f.queries {
			q := evidence.RecallQuery{Text: "x", Vector: v, Model: Model(), K: filteredK, Mode: evidence.ModeVector}
			c.set(&q)
			nearest := f.nearest(v, c.pass)
			want += len(nearest)
			for _, h := range recall(t, m, q).Hits {
				i := slices.IndexFunc(f.docs, func(d evidence.Document) bool { return d.ID == h.Document.ID })
				if i < 0 || !c.pass(f.docs[i]) {
					t.Fatalf("filter %s: %s does not pass", name, h.Document.ID)
				}
				if len(nearest) > 0 && h.Passage.Score >= nearest[len(nearest)-1]-0.001 { // stored numbers may have half precision
					found++
				}
			}
		}
		if got := float64(min(found, want)) / float64(want); got < leastFound {
			t.Errorf("filter %s: %.3f of the nearest are found, want %.2f", name, got, leastFound)
		}
	}
}
