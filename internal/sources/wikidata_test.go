package sources

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// searches are the values of one parameter in the requests for a path.
func searches(t *testing.T, asked []string, key string) []string {
	t.Helper()
	var out []string
	for _, u := range asked {
		out = append(out, mustURL(t, u).Query().Get(key))
	}
	return out
}

func TestWikidataSaysWhatThingsAre(t *testing.T) {
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
				t.Errorf("language = %q, want the default in place of what is none", got)
			}
		})
	}
	s, srv := serve(t, "wikidata", nil, map[string][]canned{"/w/api.php": {none, {code: 500}}})
	if _, err := s.Search(t.Context(), evidence.Query{Text: "a b"}); !fetch.IsKind(err, fetch.Server) || len(srv.asked) != 2 {
		t.Errorf("err = %v after %d requests, want the second one's failure", err, len(srv.asked))
	}
}

func TestSearxNGReadsPagesOnce(t *testing.T) {
	t.Parallel()
	s, srv := serve(t, "searxng", map[string]string{"categories": "it"}, map[string][]canned{"/search": page(t, "searxng", "hits.json")})
	docs := found(t, s, evidence.Query{Text: "goroutine channel", Limit: 5, Language: "de"})
	want := []brief{
		{Title: "Channels, explained", Text: "A chan<int> hands a value from one goroutine to another.", URL: "https://blog.example.org/channels"},
		{Title: "Goroutine", Text: "Goroutine", URL: "https://wiki.example.org/wiki/Goroutine"},
	}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if d := docs[0]; d.Meta["engines"] != "one, two" || d.Published.Format("2006-01-02T15:04:05Z07:00") != "2025-03-04T05:06:07Z" {
		t.Errorf("document %+v", d)
	}
	if q := mustURL(t, srv.asked[0]).Query(); q.Get("format") != "json" || q.Get("language") != "de" || q.Get("categories") != "it" {
		t.Errorf("query = %v", q)
	}
	if docs := found(t, s, evidence.Query{Text: "x", Limit: 1}); len(docs) != 1 {
		t.Errorf("%d documents, want the limit kept although the service knows none", len(docs))
	}
}

func TestSearxNGSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer canned
		kind   fetch.Kind
		says   string
	}{
		{"JSON is off", canned{code: 403, kind: "text/html", body: "<h1>Forbidden</h1>"}, fetch.Forbidden, "answered 403; add json to search.formats in its settings.yml"},
		{"outage", canned{body: string(fixture(t, "searxng", "outage.json"))}, fetch.API, "found nothing, and had no answer from duckduckgo and 1 more engines"},
		{"outage without names", canned{body: `{"results":[],"unresponsive_engines":[["<b>","x"],7]}`}, fetch.API, "had no answer from 2 engines"},
		{"no list", canned{body: `{"results":null}`}, fetch.Malformed, "not the JSON"},
	} {
		s, _ := serve(t, "searxng", nil, map[string][]canned{"/search": {c.answer}})
		if _, err := s.Search(t.Context(), evidence.Query{Text: "x"}); !fetch.IsKind(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: err = %v, want %q", c.name, err, c.says)
		}
	}
}

const rss = "application/rss+xml; charset=utf-8"

func TestKiwixReadsPagesWithoutTheToolbar(t *testing.T) {
	t.Parallel()
	const dir = "/raw/small/content/"
	s, srv := serve(t, "kiwix", map[string]string{"content": "small"}, map[string][]canned{
		"/search":                         {{kind: rss, body: string(fixture(t, "kiwix", "hits.xml"))}},
		dir + "goroutines.html":           {{kind: "text/html", body: string(fixture(t, "kiwix", "page.html")), header: map[string]string{"ETag": `"e1"`}}},
		dir + "Caf%C3%A9_&_channel.html":  {{kind: "text/html", body: "<p></p>"}},
		dir + "select.html":               {{kind: "image/png", body: "\x89PNG"}},
		"/content/small/never-asked.html": {{body: "x"}},
	})
	docs := found(t, s, evidence.Query{Text: "What is a Góroutine's channel?", Limit: 9})
	var got []string
	for _, d := range docs {
		first, _, _ := strings.Cut(d.Text, ".")
		got = append(got, d.Title+" | "+mustURL(t, d.URL).EscapedPath()+" | "+first)
	}
	want := []string{
		"Goroutines | /small/goroutines.html | A goroutine is a function that runs beside others",
		"Café & channel | /small/Caf%C3%A9_&_channel.html | At the café a channel hands cups from one goroutine to the next: 3 < 4 & all is well",
		"Select | /content/small/select.html | It waits for the first channel of several",
		"Buffers | /small/buffers.html | A channel may have room for some values",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("documents (-want +got):\n%s", diff)
	}
	if d := docs[0]; strings.Contains(d.Text, "script words") || !strings.Contains(d.Text, "| send | blocks |") || d.Revision != `"e1"` || d.Language != "en" || d.Meta["book"] != "A small library" {
		t.Errorf("page = %+v", d)
	}
	q := mustURL(t, srv.asked[0]).Query()
	if q.Get("pattern") != "goroutine channel" || q.Get("content") != "small" || q.Get("pageLength") != "9" || len(srv.asked) != 1+kiwixPages {
		t.Errorf("asked %q", srv.asked)
	}
}

