package sources_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/internal/sources/sourcetest"
)

// realWiki is the URL of a MediaWiki with the pages of internal/testkit/wiki.
func realWiki(t *testing.T) string {
	t.Helper()
	return realServer(t, "MEDIAWIKI_TEST_URL", "mediawiki.sh")
}

func realServer(t *testing.T, env, script string) string {
	t.Helper()
	base := os.Getenv(env)
	if base == "" {
		t.Skipf("wants a real server: %s=$(internal/testkit/scripts/%s start) go test -run Real ./internal/sources", env, script)
	}
	return base
}

// realNames are those of the names that the registry has.
func realNames(t *testing.T, names ...string) []string {
	t.Helper()
	all := sourcetest.AllOff()
	names = slices.DeleteFunc(names, func(name string) bool { _, ok := all[name]; return !ok })
	if len(names) == 0 {
		t.Skip("no source for this server is in the registry")
	}
	return names
}

// realSource builds one source as an installation would, all others off.
func realSource(t *testing.T, name string, own sources.Settings) sources.Source {
	t.Helper()
	network := fetch.New(fetch.Config{Version: "test", Contact: "test@example.org"})
	t.Cleanup(func() { network.Close() })
	settings := sourcetest.AllOff()
	own.Enabled = true
	settings[name] = own
	built, err := sources.Build(settings, network)
	if err != nil || len(built) != 1 || built[0].Name() != name {
		t.Fatalf("Build = %v, %v, want %s alone", built, err, name)
	}
	return built[0]
}

// wikiCases are for every source that searches a MediaWiki.
var wikiCases = []struct {
	query  string
	limit  int
	titles []string // nil: as the server ranks them
	text   string   // a part of the first document's text
}{
	{query: "goroutine", limit: 10, titles: []string{"Channel (Go)", "Goroutine"}, text: "a typed pipe"}, // ranked against the order of ids
	{query: "Zürich", limit: 10, titles: []string{"Zürich"}, text: "The river Limmat leaves the lake"},
	{query: "東京", limit: 10, titles: []string{"東京"}, text: "日本の首都"},
	{query: "Ångström", limit: 10, titles: []string{"Ångström"}, text: "Anders Jonas Ångström"},
	{query: "naïve", limit: 10, titles: []string{"Naïve Bayes classifier"}, text: "called naïve because"},
	{query: "C++", limit: 10, titles: []string{"C++"}, text: "Bjarne Stroustrup"},
	{query: "AC/DC", limit: 10, titles: []string{"AC/DC"}, text: "Malcolm and Angus Young"}, // and not the redirect ACDC, which matches too
	{query: "TCP/IP", limit: 10, titles: []string{"TCP/IP"}, text: "ordered stream of bytes"},
	{query: "rock & roll", limit: 10, titles: []string{"Rock & roll"}, text: "rhythm and blues"},
	{query: "What Is Life?", limit: 10, titles: []string{"What Is Life?"}, text: "Erwin Schrödinger"},
	{query: `"critical section"`, limit: 10, titles: []string{"Mutual exclusion"}, text: "a mutex"},
	{query: "mercury", limit: 10, titles: []string{"Mercury", "Mercury (element)", "Mercury (planet)"}},
	{query: "mercury planet -nonsense)", limit: 10, titles: []string{}},
	{query: "xyzzyplugh", limit: 10, titles: []string{}},
	{query: "provenance", limit: 20}, // every page has it: as many introductions as one answer has
	{query: "provenance", limit: 3},
}

func TestRealWikiSearch(t *testing.T) {
	t.Parallel()
	base := realWiki(t)
	for _, name := range realNames(t, "wikipedia", "mediawiki") {
		s := realSource(t, name, sources.Settings{URL: base})
		for _, c := range wikiCases {
			t.Run(name+"/"+c.query, func(t *testing.T) {
				t.Parallel()
				docs, err := s.Search(t.Context(), evidence.Query{Text: c.query, Limit: c.limit})
				if err != nil || docs == nil {
					t.Fatalf("Search = %v, %v", docs, err)
				}
				want := c.titles
				if want == nil {
					want = ranked(t, base, c.query, c.limit)
				}
				got := []string{}
				for _, d := range docs {
					got = append(got, d.Title)
					checkReal(t, base, name, d)
					if c.titles != nil { // the named pages are enough to open
						checkOpens(t, d)
					}
				}
				if diff := gocmp.Diff(want, got); diff != "" {
					t.Errorf("titles (-want +got):\n%s", diff)
				}
				if len(docs) > 0 && !strings.Contains(docs[0].Text, c.text) {
					t.Errorf("text %q lacks %q", docs[0].Text, c.text)
				}
			})
		}
	}
}

