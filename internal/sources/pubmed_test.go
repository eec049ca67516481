package sources

import (
	"testing"

	"github.com/research-mcp/research-mcp/internal/fetch"
)

func TestPubMedDocuments(t *testing.T) {
	t.Parallel()
	at := "https://pubmed.ncbi.nlm.nih.gov/"
	checkPapers(t, parsed(t, "pubmed", "hits.xml"), []brief{
		{Title: "Ca²⁺ channels as goroutines.", Text: "BACKGROUND: A channel opens when p < 0.05.\n\nRESULTS: Goroutines wait.", URL: at + "40000001/", Language: "en"},
		{Title: "Closing a channel", Text: "Close a channel once.", URL: at + "40000003/", Language: "en"},
		{Title: "A channel with no abstract.", Text: "A channel with no abstract. Bo Sample, The Channel Group. Journal of Examples. 2025.", URL: at + "40000002/", Language: "de"},
	}, []more{
		{"2026-02-09", rankScore(0), map[string]string{"authors": "Ada Example", "venue": "Ion & Goroutine", "doi": "10.0000/ca", "pmid": "40000001", "rights": "Copyright 2026 Ex Press."}},
		{"2024-01-01", rankScore(2), map[string]string{"venue": "The Book of Channels", "pmid": "40000003"}},
		{"2025-11-01", rankScore(1) * bareRecord, map[string]string{"authors": "Bo Sample, The Channel Group", "venue": "Journal of Examples", "pmid": "40000002"}},
	})
}

func TestKeyedPubMedMayAskFaster(t *testing.T) {
	t.Parallel()
	spec := specOf(t, "pubmed")
	for _, c := range []struct {
		name string
		rate fetch.Rate
		key  string
		want fetch.Rate
	}{
		{"no key", spec.Rate, "", spec.Rate},
		{"key", spec.Rate, "k", fetch.Rate{PerSecond: 10, Burst: 10}},
		{"key, and a rate of the operator's", fetch.Rate{PerSecond: 1}, "k", fetch.Rate{PerSecond: 1}},
		{"own server", fetch.Rate{}, "k", fetch.Rate{}},
	} {
		if got := pubmedRate(c.rate, c.key); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
