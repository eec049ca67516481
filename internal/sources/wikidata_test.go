package sources

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

func TestWikidataDocuments(t *testing.T) {
	t.Parallel()
	s, srv := serve(t, "wikidata", nil, map[string][]canned{"/w/api.php": page(t, "wikidata", "hits.json")})
	docs := found(t, s, evidence.Query{Text: "golang", Limit: 5, Language: "de"})
	got := briefs(docs)
	for i := range got { // an address without a scheme takes that of the base
		got[i].URL = strings.TrimPrefix(strings.Replace(got[i].URL, "http://127.0.0.1", "//here", 1), "http:")
		if rest, ok := strings.CutPrefix(got[i].URL, "//here:"); ok {
			_, got[i].URL, _ = strings.Cut(rest, "/")
		}
	}
	const site, license = "//www.wikidata.org/wiki/", "CC0 1.0"
	want := []brief{
		{"Go", "Go: programming language. Also known as golang.", site + "Q37227", "en", license, ""},
		{"Koroutine", "Koroutine: unterbrechbare Routine.", "wiki/Q7", "de", license, ""},
		{"Goroutine channel", "Goroutine channel (Q8).", site + "Q8", "de", license, ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	q := mustURL(t, srv.asked[0]).Query()
	if q.Get("action") != "wbsearchentities" || q.Get("language") != "de" || q.Get("search") != "golang" || q.Get("limit") != "7" || q.Get("maxlag") != "5" {
		t.Errorf("query = %v", q)
	}
}

func TestWikidataTriesShorterNames(t *testing.T) {
	t.Parallel()
	none, some := canned{body: `{"search":[],"success":1}`}, canned{body: `{"search":[{"id":"Q7186","label":"Marie Curie","description":"physicist"}],"success":1}`}
	for _, c := range []struct {
		name    string
		answers []canned
		text    string
		asked   []string
		docs    int
	}{
		{"at once", []canned{some}, "marie curie", []string{"marie curie"}, 1},
		{"two words less", []canned{none, none, some}, "marie curie nobel prize", []string{"marie curie nobel prize", "marie curie nobel", "marie curie"}, 1},
		{"never", []canned{none}, "a b c d e", []string{"a b c d e", "a b c d", "a b c"}, 0},
		{"one word", []canned{none}, "zzzz", []string{"zzzz"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, srv := serve(t, "wikidata", nil, map[string][]canned{"/w/api.php": c.answers})
			docs := found(t, s, evidence.Query{Text: c.text, Limit: 5, Language: "../x"})
			if diff := cmp.Diff(c.asked, searches(t, srv.asked, "search")); diff != "" || len(docs) != c.docs {
				t.Errorf("%d documents, asked (-want +got):\n%s", len(docs), diff)
			}
			for _, d := range docs {
				if want := []float64{1, 0.7, 0.49}[len(srv.asked)-1]; math.Abs(d.Score-want) > 1e-9 {
					t.Errorf("score = %v after %d tries, want %v", d.Score, len(srv.asked), want)
				}
			}
			if got := searches(t, srv.asked[:1], "language"); got[0] != "en" {
				t.Errorf("language = %q, want the default instead of a malformed one", got)
			}
		})
	}
	s, srv := serve(t, "wikidata", nil, map[string][]canned{"/w/api.php": {none, {code: 500}}})
	if _, err := s.Search(t.Context(), evidence.Query{Text: "a b"}); !fetch.IsKind(err, fetch.Server) || len(srv.asked) != 2 {
		t.Errorf("err = %v after %d requests, want the second one's failure", err, len(srv.asked))
	}
}
