package local

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"sync"
)

const (
	// gramBuckets is the number of hash buckets for the frequencies of
	// n-grams. A collision only makes two of them look more common.
	gramBuckets  = 1 << 18
	shortestGram = 3
	longestGram  = 5
	// gramSample is how many chunks are sampled. Half as many cost 0.1 to 0.3
	// points of nDCG@10; more gain nothing.
	gramSample = 2048
)

// gramTable holds the document frequencies of character n-grams in a sample of
// the chunks, by bucket.
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

// far returns the factor by which the number of chunks has changed since the
// sample; +Inf without one.
func (t *gramTable) far(chunks int64) float64 {
	if t == nil {
		return math.Inf(1)
	}
	a, b := float64(max(t.chunks, 1)), float64(max(chunks, 1))
	return max(a/b, b/a)
}

// A table that is staleGrams away is sampled again in the background; one that
// is uselessGrams away at once, if the memory is small.
const (
	staleGrams   = 1.05
	uselessGrams = 2
)

// grams holds the table in use. Sampling a large memory takes longer than a
// recall may, so the background goroutine of the index does it.
type grams struct {
	mu    sync.Mutex
	table *gramTable
	due   bool // a recall needed a newer one
}

// get returns the table, nil if there is none yet. due reports that refresh
// should be called. A small memory is sampled at once.
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

// refresh takes a new sample if a recall needed one.
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
	// Without titles: repeated with each chunk they would look common,
	// although they distinguish texts.
	if err := readSurfaces(ctx, tx, sample, false); err != nil {
		return nil, fmt.Errorf("sampling the memory: %w", err)
	}
	df, last := make([]uint16, gramBuckets), make([]uint16, gramBuckets)
	words := newWordCounter()
	var grams [][]uint32 // of each word
	for i, c := range sample {
		for _, w := range words.count(c.surface) {
			if w.id == len(grams) {
				grams = append(grams, gramsOf(nil, w.text))
			}
			for _, g := range grams[w.id] {
				if seen := uint16(i + 1); last[g] != seen { //nolint:gosec // at most gramSample+1 chunks
					last[g] = seen // once per chunk
					df[g]++
				}
			}
		}
	}
	return newGramTable(chunks, df, len(sample)), nil
}

// sampleChunks returns chunks at even distances, at most gramSample+1.
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
	// Too many were removed, and most of the sampled ids do not exist: sample
	// by row instead.
	var n int64
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM chunk").Scan(&n); err != nil {
		return nil, err
	}
	every := max(1, (n+gramSample-1)/gramSample)
	return readCandidates(ctx, tx, "c.id IN (SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM chunk) WHERE n % ? = 0)", every)
}

// readSurfaces reads the words of each candidate as written, after those of the
// title if titled is set. Each text is read once.
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
		var body sql.RawBytes // the text may have megabytes
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

// scoreGrams sets the cosine of the character n-grams of each candidate and the
// query, weighted by rarity. Vectors of a lexical embedder approximate it in a
// few hundred numbers, with collisions. Words count as written, function words
// included: stems, which BM25 compares already, score a point less on
// abstracts.
func (t *gramTable) scoreGrams(cands []candidate, question string) {
	words := newWordCounter()
	asked := map[uint32]float32{}
	var gs []uint32
	for _, w := range words.count(question) {
		gs = gramsOf(gs[:0], w.text)
		for _, g := range gs {
			asked[g] += float32(w.times)
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
	words = newWordCounter()
	type share struct{ dot, square float32 }
	var known []share // of each word
	for i := range cands {
		dot, square := 0.0, 0.0
		for _, w := range words.count(cands[i].surface) {
			if w.id == len(known) {
				var s share
				gs = gramsOf(gs[:0], w.text)
				for _, g := range gs {
					weight := t.weight(g)
					s.dot += q[g]
					s.square += weight * weight
				}
				known = append(known, s)
			}
			tf := 1 + logOf(w.times)
			dot += tf * float64(known[w.id].dot)
			square += tf * tf * float64(known[w.id].square)
		}
		if square > 0 {
			cands[i].grams = dot / math.Sqrt(norm*square)
		}
	}
}

// logOf is the natural logarithm; most words occur once.
func logOf(n int) float64 {
	if n == 1 {
		return 0
	}
	return math.Log(float64(n))
}
