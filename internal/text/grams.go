package text

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Bounds of the n-grams of a query, in runes, and how many are looked for.
const (
	shortestGram = 3
	longestGram  = 5
	maxGrams     = 256
)

// SharedGrams returns for each document the share of the query's character
// n-grams that it holds, 0 to 1, where one that few documents hold weighs more.
// Unlike words they survive misspelling, inflection and compounds.
func SharedGrams(query string, docs []string) []float64 {
	out := make([]float64, len(docs))
	grams := queryGrams(query)
	if len(grams) == 0 || len(docs) == 0 {
		return out
	}
	folded := make([]string, len(docs))
	for i, d := range docs {
		folded[i] = strings.ToLower(d)
	}
	all := 0.0
	holds := make([]bool, len(docs))
	for _, g := range grams {
		n := 0
		for i, d := range folded {
			if holds[i] = strings.Contains(d, g); holds[i] {
				n++
			}
		}
		weight := math.Log(float64(len(docs)+1) / float64(n+1))
		all += weight
		for i, h := range holds {
			if h {
				out[i] += weight
			}
		}
	}
	if all == 0 {
		return out
	}
	for i := range out {
		out[i] /= all
	}
	return out
}

// queryGrams returns the distinct n-grams of the query's words, stop words left
// out.
func queryGrams(query string) []string {
	var out []string
	seen := map[string]bool{}
	for _, t := range Tokenize(query) {
		if t.Stop {
			continue
		}
		word := []rune(strings.ToLower(query[t.Start:t.End]))
		for n := shortestGram; n <= longestGram; n++ {
			for i := 0; i+n <= len(word); i++ {
				if g := string(word[i : i+n]); !seen[g] && len(out) < maxGrams && utf8.ValidString(g) {
					seen[g] = true
					out = append(out, g)
				}
			}
		}
	}
	return out
}

// GramCoverage returns the share of the query's n-grams that doc holds, 0 to 1.
func GramCoverage(query, doc string) float64 {
	grams := queryGrams(query)
	if len(grams) == 0 {
		return 0
	}
	doc = strings.ToLower(doc)
	n := 0
	for _, g := range grams {
		if strings.Contains(doc, g) {
			n++
		}
	}
	return float64(n) / float64(len(grams))
}
