// Package rank scores the chunks that a backend has found for a question: by words
// (BM25), by character n-grams, by vectors, and by their neighbours. All backends use
// it, so that they rank alike; how candidates are found and read is theirs.
//
// Reading order: rank.go, terms.go (the words that are indexed and asked for), words.go
// (BM25), grams.go, fuse.go (the score), alike.go (what is unrelated), turns.go.
package rank

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Candidate is a chunk that may become a hit.
type Candidate struct {
	ID, Doc     int64 // of the backend; ID may be 0 where Doc and Ord name a chunk
	Ord         int
	Start, Stop int
	Simhash     uint64
	Turn        bool
	Terms       string
	Context     string    // terms of the chunks before and after it, without those of the title
	Surface     string    // title and text as they were written; only for the n-grams
	Words       float64   // BM25
	Grams       float64   // cosine of character n-grams; only beside a vector
	Cos         float64   // valid when Vector is not nil
	Vector      []float32 // of the chunk, read-only
	Score       float64
}

// Within returns an error if the offsets, which may come from damaged data, are outside
// of a text of size bytes.
func (c *Candidate) Within(size int) error {
	if c.Start < 0 || c.Start > c.Stop || c.Stop > size {
		return fmt.Errorf("chunk %d of document %d goes from byte %d to %d of a text of %d", c.Ord, c.Doc, c.Start, c.Stop, size)
	}
	return nil
}

// Query is what the scores depend on besides the candidates.
type Query struct {
	Text    string
	Mode    string // of evidence.RecallQuery, not empty
	Vector  bool   // candidates are compared by vectors too
	Trained bool   // the model of the query is a trained encoder
	Depth   int    // the fewest chunks that each kind of search contributes
}

// Scored sets the scores of the candidates, 0..1, and leaves out those that have nothing
// to do with the query. grams reports that their n-grams were compared.
func Scored(q Query, cands []Candidate, grams bool) []Candidate {
	if q.Mode == evidence.ModeVector {
		for i := range cands { // the cosine itself: there is nothing to fuse
			cands[i].Score = min(max(cands[i].Cos, 0), 1)
		}
		return cands
	}
	fuse(cands, q.shares(grams), q.Depth)
	return q.dropUnrelated(cands)
}

// Best sorts the candidates by their scores and returns the k best, of near-duplicates
// one.
func Best(cands []Candidate, k int) []Candidate {
	slices.SortStableFunc(cands, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Doc, b.Doc), cmp.Compare(a.Ord, b.Ord))
	})
	return fold(cands, k)
}

// dropUnrelated removes the candidates that share no word with the query and are not
// similar to it otherwise: by meaning, or by a word in another form.
func (q Query) dropUnrelated(cands []Candidate) []Candidate {
	if !q.Trained {
		cands = slices.DeleteFunc(cands, func(c Candidate) bool { return c.Words == 0 && (c.Vector == nil || c.Cos <= chanceCos) })
		return dropUnlike(cands, q.Text, nil)
	}
	return dropUnlike(cands, q.Text, func(c Candidate) bool { return c.Vector != nil && c.Cos >= leastMeaning })
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
func fold(cands []Candidate, k int) []Candidate {
	out := make([]Candidate, 0, min(k, len(cands)))
	for _, c := range cands {
		if len(out) == k {
			break
		}
		twin := slices.ContainsFunc(out, func(o Candidate) bool {
			return o.Simhash != 0 && c.Simhash != 0 && text.Distance(o.Simhash, c.Simhash) <= text.NearDuplicate && sameNumbers(o.Terms, c.Terms)
		})
		if !twin {
			out = append(out, c)
		}
	}
	return out
}
