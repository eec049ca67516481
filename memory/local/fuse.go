package local

import (
	"cmp"
	"context"
	"database/sql"
	"slices"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// The weight of the vectors against the words, measured on public collections:
// more than 0.3 for a lexical embedder loses, a trained encoder carries a half.
const (
	alphaLexical     = 0.3
	alphaTransformer = 0.5
	// neighbourShare of the scores of the turns before and after is added to a
	// turn's own: an answer often has none of the question's words.
	neighbourShare = 0.3
)

// lexicalVectors reports whether the vectors are a sketch of n-grams that are
// better compared themselves.
func (q *question) lexicalVectors() bool {
	return q.vector != nil && q.Mode == evidence.ModeHybrid && q.Model.Kind != evidence.KindTransformer
}

func alpha(q *question) float64 {
	switch {
	case q.vector == nil:
		return 0
	case q.Mode == evidence.ModeVector:
		return 1
	case q.Model.Kind == evidence.KindTransformer:
		return alphaTransformer
	}
	return alphaLexical
}

// rank scores the candidates 0..1 and returns the best, best first, without
// near-duplicates.
func rank(ctx context.Context, tx *sql.Tx, q *question, cands []candidate, sem *semantics) ([]candidate, error) {
	if q.Mode == evidence.ModeVector {
		for i := range cands { // as it is: nothing to fuse with
			cands[i].score = min(max(cands[i].cos, 0), 1)
		}
	} else {
		fuse(cands, alpha(q))
		cands = slices.DeleteFunc(cands, func(c candidate) bool { return c.words == 0 && (c.vector == nil || c.cos <= 0) })
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

// fuse is the convex combination of both scores, each scaled to 0..1 over the
// candidates. One that has no vector is judged by its words alone: that it was
// not embedded yet is no fault of its text.
func fuse(cands []candidate, a float64) {
	lo, hi := 0.0, 0.0
	cosLo, cosHi, any := 0.0, 0.0, false
	for _, c := range cands {
		hi = max(hi, c.words)
		if c.vector == nil {
			continue
		}
		if !any {
			cosLo, cosHi, any = c.cos, c.cos, true
		}
		cosLo, cosHi = min(cosLo, c.cos), max(cosHi, c.cos)
	}
	for i := range cands {
		c := &cands[i]
		words := scale(c.words, lo, hi)
		near := words
		if c.vector != nil {
			near = scale(c.cos, cosLo, cosHi)
		}
		c.score = (1-a)*words + a*near
	}
}

// scale maps lo..hi to 0..1. When all are equal, all are best, or nothing when
// they are zero.
func scale(x, lo, hi float64) float64 {
	switch {
	case hi > lo:
		return (x - lo) / (hi - lo)
	case hi > 0:
		return 1
	}
	return 0
}

// fold keeps the best of each group of near-duplicates, until k are found.
func fold(cands []candidate, k int) []candidate {
	out := make([]candidate, 0, min(k, len(cands)))
	for _, c := range cands {
		if len(out) == k {
			break
		}
		twin := slices.ContainsFunc(out, func(o candidate) bool {
			return o.simhash != 0 && c.simhash != 0 && text.Distance(o.simhash, c.simhash) <= text.NearDuplicate
		})
		if !twin {
			out = append(out, c)
		}
	}
	return out
}
