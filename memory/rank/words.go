package rank

import (
	"cmp"
	"iter"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	// MatchBudget limits the postings that one recall reads. Terms are used
	// from the rarest on until it is spent: the most common ones would cost
	// most and contribute least. They still count in the score.
	MatchBudget = 6000
	// maxTerms limits the terms of a query; the most common ones are dropped.
	maxTerms = 48
	// maxCached limits the cached document frequencies.
	maxCached = 20_000
)

// TermStats is what BM25 needs to know of a query and the memory.
type TermStats struct {
	Terms  []string // that occur, rarest first
	DF     []int64
	Weight map[string]float64 // inverse document frequency, times its count in the query
	Chunks int64
	Mean   float64 // terms in a chunk
	// Unknown reports that some term of the query is in no chunk: it may be misspelt.
	Unknown bool
}

// NewTermStats looks the terms of a query up. chunks is how many the memory has, and
// total how many terms all of them have; frequency returns the chunks with a term.
func NewTermStats(terms []string, chunks, total int64, frequency func(term string) (int64, error)) (*TermStats, error) {
	s := &TermStats{Weight: map[string]float64{}, Chunks: chunks, Mean: 1}
	if chunks > 0 {
		s.Mean = max(1, float64(total)/float64(chunks))
	}
	type counted struct {
		term string
		df   int64
	}
	var all []counted
	times := map[string]float64{}
	for _, term := range terms {
		if times[term]++; times[term] > 1 {
			continue
		}
		df, err := frequency(term)
		if err != nil {
			return nil, err
		}
		if df > 0 {
			all = append(all, counted{term, df})
		} else {
			s.Unknown = true
		}
	}
	slices.SortStableFunc(all, func(a, b counted) int { return cmp.Compare(a.df, b.df) })
	for _, c := range all[:min(maxTerms, len(all))] {
		n, df := float64(chunks), float64(min(c.df, chunks))
		s.Terms, s.DF = append(s.Terms, c.term), append(s.DF, c.df)
		s.Weight[c.term] = times[c.term] * math.Log(1+(n-df+0.5)/(df+0.5))
	}
	return s, nil
}

// Sought returns the terms to search by: the rarest, as far as MatchBudget goes. Those left
// out have to be sought too where these find too little, as they may under a filter.
func (s *TermStats) Sought() []string {
	spent := int64(0)
	for i := range s.Terms {
		if spent += s.DF[i]; i > 0 && spent > MatchBudget {
			return s.Terms[:i]
		}
	}
	return s.Terms
}

// Frequencies caches document frequencies until the number of chunks has
// changed by one percent.
type Frequencies struct {
	mu     sync.Mutex
	chunks int64
	df     map[string]int64
}

// NewFrequencies returns an empty cache.
func NewFrequencies() *Frequencies { return &Frequencies{df: map[string]int64{}} }

// Get returns the frequency of a term in a memory of so many chunks, if it is known.
func (f *Frequencies) Get(term string, chunks int64) (int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d := chunks - f.chunks; d > f.chunks/100 || -d > f.chunks/100 || len(f.df) > maxCached {
		f.chunks, f.df = chunks, map[string]int64{}
	}
	n, ok := f.df[term]
	return n, ok
}

// Set keeps the frequency of a term. That of a term that does not occur is not kept: it
// may come with the next Put.
func (f *Frequencies) Set(term string, n int64) {
	if n <= 0 {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.df[term] = n
}

// WithoutTitle removes the terms with which both chunks begin: those of the
// title.
func WithoutTitle(terms, other string) string {
	same := 0
	for i := 0; i < len(terms) && i < len(other) && terms[i] == other[i]; i++ {
		if terms[i] == ' ' {
			same = i + 1
		}
	}
	return terms[same:]
}

// ScoreWords gives each candidate its BM25 score over all terms of the query,
// including those too common to search by. Half of it is the score of the
// chunk, half the score of the chunk with its neighbours, because chunk
// boundaries are arbitrary. The bm25 function of FTS5 gives no weight to a term
// in more than half of the chunks, which distorts the scores of a small memory.
func ScoreWords(cands []Candidate, s *TermStats) {
	if len(s.Terms) == 0 {
		return
	}
	place := newPlaces(s.Terms)
	// counted is how often each term of the query occurs in a text of so many terms.
	type counted struct {
		tf     []float64
		length float64
	}
	add := func(c *counted, terms string) {
		for t := range each(terms) {
			c.length++
			if i, ok := place.of(t); ok {
				c.tf[i]++
			}
		}
	}
	score := func(c counted, mean float64) float64 {
		norm, sum := text.BM25K1*(1-text.BM25B+text.BM25B*c.length/mean), 0.0
		for i, n := range c.tf {
			if n > 0 {
				sum += s.Weight[s.Terms[i]] * n * (text.BM25K1 + 1) / (n + norm)
			}
		}
		return sum
	}
	wide, mean := make([]counted, len(cands)), 0.0
	all := make([]float64, len(cands)*len(s.Terms))
	for i := range cands {
		c := counted{tf: all[i*len(s.Terms) : (i+1)*len(s.Terms)]}
		add(&c, cands[i].Terms)
		cands[i].Words = score(c, s.Mean)
		add(&c, cands[i].Context)
		wide[i], mean = c, mean+c.length/float64(len(cands))
	}
	for i := range cands {
		cands[i].Words = 0.5*cands[i].Words + 0.5*score(wide[i], max(mean, 1))
	}
}

// In reports whether one of the terms is among those of a chunk.
func (s *TermStats) In(terms string) bool {
	place := newPlaces(s.Terms)
	for t := range each(terms) {
		if _, ok := place.of(t); ok {
			return true
		}
	}
	return false
}

// each yields the terms of a chunk.
func each(terms string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for len(terms) > 0 {
			t := terms
			if end := strings.IndexByte(terms, ' '); end >= 0 {
				t, terms = terms[:end], terms[end+1:]
			} else {
				terms = ""
			}
			if t != "" && !yield(t) {
				return
			}
		}
	}
}

// places finds the terms of a query among those of chunks, of which hardly any is one.
type places struct {
	at    map[string]int
	maybe [256]bool // by mark: a term with another one is not looked up
}

func newPlaces(terms []string) *places {
	p := &places{at: make(map[string]int, len(terms))}
	for i, t := range terms {
		p.at[t] = i
		p.maybe[mark(t)] = true
	}
	return p
}

func (p *places) of(term string) (int, bool) {
	if !p.maybe[mark(term)] {
		return 0, false
	}
	i, ok := p.at[term]
	return i, ok
}

// mark is made of what is read at once of a term, which is not empty.
func mark(term string) byte {
	n := len(term)
	return byte(n)*7 + term[n-1]*13 + term[n/2]*29 + term[0]*53
}

// BestWords returns the n candidates with the best BM25.
func BestWords(cands []Candidate, n int) []Candidate {
	slices.SortStableFunc(cands, func(a, b Candidate) int { return cmp.Compare(b.Words, a.Words) })
	return cands[:min(n, len(cands))]
}
