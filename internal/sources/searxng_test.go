package sources

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

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

func TestSearxNGIsAskedInTheLanguageOfTheQuestion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		q    evidence.Query
		want string
	}{
		{evidence.Query{Text: "вокзал", Question: "Кто построил вокзал в Бресте?", Language: "en"}, "ru"},
		{evidence.Query{Text: "Bahnhof Graz", Question: "Wann wurde der Bahnhof in Graz gebaut?", Language: "en"}, "de"},
		{evidence.Query{Text: "gare de Lyon", Question: "Qui a construit la gare de Lyon ?", Language: "en"}, "fr"},
		{evidence.Query{Text: "東京駅はいつできましたか", Language: "en"}, "ja"},
		{evidence.Query{Text: "station", Question: "Who built the station of Graz?", Language: "de"}, "en"},
		{evidence.Query{Text: "goroutine channel", Question: "goroutine channel", Language: "de"}, "de"},
	} {
		s, srv := serve(t, "searxng", nil, map[string][]canned{"/search": page(t, "searxng", "hits.json")})
		found(t, s, c.q)
		if got := mustURL(t, srv.asked[0]).Query().Get("language"); got != c.want {
			t.Errorf("%q is asked in %q, want %q", c.q.Question, got, c.want)
		}
	}
}

func TestSearxNGErrors(t *testing.T) {
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
