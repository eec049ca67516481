package local

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// candidate is a chunk that may become a hit.
type candidate struct {
	id, doc     int64
	ord         int
	start, stop int
	simhash     uint64
	turn        bool
	terms       string
	context     string    // terms of the chunks before and after it, without those of the title
	surface     string    // title and text as they were written; only for the n-grams
	words       float64   // BM25
	grams       float64   // cosine of character n-grams; only for a lexical embedder
	cos         float64   // valid when vector is not nil
	vector      []float32 // of the chunk, read-only
	score       float64
}

// within returns an error if the offsets, which may come from a damaged file,
// are outside of a text of size bytes.
func (c *candidate) within(size int) error {
	if c.start < 0 || c.start > c.stop || c.stop > size {
		return fmt.Errorf("chunk %d goes from byte %d to %d of a text of %d", c.id, c.start, c.stop, size)
	}
	return nil
}

// gather reads the candidates that the word search and the vector search found,
// each with the terms of the adjacent chunks. Chunks that were removed
// meanwhile are left out.
func gather(ctx context.Context, tx *sql.Tx, words []int64, nearby []near) ([]candidate, error) {
	named := make(map[int64]bool, len(words)+len(nearby))
	for _, id := range words {
		named[id] = true
	}
	for _, n := range nearby {
		named[n.chunk] = true
	}
	ids := make([]int64, 0, 3*len(named))
	for id := range named {
		ids = append(ids, id-1, id, id+1) // ids of one document are contiguous
	}
	slices.Sort(ids)
	all, err := readCandidates(ctx, tx, "c.id IN (SELECT value FROM json_each(?))", jsonIDs(slices.Compact(ids)))
	if err != nil {
		return nil, err
	}
	out := make([]candidate, 0, len(named))
	for i, c := range all {
		if !named[c.id] {
			continue
		}
		if i > 0 && all[i-1].doc == c.doc && all[i-1].id == c.id-1 {
			c.context = withoutTitle(all[i-1].terms, c.terms)
		}
		if i+1 < len(all) && all[i+1].doc == c.doc && all[i+1].id == c.id+1 {
			c.context += " " + withoutTitle(all[i+1].terms, c.terms)
		}
		out = append(out, c)
	}
	return out, nil
}

// withoutTitle removes the terms with which both chunks begin: those of the
// title.
func withoutTitle(terms, other string) string {
	same := 0
	for i := 0; i < len(terms) && i < len(other) && terms[i] == other[i]; i++ {
		if terms[i] == ' ' {
			same = i + 1
		}
	}
	return terms[same:]
}

func readCandidates(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]candidate, error) {
	rows, err := tx.QueryContext(ctx, `SELECT c.id, c.doc, c.ord, c.start, c.stop, c.simhash, c.terms, d.turn IS NOT NULL
		FROM chunk c JOIN doc d ON d.id = c.doc WHERE `+where+" ORDER BY c.id", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []candidate
	for rows.Next() {
		var c candidate
		var hash int64
		if err := rows.Scan(&c.id, &c.doc, &c.ord, &c.start, &c.stop, &hash, &c.terms, &c.turn); err != nil {
			return nil, err
		}
		c.simhash = uint64(hash) //nolint:gosec // bits, not a number
		out = append(out, c)
	}
	return out, rows.Err()
}

// scoreWords gives each candidate its BM25 score over all terms of the query,
// including those too common to search by. Half of it is the score of the
// chunk, half the score of the chunk with its neighbours, because chunk
// boundaries are arbitrary. The bm25 function of FTS5 gives no weight to a term
// in more than half of the chunks, which distorts the scores of a small memory.
func scoreWords(cands []candidate, s *termStats) {
	if len(s.terms) == 0 {
		return
	}
	place := make(map[string]int, len(s.terms))
	for i, t := range s.terms {
		place[t] = i
	}
	// counted is how often each term of the query occurs in a text of so many terms.
	type counted struct {
		tf     []float64
		length float64
	}
	add := func(c *counted, terms string) {
		for t := range strings.FieldsSeq(terms) {
			c.length++
			if i, ok := place[t]; ok {
				c.tf[i]++
			}
		}
	}
	score := func(c counted, mean float64) float64 {
		norm, sum := text.BM25K1*(1-text.BM25B+text.BM25B*c.length/mean), 0.0
		for i, n := range c.tf {
			if n > 0 {
				sum += s.weight[s.terms[i]] * n * (text.BM25K1 + 1) / (n + norm)
			}
		}
		return sum
	}
	wide, mean := make([]counted, len(cands)), 0.0
	all := make([]float64, len(cands)*len(s.terms))
	for i := range cands {
		c := counted{tf: all[i*len(s.terms) : (i+1)*len(s.terms)]}
		add(&c, cands[i].terms)
		cands[i].words = score(c, s.mean)
		add(&c, cands[i].context)
		wide[i], mean = c, mean+c.length/float64(len(cands))
	}
	for i := range cands {
		cands[i].words = 0.5*cands[i].words + 0.5*score(wide[i], max(mean, 1))
	}
}