// checkReal checks what every document of a wiki has.
func checkReal(t *testing.T, base, source string, d evidence.Document) {
	t.Helper()
	if d.Source != source || d.Text == "" || d.Revision == "" || d.Retrieved.IsZero() || !d.Untrusted {
		t.Errorf("document %+v lacks something", d)
	}
	if strings.Contains(d.Text, "'''") || strings.Contains(d.Text, "[[") || strings.Contains(d.Text, "<") {
		t.Errorf("text of %q has markup: %q", d.Title, d.Text)
	}
	if !strings.HasPrefix(d.URL, base+"/") {
		t.Errorf("URL %q is not of %s", d.URL, base)
	}
}

// checkOpens opens the URL of a document.
func checkOpens(t *testing.T, d evidence.Document) {
	t.Helper()
	heading := strings.ReplaceAll(d.Title, "&", "&amp;")
	if page := realGet(t, d.URL); !bytes.Contains(page, []byte("<title>"+heading+" - ")) {
		t.Errorf("%s does not open the page %q", d.URL, d.Title)
	}
}

// ranked are the titles in the server's own order, from another of its answers.
func ranked(t *testing.T, base, query string, limit int) []string {
	t.Helper()
	var a struct {
		Query struct {
			Search []struct {
				Title string `json:"title"`
			} `json:"search"`
		} `json:"query"`
	}
	realAPI(t, base, url.Values{"list": {"search"}, "srwhat": {"text"}, "srsearch": {query}, "srlimit": {"50"}}, &a)
	out := []string{}
	for _, hit := range a.Query.Search {
		out = append(out, hit.Title)
	}
	if len(out) <= limit {
		t.Fatalf("the server has %d pages for %q, too few to show a limit of %d", len(out), query, limit)
	}
	return out[:limit]
}

func realAPI(t *testing.T, base string, params url.Values, v any) {
	t.Helper()
	params.Set("action", "query")
	params.Set("format", "json")
	params.Set("formatversion", "2")
	if err := json.Unmarshal(realGet(t, base+"/w/api.php?"+params.Encode()), v); err != nil {
		t.Fatal(err)
	}
}

// realGet asks the server directly, without the sources' client.
func realGet(t *testing.T, address string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s, %v", address, resp.Status, err)
	}
	return body
}

// TestRealWikiFailures: a failure of a real server is never an empty result.
func TestRealWikiFailures(t *testing.T) {
	t.Parallel()
	base := realWiki(t)
	for _, name := range realNames(t, "wikipedia", "wikipedia-summary", "mediawiki") {
		for _, c := range []struct {
			name, query, status string
			settings            sources.Settings
		}{
			{"its API reports an error", "", evidence.StatusError, sources.Settings{URL: base}},
			{"no wiki there", "goroutine", evidence.StatusError, sources.Settings{URL: base + "/nothing/here"}},
			{"a page instead of the API", "goroutine", evidence.StatusError, sources.Settings{URL: base + "/wiki/Goroutine"}},
			{"deadline", "goroutine", evidence.StatusTimeout, sources.Settings{URL: base, Timeout: time.Microsecond}},
		} {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				docs, err := realSource(t, name, c.settings).Search(t.Context(), evidence.Query{Text: c.query, Limit: 5})
				if got := realStatus(err); docs != nil || got != c.status {
					t.Errorf("Search = %d documents, %v: status %q, want %q", len(docs), err, got, c.status)
				}
			})
		}
		t.Run(name+"/cancelled", func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			docs, err := realSource(t, name, sources.Settings{URL: base}).Search(ctx, evidence.Query{Text: "goroutine", Limit: 5})
			if docs != nil || !errors.Is(err, context.Canceled) {
				t.Errorf("Search = %v, %v, want the caller's own end", docs, err)
			}
		})
	}
}

// TestRealWikiTexts: whole pages where they are asked for, and pages of a wiki
// that lacks the extension for extracts.
func TestRealWikiTexts(t *testing.T) {
	t.Parallel()
	base := realWiki(t)
	name := realNames(t, "mediawiki")[0]
	for _, c := range []struct {
		name, base string
		q          evidence.Query
		whole      bool
	}{
		{"introduction", base, evidence.Query{Text: "AC/DC", Limit: 5}, false},
		{"whole", base, evidence.Query{Text: "AC/DC", Limit: 5, FullText: true}, true},
		{"without extracts", base + "/plain", evidence.Query{Text: "AC/DC", Limit: 5}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			docs, err := realSource(t, name, sources.Settings{URL: c.base}).Search(t.Context(), c.q)
			if err != nil || len(docs) == 0 || docs[0].Title != "AC/DC" {
				t.Fatalf("Search = %+v, %v", docs, err)
			}
			checkReal(t, base, name, docs[0])
			checkOpens(t, docs[0])
			body := docs[0].Text
			if !strings.Contains(body, "Their album Back in Black of 1980") || strings.Contains(body, "Written for tests.") != c.whole {
				t.Errorf("text %q", body)
			}
		})
	}
}

