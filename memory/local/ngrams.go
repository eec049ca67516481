package local

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"sync"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	// gramBuckets hold the frequencies of character n-grams by hash; those that
	// meet in one bucket only make each other look a little more common.
	gramBuckets  = 1 << 18
	shortestGram = 3
	longestGram  = 5
	// gramSample chunks tell how common an n-gram is. Half as many cost a
	// tenth or three of nDCG@10, more win nothing.
	gramSample = 2048
)

// gramTable knows how common character n-grams are in the memory, from a sample
// of its chunks: in how many of them each is, by bucket.
type gramTable struct {
	chunks int64 // of the memory when the sample was taken
	df     []uint16
	idf    []float32 // by document frequency
}

func newGramTable(chunks int64, df []uint16, sampled int) *gramTable {
	t := &gramTable{chunks: chunks, df: df, idf: make([]float32, sampled+1)}
	for n := range t.idf {
		t.idf[n] = float32(math.Log(1 + (float64(sampled-n)+0.5)/(float64(n)+0.5)))
	}
	return t
}

func (t *gramTable) weight(g uint32) float32 { return t.idf[t.df[g]] }

// far reports by which factor the memory has outgrown or shrunk from the table;
// a missing one is infinitely far.
func (t *gramTable) far(chunks int64) float64 {
	if t == nil {
		return math.Inf(1)
	}
	a, b := float64(max(t.chunks, 1)), float64(max(chunks, 1))
	return max(a/b, b/a)
}

// A table this far from the memory is made anew: in the background, or at once
// where it is worth little and the memory is small.
const (
	staleGrams   = 1.05
	uselessGrams = 2
)

// grams holds the table in use. Taking a sample of a large memory costs more
// than a recall may, so that the index's keeper takes it.
type grams struct {
	mu    sync.Mutex
	table *gramTable
	due   bool // a recall missed it
}

// get gives what there is, nil when there is nothing yet. due tells that
// refresh should be called. A small memory is sampled at once.
func (g *grams) get(ctx context.Context, tx *sql.Tx, chunks int64) (t *gramTable, due bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	far := g.table.far(chunks)
	if far < staleGrams {
		return g.table, false, nil
	}
	if far < uselessGrams || chunks > smallMemory {
		g.due = true
		return g.table, true, nil
	}
	t, err = sampleGrams(ctx, tx, chunks)
	if err == nil {
		g.table = t
	}
	return t, false, err
}

// refresh takes a new sample where a recall missed it.
func (g *grams) refresh(ctx context.Context, db *sql.DB) error {
	g.mu.Lock()
	due := g.due
	g.due = false
	g.mu.Unlock()
	if !due {
		return nil
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	tally, err := readTally(ctx, tx)
	if err != nil {
		return err
	}
	t, err := sampleGrams(ctx, tx, tally["chunks"])
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.table = t
	return nil
}

func sampleGrams(ctx context.Context, tx *sql.Tx, chunks int64) (*gramTable, error) {
	sample, err := sampleChunks(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("sampling the memory: %w", err)
	}
	// Without titles: repeated with each chunk they would look common, and they
	// are what tells texts apart.
	if err := readSurfaces(ctx, tx, sample, false); err != nil {
		return nil, fmt.Errorf("sampling the memory: %w", err)
	}
	df, last := make([]uint16, gramBuckets), make([]uint16, gramBuckets)
	known := map[string][]uint32{}
	for i, c := range sample {
		for _, w := range surfaceWords(c.surface) {
			gs, ok := known[w]
			if !ok {
				gs = gramsOf(nil, w)
				known[w] = gs
			}
			for _, g := range gs {
				if seen := uint16(i + 1); last[g] != seen { //nolint:gosec // at most gramSample+1 chunks
					last[g] = seen // once a chunk
					df[g]++
				}
			}
		}
	}
	return newGramTable(chunks, df, len(sample)), nil
}

// sampleChunks takes chunks at even distances, at most gramSample and one more.
func sampleChunks(ctx context.Context, tx *sql.Tx) ([]candidate, error) {
	var lo, hi sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT (SELECT min(id) FROM chunk), (SELECT max(id) FROM chunk)").Scan(&lo, &hi); err != nil {
		return nil, err
	}
	step := max(1, (hi.Int64-lo.Int64+gramSample)/gramSample)
	ids := make([]int64, 0, gramSample+1)
	for id := lo.Int64; id <= hi.Int64 && hi.Valid; id += step {
		ids = append(ids, id)
	}
	found, err := readCandidates(ctx, tx, "c.id IN (SELECT value FROM json_each(?))", jsonIDs(ids))
	if err != nil || 2*len(found) >= len(ids) {
		return found, err
	}
	// So much was removed that most distances end nowhere: rows are counted instead.
	var n int64
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM chunk").Scan(&n); err != nil {
		return nil, err
	}
	every := max(1, (n+gramSample-1)/gramSample)
	return readCandidates(ctx, tx, "c.id IN (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM chunk) WHERE n % ? = 0)", every)
}

