package local

import (
	"context"
	"database/sql"
	"math"
	"strings"
	"sync"
)

const (
	// gramBuckets hold the frequencies of character n-grams by hash; those that
	// meet in one bucket only make each other look a little more common.
	gramBuckets  = 1 << 16
	shortestGram = 3
	longestGram  = 5
	// gramSample chunks tell how common an n-gram is.
	gramSample = 512
)

// gramTable knows how common character n-grams are in the memory, from a sample
// of its chunks.
type gramTable struct {
	chunks int64 // of the memory when the sample was taken
	weight []float32
}

// grams holds the table in use; it is made anew when the memory has changed by a
// twentieth.
type grams struct {
	mu    sync.Mutex
	table *gramTable
}

func (g *grams) get(ctx context.Context, tx *sql.Tx, chunks int64) (*gramTable, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.table; t != nil && 20*max(t.chunks-chunks, chunks-t.chunks) <= chunks {
		return t, nil
	}
	t, err := sampleGrams(ctx, tx, chunks)
	if err == nil {
		g.table = t
	}
	return t, err
}

func sampleGrams(ctx context.Context, tx *sql.Tx, chunks int64) (*gramTable, error) {
	var lo, hi sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT (SELECT min(id) FROM chunk), (SELECT max(id) FROM chunk)").Scan(&lo, &hi); err != nil {
		return nil, err
	}
	step := max(1, (hi.Int64-lo.Int64+1)/gramSample)
	ids := make([]int64, 0, gramSample+1)
	for id := lo.Int64; id <= hi.Int64 && hi.Valid; id += step {
		ids = append(ids, id)
	}
	rows, err := tx.QueryContext(ctx, "SELECT terms FROM chunk WHERE id IN (SELECT value FROM json_each(?))", jsonIDs(ids))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	df, last, n := make([]int32, gramBuckets), make([]int32, gramBuckets), int32(0)
	known := map[string][]uint16{}
	for rows.Next() {
		var terms string
		if err := rows.Scan(&terms); err != nil {
			return nil, err
		}
		n++
		for t := range strings.FieldsSeq(terms) {
			gs, ok := known[t]
			if !ok {
				gs = gramsOf(nil, t)
				known[t] = gs
			}
			for _, g := range gs {
				if last[g] != n { // once a chunk
					last[g] = n
					df[g]++
				}
			}
		}
	}
	t := &gramTable{chunks: chunks, weight: make([]float32, gramBuckets)}
	for g := range t.weight {
		t.weight[g] = float32(math.Log(1 + (float64(n-df[g])+0.5)/(float64(df[g])+0.5)))
	}
	return t, rows.Err()
}

// gramsOf appends the buckets of the character 3- to 5-grams of <t>.
func gramsOf(out []uint16, t string) []uint16 {
	at := func(i int) byte {
		switch {
		case i == 0:
			return '<'
		case i == len(t)+1:
			return '>'
		}
		return t[i-1]
	}
	for start := 0; start+shortestGram <= len(t)+2; start++ {
		h := uint32(2166136261)
		for n := 1; n <= longestGram && start+n <= len(t)+2; n++ {
			h = (h ^ uint32(at(start+n-1))) * 16777619
			if n >= shortestGram {
				m := h ^ h>>15
				m *= 0x2c1b3c6d
				out = append(out, uint16((m^m>>13)&(gramBuckets-1)))
			}
		}
	}
	return out
}

// scoreGrams gives each candidate the cosine of its character n-grams and the
// question's, each n-gram weighted by how rare it is. It is what a lexical
// embedder's vectors sketch in a few hundred numbers, without their collisions.
func (t *gramTable) scoreGrams(cands []candidate, terms []string) {
	asked := map[uint16]float32{}
	var gs []uint16
	for w, n := range counts(terms) {
		gs = gramsOf(gs[:0], w)
		for _, g := range gs {
			asked[g] += n
		}
	}
	q := make([]float32, gramBuckets)
	norm := 0.0
	for g, n := range asked {
		v := (1 + float32(math.Log(float64(n)))) * t.weight[g]
		q[g], norm = v*t.weight[g], norm+float64(v)*float64(v)
	}
	if norm == 0 {
		return
	}
	type seen struct{ dot, square float32 }
	known := map[string]seen{}
	for i := range cands {
		dot, square := 0.0, 0.0
		for w, n := range counts(strings.Fields(cands[i].terms + " " + cands[i].context)) {
			s, ok := known[w]
			if !ok {
				gs = gramsOf(gs[:0], w)
				for _, g := range gs {
					s.dot += q[g]
					s.square += t.weight[g] * t.weight[g]
				}
				known[w] = s
			}
			tf := 1 + math.Log(float64(n))
			dot += tf * float64(s.dot)
			square += tf * tf * float64(s.square)
		}
		if square > 0 {
			cands[i].grams = dot / math.Sqrt(norm*square)
		}
	}
}

func counts(terms []string) map[string]float32 {
	out := make(map[string]float32, len(terms))
	for _, t := range terms {
		out[t]++
	}
	return out
}
