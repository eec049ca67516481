package sources

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// parsed reads a recorded answer of a source, in the order of relevance.
func parsed(t *testing.T, name, file string) []evidence.Document {
	t.Helper()
	for _, p := range parsers(t) {
		if p.name == name {
			return p.read(fixture(t, name, file))
		}
	}
	t.Fatalf("no parser %q", name)
	return nil
}

// more is what a test compares of a paper, besides its brief.
type more struct {
	Published string
	Score     float64
	Meta      map[string]string
}

func moreOf(docs []evidence.Document) []more {
	out := []more{}
	for _, d := range docs {
		p := more{Score: d.Score, Meta: d.Meta}
		if !d.Published.IsZero() {
			p.Published = d.Published.Format(time.DateOnly)
		}
		out = append(out, p)
	}
	return out
}

func checkPapers(t *testing.T, docs []evidence.Document, wantBriefs []brief, wantMore []more) {
	t.Helper()
	if diff := cmp.Diff(wantBriefs, briefs(docs)); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wantMore, moreOf(docs)); diff != "" {
		t.Errorf("more of them (-want +got):\n%s", diff)
	}
}

func TestEuropePMCDocuments(t *testing.T) {
	t.Parallel()
	at := "https://europepmc.org/article/"
	checkPapers(t, parsed(t, "europepmc", "hits.json"), []brief{
		{"Ion channels as goroutines & friends.", "#### Aim\n\nWe model an ion channel as a goroutine.\n\n#### Result\n\nIt opens in 3 ms.", at + "MED/40000001", "en", "CC BY", ""},
		{Title: "A preprint on channels", Text: "A preprint says that channels close.", URL: at + "PPR/PPR900001"},
		{Title: "Retracted: A channel that never was.", Text: "The channel was made up.", URL: at + "MED/30000001", Language: "de"},
	}, []more{
		{"2026-01-02", rankScore(0), map[string]string{"authors": "Example A, Sample B", "venue": "J Ex", "doi": "10.0000/x", "pmid": "40000001", "cited_by": "2"}},
		{"2025-01-01", rankScore(1), map[string]string{"authors": "Sample B", "doi": "10.0000/ppr", "cited_by": "0"}},
		{"2019-05-01", rankScore(2) * retracted, map[string]string{"authors": "Example A", "venue": "J Ex", "pmid": "30000001", "cited_by": "9", "retracted": "yes"}},
	})
}

