package rank

import (
	"iter"
	"math"
	"sync/atomic"
)

const (
	// gramBuckets is the number of hash buckets for the frequencies of
	// n-grams. A collision only makes two of them look more common.
	gramBuckets  = 1 << 18
	shortestGram = 3
	longestGram  = 5
	// GramSample is how many chunks are sampled. Half as many cost 0.1 to 0.3
	// points of nDCG@10; more gain nothing.
	GramSample = 2048
)

// GramTable holds the document frequencies of character n-grams in a sample of
// the chunks, by bucket.
type GramTable struct {
	chunks int64 // of the memory when the sample was taken
	df     []uint16
	idf    []float32              // by document frequency
	spare  atomic.Pointer[Scorer] // a megabyte and more that each question would need anew
}

func newGramTable(chunks int64, df []uint16, sampled int) *GramTable {
	t := &GramTable{chunks: chunks, df: df, idf: make([]float32, sampled+1)}
	for n := range t.idf {
		t.idf[n] = float32(math.Log(1 + (float64(sampled-n)+0.5)/(float64(n)+0.5)))
	}
	return t
}

func (t *GramTable) weight(g uint32) float32 { return t.idf[t.df[g]] }

// Far returns the factor by which the number of chunks has changed since the
// sample; +Inf without one.
func (t *GramTable) Far(chunks int64) float64 {
	if t == nil {
		return math.Inf(1)
	}
	a, b := float64(max(t.chunks, 1)), float64(max(chunks, 1))
	return max(a/b, b/a)
}

// A table that is StaleGrams away is sampled again in the background; one that
// is UselessGrams away at once, if the memory is small.
const (
	StaleGrams   = 1.05
	UselessGrams = 2
)

// SampleGrams makes the table of a memory of so many chunks from the texts of a sample,
// at most GramSample+1 of them. Without titles: repeated with each chunk they would look
// common, although they distinguish texts.
func SampleGrams(chunks int64, texts iter.Seq[string]) *GramTable {
	df, last := make([]uint16, gramBuckets), make([]uint16, gramBuckets)
	words := newWordCounter()
	var grams [][]uint32 // of each word
	n := 0
	for s := range texts {
		n++
		for _, w := range words.count(s) {
			if w.id == len(grams) {
				grams = append(grams, gramsOf(nil, w.text))
			}
			for _, g := range grams[w.id] {
				if seen := uint16(n); last[g] != seen { //nolint:gosec // at most GramSample+1 texts
					last[g] = seen // once per text
					df[g]++
				}
			}
		}
	}
	return newGramTable(chunks, df, n)
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

// Scorer compares texts with a question by their character n-grams, weighted by rarity.
// Vectors of a lexical embedder approximate that in a few hundred numbers, with
// collisions. Words count as written, function words included: stems, which BM25 compares
// already, score a point less on abstracts.
type Scorer struct {
	table *GramTable
	asked []float32 // by bucket: the weights of the n-grams of the question, squared
	norm  float64
	words *wordCounter
	known []wordShare        // of each word
	grams []uint32           // reused
	times map[uint32]float32 // of each n-gram of the question
}

// wordShare is what a word contributes to the cosine of a text.
type wordShare struct{ dot, square float32 }

// Scorer returns one for a question. Several must not share it.
func (t *GramTable) Scorer(question string) *Scorer {
	s := t.spare.Swap(nil)
	if s == nil {
		s = &Scorer{table: t, asked: make([]float32, gramBuckets), words: newWordCounter(), times: map[uint32]float32{}}
	}
	for _, w := range newWordCounter().count(question) {
		s.grams = gramsOf(s.grams[:0], w.text)
		for _, g := range s.grams {
			s.times[g] += float32(w.times)
		}
	}
	for g, n := range s.times {
		v := (1 + float32(math.Log(float64(n)))) * t.weight(g)
		s.asked[g] = v * t.weight(g)
		s.norm += float64(v) * float64(v)
	}
	return s
}

// keep keeps the memory for the next question, and none of the texts.
func (s *Scorer) keep() {
	for g := range s.times {
		s.asked[g] = 0
	}
	clear(s.times)
	s.words.forget()
	s.known, s.norm = s.known[:0], 0
	s.table.spare.Store(s)
}

// Score returns the cosine of a text and the question.
func (s *Scorer) Score(text string) float64 {
	if s.norm == 0 {
		return 0
	}
	dot, square := 0.0, 0.0
	for _, w := range s.words.count(text) {
		if w.id == len(s.known) {
			s.known = append(s.known, s.share(w.text))
		}
		tf := 1 + logOf(w.times)
		dot += tf * float64(s.known[w.id].dot)
		square += tf * tf * float64(s.known[w.id].square)
	}
	if square == 0 {
		return 0
	}
	return dot / math.Sqrt(s.norm*square)
}

func (s *Scorer) share(word string) wordShare {
	var out wordShare
	s.grams = gramsOf(s.grams[:0], word)
	for _, g := range s.grams {
		weight := s.table.weight(g)
		out.dot += s.asked[g]
		out.square += weight * weight
	}
	return out
}

// Score sets the cosine of the n-grams of each candidate and the question.
func (t *GramTable) Score(cands []Candidate, question string) {
	s := t.Scorer(question)
	defer s.keep()
	for i := range cands {
		cands[i].Grams = s.Score(cands[i].Surface)
	}
}

// logOf is the natural logarithm; most words occur once.
func logOf(n int) float64 {
	if n == 1 {
		return 0
	}
	return math.Log(float64(n))
}
