package sources

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// recorder answers each request with the page of its path or, for the Action API
// and Algolia, with the page "search". It records the requests.
type recorder struct {
	mu    sync.Mutex
	paths []string
	query url.Values // of the last request
}

func start(t *testing.T, spec Spec, pages map[string][]byte) (Source, *recorder) {
	t.Helper()
	rec := &recorder{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		rec.paths = append(rec.paths, r.URL.EscapedPath())
		key := r.URL.EscapedPath()
		if r.URL.Query().Get("action") == "query" || strings.HasSuffix(key, "/search") {
			key, rec.query = "search", r.URL.Query()
		}
		body, ok := pages[key]
		switch {
		case !ok:
			http.NotFound(w, r)
		case strings.HasPrefix(string(body), "/"):
			w.Header().Set("Location", string(body))
			w.WriteHeader(http.StatusFound)
		default:
			w.Header().Set("Content-Type", "application/json")
			w.Write(body)
		}
	}))
	t.Cleanup(srv.Close)
	network := fetch.New(fetch.Config{})
	t.Cleanup(func() { network.Close() })
	s, err := spec.New(Settings{URL: srv.URL}, network)
	if err != nil {
		t.Fatal(err)
	}
	return s, rec
}

func specOf(t *testing.T, name string) Spec {
	t.Helper()
	for _, s := range Registry() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no spec %q", name)
	return Spec{}
}

func TestWikipediaAsksInOneRequest(t *testing.T) {
	t.Parallel()
	s, rec := start(t, specOf(t, "wikipedia"), map[string][]byte{"search": fixture(t, "wikipedia", "hits.json")})
	if _, err := s.Search(t.Context(), evidence.Query{Text: "a & b", Limit: 2}); err != nil {
		t.Fatal(err)
	}
	want := url.Values{
		"action": {"query"}, "format": {"json"}, "formatversion": {"2"}, "errorformat": {"plaintext"}, "maxlag": {"5"},
		"generator": {"search"}, "gsrsearch": {"a & b"}, "gsrwhat": {"text"}, "gsrnamespace": {"0"}, "gsrlimit": {"4"},
		"prop": {"extracts|info|pageprops"}, "inprop": {"url"}, "ppprop": {"disambiguation"},
		"explaintext": {"1"}, "exintro": {"1"}, "exlimit": {"max"},
	}
	if diff := cmp.Diff(want, rec.query); diff != "" || len(rec.paths) != 1 || rec.paths[0] != "/w/api.php" {
		t.Errorf("paths %q, query (-want +got):\n%s", rec.paths, diff)
	}
}

func TestHackerNewsAsksForStoriesAndComments(t *testing.T) {
	t.Parallel()
	s, rec := start(t, specOf(t, "hackernews"), map[string][]byte{"search": fixture(t, "hackernews", "hits.json")})
	if _, err := s.Search(t.Context(), evidence.Query{Text: "go", Limit: 3}); err != nil {
		t.Fatal(err)
	}
	want := url.Values{"query": {"go"}, "tags": {"(story,comment)"}, "hitsPerPage": {"3"}, "attributesToHighlight": {""}}
	if diff := cmp.Diff(want, rec.query); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
}

