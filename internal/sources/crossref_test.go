package sources

import (
	"testing"
)

func TestCrossrefDocuments(t *testing.T) {
	t.Parallel()
	checkPapers(t, parsed(t, "crossref", "hits.json"), []brief{
		{Title: "A goroutine for every channel", Text: "### Aim\n\nGoroutines are cheap & channels join them.\n\n### Result\n\nIt holds for n < 3.", URL: "https://doi.org/10.0000/a%3Cb%3E%281%29%23c", License: "CC BY-NC 4.0"},
		{Title: "Escaped twice", Text: "A channel has a capacity.", URL: "https://doi.org/10.0000/twice"},
		{Title: "Goroutines and Channels.", Text: "Goroutines and Channels. Ada Example, The Channel Group. Journal of Examples & Co. 2025.", URL: "https://doi.org/10.0000/record"},
	}, []more{
		{"2026-03-09", rankScore(1), map[string]string{"authors": "Bo Example", "venue": "Ex Press", "doi": "10.0000/a<b>(1)#c", "type": "journal-article", "cited_by": "0"}},
		{"", rankScore(2), map[string]string{"doi": "10.0000/twice", "type": "posted-content"}},
		{"2025-01-01", rankScore(0) * bareRecord, map[string]string{"authors": "Ada Example, The Channel Group", "venue": "Journal of Examples & Co", "doi": "10.0000/record", "type": "journal-article", "cited_by": "3"}},
	})
}
