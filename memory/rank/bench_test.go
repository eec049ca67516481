package rank

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// benchCandidates are as many as a recall has, with the words of a natural language and
// both neighbours.
func benchCandidates() ([]Candidate, *TermStats, string) {
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 4, 50_000)
	text := func(words int) string {
		var b strings.Builder
		for range words {
			fmt.Fprintf(&b, "w%d ", zipf.Uint64())
		}
		return b.String()
	}
	cands := make([]Candidate, 300)
	for i := range cands {
		cands[i] = Candidate{Terms: text(90), Context: text(180), Surface: text(90)}
	}
	question := text(6)
	terms := strings.Fields(question)
	s, _ := NewTermStats(terms, 100_000, 9_000_000, func(string) (int64, error) { return 500, nil })
	return cands, s, question
}

func BenchmarkScoreWords(b *testing.B) {
	cands, s, _ := benchCandidates()
	for b.Loop() {
		ScoreWords(cands, s)
	}
}

func BenchmarkScoreGrams(b *testing.B) {
	cands, _, question := benchCandidates()
	table := SampleGrams(100_000, func(yield func(string) bool) {
		for _, c := range cands {
			if !yield(c.Surface) {
				return
			}
		}
	})
	b.ReportAllocs()
	for b.Loop() {
		table.Score(slices.Clone(cands), question)
	}
}