func TestPaperText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"if n<m and m>k then", "if n<m and m>k then"},
		{"p<0.05, p <0.01; a<b", "p<0.05, p <0.01; a<b"},
		{"vector<int> & map<string,int>", "vector<int> & map<string,int>"},
		{"<p>10<sup>5</sup> cells, p<0.05</p>", "10^5 cells, p<0.05"},
		{"<h4>Abstract</h4><p>Cells grow.</p>", "Cells grow."},
		{"&lt;jats:p&gt;2&lt;jats:sup&gt;10&lt;/jats:sup&gt; bytes&lt;/jats:p&gt;", "2^10 bytes"},
		{"10<sup>9</sup>/L on<sup>1</sup> day", "10^9/L on¹ day"},
	} {
		if got := paperText(c.in); got != c.want {
			t.Errorf("paperText(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestOpenLicense(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"cc by": "CC BY", "cc-by-nc-nd": "CC BY-NC-ND", "CC BY-SA 4.0": "CC BY-SA 4.0", "cc0": "CC0 1.0",
		"http://creativecommons.org/licenses/by/4.0/":                 "CC BY 4.0",
		"https://creativecommons.org/licenses/by-nc-sa/3.0/us/":       "CC BY-NC-SA 3.0",
		"https://creativecommons.org/publicdomain/zero/1.0/legalcode": "CC0 1.0",
		"https://www.elsevier.com/tdm/userlicense/1.0/":               "",
		"publisher-specific-oa":                                       "",
		"https://evil.example/creativecommons.org/licenses/by/4.0/":   "",
		"": "",
	} {
		if got := openLicense(in); got != want {
			t.Errorf("openLicense(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDOI(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"10.1/x": "https://doi.org/10.1/x", "https://doi.org/10.1/x": "https://doi.org/10.1/x", "doi:10.1/a b?c": "https://doi.org/10.1/a%20b%3Fc",
		"11.1/x": "", "10.1": "", "https://evil.example/10.1/x": "", "": "",
	} {
		if got := doiURL(in); got != want {
			t.Errorf("doiURL(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDay(t *testing.T) {
	t.Parallel()
	for in, want := range map[[3]int]string{
		{2026, 3, 9}: "2026-03-09", {2026, 3, 0}: "2026-03-01", {2026, 0, 9}: "2026-01-01", {2026, 13, 40}: "2026-01-01", {2026, 2, 99}: "2026-02-01",
	} {
		if got := day(in[0], in[1], in[2]).Format(time.DateOnly); got != want {
			t.Errorf("day(%v) = %s, want %s", in, got, want)
		}
	}
	if got := day(0, 1, 1); !got.IsZero() {
		t.Errorf("day without a year = %s", got)
	}
}

// asked searches a source at a server with recorded answers and returns the
// parameters of each request, by the last part of its path.
func asked(t *testing.T, name, contact string, options map[string]string, q evidence.Query) map[string]url.Values {
	t.Helper()
	got := map[string]url.Values{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		got[part] = r.URL.Query() // one request at a time
		file, kind := "hits.json", "application/json"
		switch {
		case name == "arxiv":
			file, kind = "hits.xml", "application/atom+xml"
		case part == "esearch.fcgi":
			file = "search.json"
		case part == "efetch.fcgi":
			file, kind = "hits.xml", "text/xml"
		}
		w.Header().Set("Content-Type", kind)
		w.Write(fixture(t, name, file))
	}))
	defer srv.Close()
	network := fetch.New(fetch.Config{Contact: contact})
	defer network.Close()
	s, err := specOf(t, name).New(Settings{URL: srv.URL, Options: options}, network)
	if err != nil {
		t.Fatal(err)
	}
	if docs, err := s.Search(t.Context(), q); err != nil || len(docs) == 0 {
		t.Fatalf("Search = %d documents, %v", len(docs), err)
	}
	return got
}

func TestRequestsOfPaperSources(t *testing.T) {
	t.Parallel()
	q := evidence.Query{Text: "what is a goroutine? channel*", Limit: 3}
	key := map[string]string{"key": "k1"}
	for _, c := range []struct {
		name, source, contact string
		options               map[string]string
		want                  map[string]url.Values
	}{
		{"arxiv", "arxiv", "", nil, map[string]url.Values{"query": {
			"search_query": {"all:goroutine AND all:channel"}, "start": {"0"}, "max_results": {"3"}, "sortBy": {"relevance"}, "sortOrder": {"descending"},
		}}},
		{"crossref without contact", "crossref", "", nil, map[string]url.Values{"works": {
			"query.bibliographic": {"what is a goroutine? channel*"}, "rows": {"3"}, "select": {crossrefFields},
		}}},
		{"crossref with a page as contact", "crossref", "https://lab.example/bot", nil, map[string]url.Values{"works": {
			"query.bibliographic": {"what is a goroutine? channel*"}, "rows": {"3"}, "select": {crossrefFields},
		}}},
		{"crossref with an address as contact", "crossref", "mailto:ada@example.org", nil, map[string]url.Values{"works": {
			"query.bibliographic": {"what is a goroutine? channel*"}, "rows": {"3"}, "select": {crossrefFields}, "mailto": {"ada@example.org"},
		}}},
		{"europepmc", "europepmc", "", nil, map[string]url.Values{"search": {
			"query": {"goroutine channel"}, "format": {"json"}, "resultType": {"core"}, "pageSize": {"3"},
		}}},
		{"openalex", "openalex", "", key, map[string]url.Values{"works": {
			"search": {"goroutine channel"}, "per_page": {"3"}, "select": {openAlexFields}, "api_key": {"k1"},
		}}},
		{"pubmed with a key", "pubmed", "ada@example.org", key, map[string]url.Values{
			"esearch.fcgi": {"db": {"pubmed"}, "term": {"goroutine channel"}, "retmax": {"3"}, "retmode": {"json"}, "sort": {"relevance"}, "tool": {"research-mcp"}, "email": {"ada@example.org"}, "api_key": {"k1"}},
			"efetch.fcgi":  {"db": {"pubmed"}, "id": {"40000001,40000002,40000003"}, "retmode": {"xml"}, "tool": {"research-mcp"}, "email": {"ada@example.org"}, "api_key": {"k1"}},
		}},
		{"pubmed without contact", "pubmed", "", nil, map[string]url.Values{
			"esearch.fcgi": {"db": {"pubmed"}, "term": {"goroutine channel"}, "retmax": {"3"}, "retmode": {"json"}, "sort": {"relevance"}, "tool": {"research-mcp"}},
			"efetch.fcgi":  {"db": {"pubmed"}, "id": {"40000001,40000002,40000003"}, "retmode": {"xml"}, "tool": {"research-mcp"}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, asked(t, c.source, c.contact, c.options, q)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAQueryWithoutWordsSendsNoRequest(t *testing.T) {
	t.Parallel()
	network := fetch.New(fetch.Config{})
	t.Cleanup(func() { network.Close() })
	for _, name := range []string{"arxiv", "europepmc", "openalex", "pubmed"} {
		s, err := specOf(t, name).New(Settings{URL: "http://127.0.0.1:9"}, network) // nothing listens there
		if err != nil {
			t.Fatal(err)
		}
		if docs, err := s.Search(t.Context(), evidence.Query{Text: "?! …", Limit: 3}); err != nil || docs == nil || len(docs) != 0 {
			t.Errorf("%s: Search of no words = %v, %v, want none", name, docs, err)
		}
	}
}

func TestLongQueriesOfPaperSources(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(strings.Repeat("語x", 40)+" "+strings.Repeat("w", 900)+" ", 20)
	for _, name := range []string{"arxiv", "crossref", "europepmc", "openalex", "pubmed"} {
		asked(t, name, "ada@example.org", map[string]string{"key": strings.Repeat("k", 40)}, evidence.Query{Text: long, Limit: 50})
	}
}