func TestKiwixAsksForAnyWordWhenNoPageHasAll(t *testing.T) {
	t.Parallel()
	none, some := canned{kind: rss, body: string(fixture(t, "kiwix", "empty.xml"))}, canned{kind: rss, body: string(fixture(t, "kiwix", "hits.xml"))}
	s, srv := serve(t, "kiwix", nil, map[string][]canned{"/search": {none, some}})
	if docs := found(t, s, evidence.Query{Text: "goroutine channel", Limit: 1}); len(docs) != 1 {
		t.Errorf("documents = %+v", briefs(docs))
	}
	if got := searches(t, srv.asked[:2], "pattern"); got[1] != "goroutine OR channel" {
		t.Errorf("patterns = %q", got)
	}
	for text, requests := range map[string]int{"zzzz": 1, "zzzz yyyy": 2, "?!": 0, "the": 1} {
		s, srv := serve(t, "kiwix", nil, map[string][]canned{"/search": {none}})
		if docs := found(t, s, evidence.Query{Text: text, Limit: 1}); len(docs) != 0 || len(srv.asked) != requests {
			t.Errorf("%q: %d documents after %q", text, len(docs), srv.asked)
		}
	}
}

func TestKiwixNamesTheBookThatIsNotThere(t *testing.T) {
	t.Parallel()
	for book, says := range map[string]string{"": "answered 400", "nope": "look whether sources.kiwix.content names a book"} {
		s, _ := serve(t, "kiwix", map[string]string{"content": book}, map[string][]canned{"/search": {{code: 400, kind: "application/xml", body: string(fixture(t, "kiwix", "error.xml"))}}})
		if _, err := s.Search(t.Context(), evidence.Query{Text: "x"}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("book %q: err = %v, want %q", book, err, says)
		}
	}
}

func TestKiwixRawPages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ base, page, want string }{
		{"http://h:1", "http://h:1/small/A/b%20c.html", "http://h:1/raw/small/content/A/b%20c.html"},
		{"http://h:1", "http://h:1/content/small/b", "http://h:1/raw/small/content/b"},
		{"http://h:1/x", "http://h:1/x/small/b", "http://h:1/x/raw/small/content/b"},
		{"http://h:1/x", "http://h:1/small/b", ""},
		{"http://h:1", "http://elsewhere/small/b", ""},
		{"http://h:1", "http://h:1/small", ""},
		{"http://h:1", "http://h:1/small/", ""},
		{"http://h:1", "", ""},
	} {
		k := &kiwix{endpoint: endpoint{base: mustURL(t, c.base)}}
		if got := k.rawURL(c.page); got != c.want {
			t.Errorf("rawURL(%q) at %s = %q, want %q", c.page, c.base, got, c.want)
		}
	}
}

func TestLongQueriesGoThroughTheDoor(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("語 ", 400) + strings.Repeat("w", 900)
	for name, path := range map[string]string{
		"github": "/search/repositories", "hackernews": algoliaSearch, "kiwix": "/search", "mediawiki": "/w/api.php", "searxng": "/search",
		"stackexchange": advanced, "wikidata": "/w/api.php", "wikipedia": "/w/api.php", "wikipedia-summary": "/w/api.php",
	} {
		for _, text := range []string{long, strings.Repeat("日", 900)} {
			s, srv := serve(t, name, nil, map[string][]canned{path: {{code: 500}}})
			if _, err := s.Search(t.Context(), evidence.Query{Text: text, Limit: 50}); !fetch.IsKind(err, fetch.Server) || len(srv.asked) == 0 {
				t.Errorf("%s: err = %v after %d requests, want the server's own", name, err, len(srv.asked))
			}
		}
	}
}