// realStatus is the status that a report would show for err, empty for none.
func realStatus(err error) string {
	var s interface{ SourceStatus() string }
	if errors.As(err, &s) {
		return s.SourceStatus()
	}
	return ""
}

// TestRealWikiHasNoSummaries: the summaries are a separate service, which most
// wikis lack.
func TestRealWikiHasNoSummaries(t *testing.T) {
	t.Parallel()
	base := realWiki(t)
	name := realNames(t, "wikipedia-summary")[0]
	docs, err := realSource(t, name, sources.Settings{URL: base}).Search(t.Context(), evidence.Query{Text: "goroutine", Limit: 5})
	if len(docs) != 0 || err != nil && realStatus(err) != evidence.StatusError {
		t.Errorf("Search = %v, %v, want nothing or an error", docs, err)
	}
}

// TestRealWikiAnswers runs the program and looks up its citations in the wiki.
func TestRealWikiAnswers(t *testing.T) {
	t.Parallel()
	base := realWiki(t)
	binary := realBinary(t)
	for _, c := range []struct {
		question, status, title, answer string
	}{
		{"What is a goroutine?", "answered", "Goroutine", "same address space"},
		{"Who founded AC/DC?", "answered", "AC/DC", "Malcolm and Angus Young"},
		{"What is the Ångström?", "answered", "Ångström", "one ten-millionth of a millimetre"},
		{"What did the zookeeper of Ulan Bator feed the pelicans?", "insufficient", "", ""},
	} {
		t.Run(c.question, func(t *testing.T) {
			t.Parallel()
			a := ask(t, binary, c.question, "wikipedia", base)
			if a.Status != c.status || !strings.Contains(a.Answer, c.answer) {
				t.Fatalf("status %q, answer %q, want %q with %q", a.Status, a.Answer, c.status, c.answer)
			}
			found := map[string]string{}
			for _, s := range a.Sources {
				found[s.Name] = s.Status
			}
			want := map[bool]string{true: "ok", false: "empty"}[c.title != ""]
			if summary := found["wikipedia-summary"]; found["wikipedia"] != want || summary != "empty" && summary != "error" || found["hackernews"] != "" {
				t.Errorf("sources: %v", found)
			}
			if c.title == "" && len(a.Citations) > 0 || c.title != "" && !slices.ContainsFunc(a.Citations, func(x evidence.Citation) bool { return x.Title == c.title }) {
				t.Errorf("citations: %+v, want one of %q", a.Citations, c.title)
			}
			for _, x := range a.Citations {
				checkCitation(t, base, x)
			}
			for _, claim := range a.Claims {
				if claim.Verdict == "supported" && len(claim.Citations) == 0 {
					t.Errorf("claim %q is supported by nothing", claim.Text)
				}
			}
		})
	}
}

// checkCitation finds the quote in the page, read from the wiki directly.
func checkCitation(t *testing.T, base string, x evidence.Citation) {
	t.Helper()
	var a struct {
		Query struct {
			Pages []struct {
				Extract string `json:"extract"`
				FullURL string `json:"fullurl"`
			} `json:"pages"`
		} `json:"query"`
	}
	realAPI(t, base, url.Values{"titles": {x.Title}, "prop": {"extracts|info"}, "inprop": {"url"}, "explaintext": {"1"}, "exintro": {"1"}}, &a)
	if len(a.Query.Pages) != 1 {
		t.Fatalf("the wiki has %d pages %q", len(a.Query.Pages), x.Title)
	}
	page := a.Query.Pages[0]
	if x.Source != "wikipedia" || x.URL != page.FullURL || x.Quote == "" {
		t.Errorf("citation %+v is not of %s", x, page.FullURL)
	}
	text := strings.TrimSpace(page.Extract)
	if x.Start < 0 || x.End > len(text) || x.Start > x.End || text[x.Start:x.End] != x.Quote {
		t.Errorf("citation %+v is not verbatim in %q", x, text)
	}
}
