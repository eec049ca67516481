package sources

import (
	"strings"
	"testing"
)

func TestArxivDocuments(t *testing.T) {
	t.Parallel()
	checkPapers(t, parsed(t, "arxiv", "hits.xml"), []brief{
		{"Finding Goroutine Leaks on Channels", "A goroutine that waits on a channel for ever is a leak. We find leaks where n < 2 senders & one receiver meet.", "https://arxiv.org/abs/2601.00001", "en", "CC0 1.0", "v2"},
		{"Channels before goroutines", "Processes that talk over channels are old.", "https://arxiv.org/abs/cs/0601001", "en", "CC0 1.0", "v1"},
		{"A channel with no abstract", "A channel with no abstract. Di Example. 2026.", "https://arxiv.org/abs/2601.00003", "en", "CC0 1.0", ""},
	}, []more{
		{"2026-01-05", rankScore(0), map[string]string{"authors": "Ada Example, Bo Example", "categories": "cs.PL cs.SE", "doi": "10.0000/leak", "venue": "J. Ex. 1 (2026)", "comment": "9 pages"}},
		{"2006-01-01", rankScore(1), map[string]string{"authors": "Cy Example", "categories": "cs.DC"}},
		{"2026-01-07", rankScore(2) * bareRecord, map[string]string{"authors": "Di Example"}},
	})
}

func TestArxivTerms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"goroutine channel":          "all:goroutine AND all:channel",
		`how does "x" OR (y): work?`: "all:x AND all:y AND all:work",
		"The Who":                    "all:the AND all:who",
		"2601.00001":                 "all:2601.00001",
		"?!":                         "",
	} {
		if got := arxivTerms(in); got != want {
			t.Errorf("arxivTerms(%q) = %q, want %q", in, got, want)
		}
	}
	if got := arxivTerms(strings.Repeat("alpha beta ", 20)); strings.Count(got, "AND") != maxSearchWords-1 {
		t.Errorf("arxivTerms of many words = %q, want %d", got, maxSearchWords)
	}
}