// readSurfaces gives each candidate its words as they were written, with the
// title's before them if titled. A text is read once, whatever the number of its chunks.
func readSurfaces(ctx context.Context, tx *sql.Tx, cands []candidate, titled bool) error {
	of := map[int64][]int{}
	docs := make([]int64, 0, len(cands))
	for i, c := range cands {
		if of[c.doc] == nil {
			docs = append(docs, c.doc)
		}
		of[c.doc] = append(of[c.doc], i)
	}
	rows, err := tx.QueryContext(ctx, `SELECT d.id, d.title, b.text FROM doc d JOIN body b ON b.doc = d.id
		WHERE d.id IN (SELECT value FROM json_each(?))`, jsonIDs(docs))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var doc int64
		var title string
		var body sql.RawBytes // a text may be megabytes, of which a chunk is wanted
		if err := rows.Scan(&doc, &title, &body); err != nil {
			return err
		}
		for _, i := range of[doc] {
			c := &cands[i]
			if err := c.within(len(body)); err != nil {
				return err
			}
			c.surface = string(body[c.start:c.stop])
			if titled {
				c.surface = titleHead(title) + " " + c.surface
			}
		}
	}
	return rows.Err()
}

// surfaceWords are the runs of letters and digits of s, in lower case and
// without diacritics.
func surfaceWords(s string) []string {
	return strings.FieldsFunc(text.Fold(s), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// gramsOf appends the buckets of the character 3- to 5-grams of <t>.
func gramsOf(out []uint32, t string) []uint32 {
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
				out = append(out, (m^m>>13)&(gramBuckets-1))
			}
		}
	}
	return out
}

// scoreGrams gives each candidate the cosine of its character n-grams and the
// question's, each n-gram weighted by how rare it is. It is what a lexical
// embedder's vectors sketch in a few hundred numbers, without their collisions.
// Words count as they were written, with function words: stems, which the word
// index compares already, score a point less on abstracts.
func (t *gramTable) scoreGrams(cands []candidate, question string) {
	asked := map[uint32]float32{}
	var gs []uint32
	for w, n := range counts(surfaceWords(question)) {
		gs = gramsOf(gs[:0], w)
		for _, g := range gs {
			asked[g] += n
		}
	}
	q := make([]float32, gramBuckets)
	norm := 0.0
	for g, n := range asked {
		v := (1 + float32(math.Log(float64(n)))) * t.weight(g)
		q[g], norm = v*t.weight(g), norm+float64(v)*float64(v)
	}
	if norm == 0 {
		return
	}
	type seen struct{ dot, square float32 }
	known := map[string]seen{}
	for i := range cands {
		dot, square := 0.0, 0.0
		for w, n := range counts(surfaceWords(cands[i].surface)) {
			s, ok := known[w]
			if !ok {
				gs = gramsOf(gs[:0], w)
				for _, g := range gs {
					s.dot += q[g]
					s.square += t.weight(g) * t.weight(g)
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
