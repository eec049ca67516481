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

// leastMeaning is the similarity that a trained encoder gives to hardly any unrelated
// texts: 0.33 is the 99th percentile of sentences of other documents.
const leastMeaning = 0.3

// shares are the weights of the words (BM25), the character n-grams and the
// vectors in a score. They add up to 1.
type shares struct {
	words, grams, vectors float64
	trained               bool // the vectors are those of a trained encoder
}

// lexical is the part of the words and n-grams together.
func (w shares) lexical() float64 { return w.words + w.grams }

// The values were measured on public collections; see docs/ARCHITECTURE.md. Vectors
// of a lexical embedder approximate n-grams, which are compared themselves. Without
// n-gram statistics (table nil) words get the share of the n-grams.
func (q *preparedQuery) shares(table *gramTable) shares {
	var w shares
	switch {
	case q.vector == nil || q.Mode == evidence.ModeBM25:
		return shares{words: 1}
	case q.Mode == evidence.ModeVector:
		return shares{vectors: 1}
	case q.Model.Kind == evidence.KindTransformer:
		w = shares{words: 0.4, grams: 0.2, vectors: 0.4, trained: true}
	case table == nil:
		return shares{words: 0.8, vectors: 0.2}
	default:
		return shares{words: 0.6, grams: 0.3, vectors: 0.1}
	}
	if table == nil {
		w.words, w.grams = w.lexical(), 0
	}
	return w
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
		cands = q.dropUnrelated(cands)
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

// dropUnrelated removes the candidates that share no word with the query and are not
// similar to it otherwise: by meaning, or by a word in another form.
func (q *preparedQuery) dropUnrelated(cands []candidate) []candidate {
	if q.Model.Kind != evidence.KindTransformer {
		cands = slices.DeleteFunc(cands, func(c candidate) bool { return c.words == 0 && (c.vector == nil || c.cos <= chanceCos) })
		return dropUnlike(cands, q.Text, nil)
	}
	return dropUnlike(cands, q.Text, func(c candidate) bool { return c.vector != nil && c.cos >= leastMeaning })
}

// fuse sets the score of each candidate to the convex combination of its
// scores, each scaled to 0..1 over the candidates.
func fuse(cands []candidate, w shares, depth int) {
	var words, grams bounds
	if len(cands) < depth { // all matches are here: zero means nothing in common
		words.add(0)
		grams.add(0)
	}
	for _, c := range cands {
		words.add(c.words)
		grams.add(c.grams)
	}
	for i := range cands {
		c := &cands[i]
		c.score = (w.words*words.scale(c.words) + w.grams*grams.scale(c.grams)) / w.lexical()
	}
	if w.trained {
		addMeaning(cands, w, len(cands) < depth)
	} else {
		addLexicalVectors(cands, w)
	}
}

// addLexicalVectors adds the similarity of a lexical embedder's vectors to the scores
// of the words and n-grams. A candidate without a vector keeps its score.
func addLexicalVectors(cands []candidate, w shares) {
	var cos bounds
	for _, c := range cands {
		if c.vector != nil {
			cos.add(c.cos)
		}
	}
	for i := range cands {
		if c := &cands[i]; c.vector != nil {
			c.score = w.lexical()*c.score + w.vectors*cos.scale(c.cos)
		}
	}
}

// addMeaning adds the similarity of a trained encoder's vectors to the scores of the
// words and n-grams. A candidate without a vector, which may only not be embedded yet,
// has the similarity that its words let expect. The least similar quarter counts as
// unrelated: the neighbours of turns gain nothing by it. whole reports that the
// candidates are all matches.
func addMeaning(cands []candidate, w shares, whole bool) {
	var lexical bounds
	if whole {
		lexical.add(0)
	}
	line := newExpectation()
	for _, c := range cands {
		lexical.add(c.score)
		if c.vector != nil && c.words > 0 { // those that the vectors alone have found are no sample
			line.add(c.score, c.cos)
		}
	}
	similar := make([]float64, len(cands))
	for i, c := range cands {
		similar[i] = c.cos
		if c.vector == nil {
			similar[i] = line.at(c.score)
		}
	}
	cos := upperBounds(similar)
	for i := range cands {
		cands[i].score = w.lexical()*lexical.scale(cands[i].score) + w.vectors*cos.scale(similar[i])
	}
}

// upperBounds is the range of all numbers but the lowest quarter.
func upperBounds(numbers []float64) bounds {
	var out bounds
	sorted := slices.Sorted(slices.Values(numbers))
	for _, x := range sorted[len(sorted)/4:] {
		out.add(x)
	}
	return out
}

// expectation predicts the similarity of vectors from the score of the words and
// n-grams: the least-squares line over what has both. It begins with observations of
// its own, so that it is of use before there are any, and few move it little.
type expectation struct{ n, x, y, xx, xy float64 }

// newExpectation returns the usual line of the built-in encoder, 0.1 to 0.6, as four
// observations.
func newExpectation() *expectation {
	var e expectation
	for range 2 {
		e.add(0, 0.1)
		e.add(1, 0.6)
	}
	return &e
}

func (e *expectation) add(x, y float64) {
	e.n, e.x, e.y, e.xx, e.xy = e.n+1, e.x+x, e.y+y, e.xx+x*x, e.xy+x*y
}

func (e *expectation) at(x float64) float64 {
	slope := (e.n*e.xy - e.x*e.y) / (e.n*e.xx - e.x*e.x) // the first observations are at two places
	return (e.y-slope*e.x)/e.n + slope*x
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

// scale maps lo..hi to 0..1, and what is below lo to 0. If all numbers are equal, it
// returns 1, or 0 if they are zero.
func (b *bounds) scale(x float64) float64 {
	switch {
	case x < b.lo:
		return 0
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
