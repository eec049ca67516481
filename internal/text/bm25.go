package text

import "math"

// BM25's parameters, measured best for short passages.
const (
	BM25K1 = 1.2
	BM25B  = 0.75
)

// BM25 scores a small collection, such as the passages of one question or the
// sentences of an answer. It is not modified after NewBM25.
type BM25 struct {
	docs   []map[string]int
	length []int
	df     map[string]int
	mean   float64
}

// NewBM25 indexes docs, each a list of terms.
func NewBM25(docs [][]string) *BM25 {
	b := &BM25{df: map[string]int{}}
	total := 0
	for _, terms := range docs {
		tf := make(map[string]int, len(terms))
		for _, t := range terms {
			tf[t]++
		}
		for t := range tf {
			b.df[t]++
		}
		b.docs = append(b.docs, tf)
		b.length = append(b.length, len(terms))
		total += len(terms)
	}
	if len(docs) > 0 {
		b.mean = max(float64(total)/float64(len(docs)), 1)
	}
	return b
}

// IDF is the inverse document frequency of a term: high for a rare term, highest
// for one in no document, never negative.
func (b *BM25) IDF(term string) float64 {
	n, df := float64(len(b.docs)), float64(b.df[term])
	return math.Log(1 + (n-df+0.5)/(df+0.5))
}

// Score is document i's score for the query terms.
func (b *BM25) Score(query []string, i int) float64 {
	sum := 0.0
	for _, t := range query {
		tf := float64(b.docs[i][t])
		if tf == 0 {
			continue
		}
		norm := BM25K1 * (1 - BM25B + BM25B*float64(b.length[i])/b.mean)
		sum += b.IDF(t) * tf * (BM25K1 + 1) / (tf + norm)
	}
	return sum
}

// Scores returns every document's score for the query terms, in order.
func (b *BM25) Scores(query []string) []float64 {
	out := make([]float64, len(b.docs))
	for i := range out {
		out[i] = b.Score(query, i)
	}
	return out
}
