package sources

import (
	"strings"
	"testing"
)

func TestOpenAlexDocuments(t *testing.T) {
	t.Parallel()
	checkPapers(t, parsed(t, "openalex", "hits.json"), []brief{
		{"The pace of goroutines", "The slowest goroutine sets pace; The slowest channel waits.", "https://doi.org/10.0000/x", "en", "CC BY", ""},
		{Title: "Channels, recorded", Text: "Channels, recorded. 2025.", URL: "https://openalex.org/W2"},
		{Title: "Retracted: A goroutine taken back", Text: "Wrong.", URL: "https://doi.org/10.0000/gone"},
	}, []more{
		{"2026-01-05", rankScore(1), map[string]string{"authors": "Ada Example", "venue": "Journal of Channels", "doi": "10.0000/x", "type": "article", "cited_by": "3"}},
		{"2025-01-01", rankScore(0) * bareRecord, map[string]string{"type": "book-chapter", "cited_by": "0"}},
		{"2020-01-01", rankScore(2) * retracted, map[string]string{"doi": "10.0000/gone", "type": "article", "retracted": "yes"}},
	})
}

func TestInvertedAbstract(t *testing.T) {
	t.Parallel()
	far := inverted{"last": {1 << 40}, "first": {-3}, "same": {7}, "place": {7}}
	if got := far.text(); got != "first place same last" {
		t.Errorf("text = %q", got)
	}
	long := inverted{strings.Repeat("w", 1<<10): make([]int, 1<<12)}
	if got := len(long.text()); got > maxText+2<<10 {
		t.Errorf("%d bytes, want it cut near %d", got, maxText)
	}
}
