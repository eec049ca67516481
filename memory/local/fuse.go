package local

import (
	"cmp"
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// neighbourShare is the part of the scores of the adjacent turns that is added
// to the score of a turn: an answer often shares no word with the question.
const neighbourShare = 0.3

// chanceCos is the similarity that a lexical embedder gives to unrelated texts:
// two standard deviations of hashing into 384 dimensions.
const chanceCos = 0.1

// shares are the weights of the words (BM25), the character n-grams and the
// vectors in a score. They add up to 1.
type shares struct{ words, grams, vectors float64 }

// The values were measured on public collections. Vectors of a trained encoder
// get a half. Those of a lexical embedder approximate n-grams, which are
// compared themselves; more than 0.4 for both loses quality. Without n-gram
// statistics (table nil) the vectors get the share of the n-grams.
func (q *preparedQuery) shares(table *gramTable) shares {
	switch {
	case q.vector == nil || q.Mode == evidence.ModeBM25:
		return shares{words: 1}
	case q.Mode == evidence.ModeVector:
		return shares{vectors: 1}
	case q.Model.Kind == evidence.KindTransformer:
		return shares{words: 0.5, vectors: 0.5}
	}
	if table == nil {
		return shares{words: 0.8, vectors: 0.2}
	}
	return shares{words: 0.6, grams: 0.3, vectors: 0.1}
}

// rank scores the candidates 0..1 and returns the best, best first, without
// near-duplicates.
func rank(ctx context.Context, tx *sql.Tx, q *preparedQuery, cands []candidate, sem *semantics, table *gramTable) ([]candidate, error) {
	if q.Mode == evidence.ModeVector {
		for i := range cands { // the cosine itself: there is nothing to fuse
			cands[i].score = min(max(cands[i].cos, 0), 1)
		}
	} else {
		fuse(cands, q.shares(table), q.depth)
		least := 0.0
		if q.Model.Kind != evidence.KindTransformer {
			least = chanceCos
		}
		cands = slices.DeleteFunc(cands, func(c candidate) bool { return c.words == 0 && (c.vector == nil || c.cos <= least) })
		cands = dropUnlike(cands, q.Text)
	}
	cands, err := addNeighbours(ctx, tx, q, cands, sem)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(cands, func(a, b candidate) int {
		if c := cmp.Compare(b.score, a.score); c != 0 {
			return c
		}
		return cmp.Compare(a.id, b.id)
	})
	return fold(cands, q.K), nil
}

// fuse sets the score of each candidate to the convex combination of its
// scores, each scaled to 0..1 over the candidates. A candidate without a vector
// is scored by the rest alone: it may only not be embedded yet.
func fuse(cands []candidate, w shares, depth int) {
	var words, grams, cos bounds
	if len(cands) < depth { // all matches are here: zero means nothing in common
		words.add(0)
		grams.add(0)
	}
	for _, c := range cands {
		words.add(c.words)
		grams.add(c.grams)
		if c.vector != nil {
			cos.add(c.cos)
		}
	}
	for i := range cands {
		c := &cands[i]
		c.score = w.words*words.scale(c.words) + w.grams*grams.scale(c.grams)
		if c.vector != nil {
			c.score += w.vectors * cos.scale(c.cos)
		} else {
			c.score /= w.words + w.grams
		}
	}
}

// bounds is the range of some numbers.
type bounds struct {
	lo, hi float64
	some   bool
}

func (b *bounds) add(x float64) {
	if !b.some {
		*b = bounds{x, x, true}
	}
	b.lo, b.hi = min(b.lo, x), max(b.hi, x)
}

// scale maps lo..hi to 0..1. If all numbers are equal, it returns 1, or 0 if
// they are zero.
func (b *bounds) scale(x float64) float64 {
	switch {
	case b.hi > b.lo:
		return (x - b.lo) / (b.hi - b.lo)
	case b.hi > 0:
		return 1
	}
	return 0
}

// sameNumbers reports whether two texts contain the same numbers: "port 1194"
// and "port 51820" are near-duplicates with different meanings.
func sameNumbers(a, b string) bool {
	return slices.Equal(numbers(a), numbers(b))
}

func numbers(terms string) []string {
	var out []string
	for t := range strings.FieldsSeq(terms) {
		if strings.ContainsAny(t, "0123456789") {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fold keeps the best of each group of near-duplicates, until it has k.
func fold(cands []candidate, k int) []candidate {
	out := make([]candidate, 0, min(k, len(cands)))
	for _, c := range cands {
		if len(out) == k {
			break
		}
		twin := slices.ContainsFunc(out, func(o candidate) bool {
			return o.simhash != 0 && c.simhash != 0 && text.Distance(o.simhash, c.simhash) <= text.NearDuplicate && sameNumbers(o.terms, c.terms)
		})
		if !twin {
			out = append(out, c)
		}
	}
	return out
}
