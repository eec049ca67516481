package rank

import (
	"slices"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

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
// n-gram statistics words get the share of the n-grams.
func (q Query) shares(grams bool) shares {
	var w shares
	switch {
	case !q.Vector || q.Mode == evidence.ModeBM25:
		return shares{words: 1}
	case q.Mode == evidence.ModeVector:
		return shares{vectors: 1}
	case q.Trained:
		w = shares{words: 0.4, grams: 0.2, vectors: 0.4, trained: true}
	case !grams:
		return shares{words: 0.8, vectors: 0.2}
	default:
		return shares{words: 0.6, grams: 0.3, vectors: 0.1}
	}
	if !grams {
		w.words, w.grams = w.lexical(), 0
	}
	return w
}

// fuse sets the score of each candidate to the convex combination of its
// scores, each scaled to 0..1 over the candidates.
func fuse(cands []Candidate, w shares, depth int) {
	var words, grams bounds
	if len(cands) < depth { // all matches are here: zero means nothing in common
		words.add(0)
		grams.add(0)
	}
	for _, c := range cands {
		words.add(c.Words)
		grams.add(c.Grams)
	}
	for i := range cands {
		c := &cands[i]
		c.Score = (w.words*words.scale(c.Words) + w.grams*grams.scale(c.Grams)) / w.lexical()
	}
	if w.trained {
		addMeaning(cands, w, len(cands) < depth)
	} else {
		addLexicalVectors(cands, w)
	}
}

// addLexicalVectors adds the similarity of a lexical embedder's vectors to the scores
// of the words and n-grams. A candidate without a vector keeps its score.
func addLexicalVectors(cands []Candidate, w shares) {
	var cos bounds
	for _, c := range cands {
		if c.Vector != nil {
			cos.add(c.Cos)
		}
	}
	for i := range cands {
		if c := &cands[i]; c.Vector != nil {
			c.Score = w.lexical()*c.Score + w.vectors*cos.scale(c.Cos)
		}
	}
}

// addMeaning adds the similarity of a trained encoder's vectors to the scores of the
// words and n-grams. A candidate without a vector, which may only not be embedded yet,
// has the similarity that its words let expect. The least similar quarter counts as
// unrelated: the neighbours of turns gain nothing by it. whole reports that the
// candidates are all matches.
func addMeaning(cands []Candidate, w shares, whole bool) {
	var lexical bounds
	if whole {
		lexical.add(0)
	}
	line := newExpectation()
	for _, c := range cands {
		lexical.add(c.Score)
		if c.Vector != nil && c.Words > 0 { // those that the vectors alone have found are no sample
			line.add(c.Score, c.Cos)
		}
	}
	similar := make([]float64, len(cands))
	for i, c := range cands {
		similar[i] = c.Cos
		if c.Vector == nil {
			similar[i] = line.at(c.Score)
		}
	}
	cos := upperBounds(similar)
	for i := range cands {
		cands[i].Score = w.lexical()*lexical.scale(cands[i].Score) + w.vectors*cos.scale(similar[i])
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
