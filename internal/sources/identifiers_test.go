package sources

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

func TestArxivIDs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"arXiv:1706.03762v7":                                "1706.03762",
		"What does arxiv 2005.14165 say about few shots?":   "2005.14165",
		"https://arxiv.org/pdf/1810.04805v2.pdf, page 3":    "1810.04805",
		"see https://arxiv.org/html/2302.13971":             "2302.13971",
		"http://arxiv.org/abs/math.GT/0309136":              "math.GT/0309136",
		"HEP-TH/9711200 or arXiv:cond-mat/0102536v1":        "hep-th/9711200 cond-mat/0102536",
		"https://doi.org/10.48550/arXiv.1412.6980":          "1412.6980",
		"1706.03762 and arxiv.org/abs/1706.03762v5 (twice)": "1706.03762",
		"a DOI 10.1000/0811.1234 is none":                   "",
		"release 2301.1234 of 0612.0001 and 1203.12345":     "",
		"it costs 1234.5678 or 2099.12345 euros":            "",
		"goroutine channel":                                 "",
	} {
		if got := strings.Join(arxivIDs(evidence.Query{Text: in}), " "); got != want {
			t.Errorf("arxivIDs(%q) = %q, want %q", in, got, want)
		}
	}
	if got := arxivIDs(evidence.Query{Text: "attention", Question: "Who wrote 1706.03762?"}); len(got) != 1 {
		t.Errorf("of a question: %q", got)
	}
}

func TestDOIsOfQueries(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"10.1038/nature14539":                                                                      "10.1038/nature14539",
		"What is in doi:10.1016/S0140-6736(20)30183-5?":                                            "10.1016/S0140-6736(20)30183-5",
		"(see https://doi.org/10.1145/3292500.3330701).":                                           "10.1145/3292500.3330701",
		"https://dx.doi.org/10.1002/%28sici%291?utm_source=x&y=z":                                  "10.1002/(sici)1",
		"DOI 10.1000/182, and 10.1000/182 again":                                                   "10.1000/182",
		"\"10.1093/nar/gkz1\" and 10.1000/ABC; 10.1000/abc":                                        "10.1093/nar/gkz1 10.1000/ABC",
		"10.1002/(SICI)1097-4571(199806)49:8<693::AID-ASI4>3.0.CO;2-O":                             "10.1002/(SICI)1097-4571(199806)49:8<693::AID-ASI4>3.0.CO;2-O",
		"https://doi.org/10.1002/(SICI)1097-4571(199806)49:8%3C693::AID-ASI4%3E3.0.CO;2-O.":        "10.1002/(SICI)1097-4571(199806)49:8<693::AID-ASI4>3.0.CO;2-O",
		"https://journals.plos.org/plosbiology/article?id=10.1371/journal.pbio.2000797&type=print": "10.1371/journal.pbio.2000797",
		"https://link.springer.com/article/10.1007/s00138-021-01198-w#Sec3":                        "10.1007/s00138-021-01198-w",
		"https://onlinelibrary.wiley.com/doi/10.1002/adfm.201302031/full and more":                 "10.1002/adfm.201302031",
		"https://www.biorxiv.org/content/10.1101/2021.02.11.430871v2.full.pdf+html":                "10.1101/2021.02.11.430871",
		"<a href=\"https://doi.org/10.1000/182\">10.1000/183</a>":                                  "10.1000/182 10.1000/183",
		"10.1101/2021.02.11.430871v2 but 10.1000/182v2":                                            "10.1101/2021.02.11.430871 10.1000/182v2",
		"見よ10.1000/182を。「10.1000/183」 10.1000/184…":                                                "10.1000/182 10.1000/183 10.1000/184",
		"version 10.4 of 10.15/x":                                                                  "",
		"https://journal.example/10.1093/bioinformatics/btp352/30.pdf":                             "10.1093/bioinformatics/btp352/30 10.1093/bioinformatics/btp352",
		"https://academic.oup.com/nar/article-pdf/doi/10.1093/nar/gkab1112/41504890/gkab1112.pdf":  "10.1093/nar/gkab1112/41504890/gkab1112 10.1093/nar/gkab1112/41504890 10.1093/nar/gkab1112",
		"https://link.springer.com/content/pdf/10.1186/s13059-014-0550-8.pdf":                      "10.1186/s13059-014-0550-8",
		"https://link.springer.com/article/10.1007/s00134-020-1-2)":                                "10.1007/s00134-020-1-2",
	} {
		if got := strings.Join(doisOf(evidence.Query{Text: in}), " "); got != want {
			t.Errorf("doisOf(%q) = %q, want %q", in, got, want)
		}
	}
}

// A query that names papers asks for these, not for the pieces of their names.
func TestRequestsForNamedPapers(t *testing.T) {
	t.Parallel()
	key := map[string]string{"key": "k1"}
	for _, c := range []struct {
		name, source, query string
		options             map[string]string
		part, param, want   string
		without             string
	}{
		{"arxiv number", "arxiv", "arXiv:2005.14165v4", nil, "query", "id_list", "2005.14165", "search_query"},
		{"two of arxiv", "arxiv", "compare 1810.04805 with https://arxiv.org/abs/hep-th/9802150", nil, "query", "id_list", "1810.04805,hep-th/9802150", "search_query"},
		{"crossref", "crossref", "https://doi.org/10.1038/nature14539", nil, "works", "filter", "doi:10.1038/nature14539", "query.bibliographic"},
		{"crossref, two", "crossref", "10.1000/182 or 10.1000/183", nil, "works", "filter", "doi:10.1000/182,doi:10.1000/183", "query.bibliographic"},
		{"europepmc", "europepmc", "doi:10.1000/182", nil, "search", "query", `DOI:"10.1000/182"`, ""},
		{"openalex", "openalex", "10.1000/182", key, "works", "filter", "doi:10.1000/182", "search"},
		{"pubmed", "pubmed", "10.1000/182 or 10.1000/183", nil, "esearch.fcgi", "term", `"10.1000/182"[doi] OR "10.1000/183"[doi]`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := asked(t, c.source, "", c.options, evidence.Query{Text: c.query, Limit: 3})[c.part]
			if diff := cmp.Diff(c.want, got.Get(c.param)); diff != "" || c.without != "" && got.Has(c.without) {
				t.Errorf("asked for %v; %s (-want +got):\n%s", got, c.param, diff)
			}
		})
	}
}

func FuzzIdentifiers(f *testing.F) {
	for _, s := range []string{"arXiv:1706.03762v7", "math.GT/0309136", "https://doi.org/10.1002/%28x%29?y", "10.1000/a)]."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := evidence.Query{Text: s}
		for _, id := range arxivIDs(q) {
			if strings.ContainsAny(id, " ,&") {
				t.Errorf("arxivIDs(%q) has %q", s, id)
			}
		}
		for _, doi := range doisOf(q) {
			if _, err := url.Parse(doiURL(doi)); err != nil || doiOf(doi) == "" {
				t.Errorf("doisOf(%q) has %q", s, doi)
			}
		}
	})
}