func TestSummaryTakesTheFirstTitleThatHasOne(t *testing.T) {
	t.Parallel()
	const rest = "/api/rest_v1/page/summary/"
	titles := []byte(`{"batchcomplete":true,"query":{"search":[{"title":"Mercury"},{"title":"AC/DC at 50%?"},{"title":"Go lang"},{"title":"Never asked"}]}}`)
	for _, c := range []struct {
		name  string
		pages map[string][]byte
		paths []string
		docs  int
	}{
		{
			"disambiguation, missing, redirect",
			map[string][]byte{
				rest + "Mercury":                   fixture(t, "wikipedia-summary", "disambiguation.json"),
				rest + "Go_lang":                   []byte(rest + "Go_(programming_language)"),
				rest + "Go_(programming_language)": fixture(t, "wikipedia-summary", "standard.json"),
			},
			[]string{"/w/api.php", rest + "Mercury", rest + "AC%2FDC_at_50%25%3F", rest + "Go_lang", rest + "Go_(programming_language)"},
			1,
		},
		{
			"the first one", map[string][]byte{rest + "Mercury": fixture(t, "wikipedia-summary", "standard.json")},
			[]string{"/w/api.php", rest + "Mercury"}, 1,
		},
		{
			"none", map[string][]byte{rest + "Mercury": fixture(t, "wikipedia-summary", "noextract.json")},
			[]string{"/w/api.php", rest + "Mercury", rest + "AC%2FDC_at_50%25%3F", rest + "Go_lang"}, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.pages["search"] = titles
			s, rec := start(t, specOf(t, "wikipedia-summary"), c.pages)
			docs, err := s.Search(t.Context(), evidence.Query{Text: "go", Limit: 5})
			if err != nil || docs == nil || len(docs) != c.docs {
				t.Fatalf("Search = %v, %v, want %d documents", docs, err, c.docs)
			}
			if diff := cmp.Diff(c.paths, rec.paths); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAWikiWithoutSummariesIsAFailure(t *testing.T) {
	t.Parallel()
	s, rec := start(t, specOf(t, "wikipedia-summary"), map[string][]byte{"search": []byte(`{"batchcomplete":true,"query":{"search":[{"title":"A"},{"title":"B"}]}}`)})
	docs, err := s.Search(t.Context(), evidence.Query{Text: "go", Limit: 5})
	if docs != nil || !fetch.IsKind(err, fetch.NotFound) || len(rec.paths) != 3 {
		t.Errorf("Search = %v, %v after %q, want the failure", docs, err, rec.paths)
	}
	s, _ = start(t, specOf(t, "wikipedia-summary"), map[string][]byte{"search": []byte(`{"batchcomplete":true,"query":{"search":[]}}`)})
	if docs, err := s.Search(t.Context(), evidence.Query{Text: "go", Limit: 5}); err != nil || docs == nil || len(docs) != 0 {
		t.Errorf("Search without titles = %v, %v, want none", docs, err)
	}
}

func TestLanguageChoosesTheHostOfWikipediaAlone(t *testing.T) {
	t.Parallel()
	network := fetch.New(fetch.Config{})
	t.Cleanup(func() { network.Close() })
	for _, c := range []struct{ base, own, asked, want string }{
		{"https://en.wikipedia.org", "", "", "https://en.wikipedia.org"},
		{"https://en.wikipedia.org", "", "de", "https://de.wikipedia.org"},
		{"https://en.wikipedia.org", "fr", "", "https://fr.wikipedia.org"},
		{"https://en.wikipedia.org", "fr", "de", "https://de.wikipedia.org"},
		{"https://zh-yue.wikipedia.org", "", "ja", "https://ja.wikipedia.org"},
		{"https://en.wikipedia.org", "", "evil.example/", "https://en.wikipedia.org"},
		{"https://en.wikipedia.org", "", "DE", "https://en.wikipedia.org"},
		{"https://en.wikipedia.org", "", "xx", "https://en.wikipedia.org"},
		{"https://en.wikipedia.org", "qqq", "", "https://en.wikipedia.org"},
		{"https://en.wikipedia.org", "", "www", "https://en.wikipedia.org"},
		{"https://en.wikipedia.org", "", "ceb", "https://ceb.wikipedia.org"},
		{"http://wiki.local:8080/m", "", "de", "http://wiki.local:8080/m"},
		{"https://en.wikipedia.org.evil.example", "", "de", "https://en.wikipedia.org.evil.example"},
	} {
		w, err := newWiki("wikipedia", Settings{URL: c.base, Language: c.own}, network)
		if err != nil {
			t.Fatal(err)
		}
		in, err := w.in(c.asked)
		if err != nil || in.client == nil || in.base.String() != c.want {
			t.Errorf("base %s, own %q, asked %q: %v, %v, want %s", c.base, c.own, c.asked, in.base, err, c.want)
		}
	}
}

func TestWikipediaLanguagesAreCodesEachOnce(t *testing.T) {
	t.Parallel()
	all := wikipediaLanguages()
	seen := map[string]bool{}
	for _, l := range all {
		if !languageCode().MatchString(l) || seen[l] {
			t.Errorf("%q is not a code, or is listed twice", l)
		}
		seen[l] = true
	}
	if !slices.IsSorted(all) || len(all) < 300 {
		t.Errorf("%d languages, sorted: %v", len(all), slices.IsSorted(all))
	}
}

const wikiHost = "https://en.wikipedia.org"

func readWikipedia(t testing.TB, base string, raw []byte) ([]evidence.Document, bool) {
	var a searchAnswer
	decodeJSON(t, raw, &a)
	pages, ok := a.pages()
	return wikiAt("wikipedia", mustURL(t, base)).read(pages, maxLimit, retrieved), ok
}

func TestWikipediaReadsByRank(t *testing.T) {
	t.Parallel()
	docs, ok := readWikipedia(t, wikiHost, fixture(t, "wikipedia", "hits.json"))
	want := []brief{
		{"Go (programming language)", "Go is a compiled language.", wikiHost + "/wiki/Go_(programming_language)", "en", "CC BY-SA 4.0", "1300"},
		{"Coroutine", "A coroutine is a routine that can be suspended and resumed.", wikiHost + "/wiki/Coroutine", "en", "CC BY-SA 4.0", "1299"},
		{"Bell Labs", "Bell Labs is a research company in Murray Hill.", wikiHost + "/wiki/Bell_Labs", "en", "CC BY-SA 4.0", "1301"},
	}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" || !ok {
		t.Errorf("read, ok %v (-want +got):\n%s", ok, diff)
	}
}

func TestWikipediaLeavesOutPagesThatAreNoArticles(t *testing.T) {
	t.Parallel()
	raw := []byte(`{"batchcomplete":true,"warnings":[{"code":"x","text":"y","module":"extracts"}],"query":{"pages":[
		{"title":"Mercury","index":1,"extract":"Mercury may mean:","pageprops":{"disambiguation":""}},
		{"title":"No extract","index":2},
		{"title":"AC/DC is (not) a band?\u200b","index":3,"extract":" A band.\u0000 ","fullurl":"javascript:alert(1)","lastrevid":"77","pagelanguage":"fr"},
		{"title":"Odd","index":"four"}]}}`)
	docs, ok := readWikipedia(t, "http://wiki.local:8080/m", raw)
	want := []brief{{"AC/DC is (not) a band?", "A band.", "http://wiki.local:8080/m/wiki/AC/DC_is_(not)_a_band%3F%E2%80%8B", "fr", "", "77"}}
	if diff := cmp.Diff(want, briefs(docs)); diff != "" || !ok {
		t.Errorf("read, ok %v (-want +got):\n%s", ok, diff)
	}
	if got, ok := readWikipedia(t, wikiHost, fixture(t, "wikipedia", "partial.json")); !ok || len(got) != 1 || got[0].Title != "A" {
		t.Errorf("partial extracts with warnings as an object: %+v, %v, want the one that has text", briefs(got), ok)
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	w := wikiAt("wikipedia-summary", mustURL(t, wikiHost))
	read := func(name string) (evidence.Document, bool) {
		var s summaryAnswer
		decodeJSON(t, fixture(t, "wikipedia-summary", name), &s)
		return w.readSummary(&s, retrieved)
	}
	got, ok := read("standard.json")
	want := evidence.Document{
		Source: "wikipedia-summary", URL: wikiHost + "/wiki/Go_(programming_language)", Title: "Go (programming language)",
		Text:     "Go is a compiled, statically typed language with built-in support for concurrent programs.",
		Language: "en", License: "CC BY-SA 4.0", Revision: "1300000001", Retrieved: retrieved, Score: 1, Untrusted: true,
		Published: time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC),
		Meta:      map[string]string{"description": "Programming language", "wikidata": "Q37227"},
	}
	want.ID = evidence.DocumentID(want.Source, want.URL, want.Text)
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("standard, ok %v (-want +got):\n%s", ok, diff)
	}
	for _, name := range []string{"disambiguation.json", "noextract.json", "nulls.json"} {
		if d, ok := read(name); ok {
			t.Errorf("%s: %+v, want no document", name, d)
		}
	}
}
