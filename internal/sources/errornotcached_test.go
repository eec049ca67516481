package sources

import (
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// TestErrorsWithStatus200AreNotCached: the next search asks again, also where the
// source can do without the part that failed.
func TestErrorsWithStatus200AreNotCached(t *testing.T) {
	t.Parallel()
	const limited = `{"errors":[{"code":"ratelimited"}]}`
	const articles = `{"batchcomplete":true,"query":{"pages":[{"pageid":1,"title":"Go","index":1,"extract":"Go."}]}}`
	const bare = `{"batchcomplete":true,"query":{"pages":[{"pageid":1,"title":"Go","index":1},{"pageid":2,"title":"Chan","index":2}]}}`
	for _, c := range []struct {
		name, source string
		answers      map[string][]canned
		first, then  string // text of the last document; empty: an error
		requests     int
	}{
		{"a thing's name", "wikidata", map[string][]canned{"/w/api.php": {
			{body: limited}, {body: `{"search":[{"id":"Q1","label":"Go","description":"a language"}]}`},
		}}, "", "Go: a language.", 2},
		{"numbers of articles", "pubmed", map[string][]canned{
			"/esearch.fcgi": {{body: `{"error":"API rate limit exceeded"}`}, {body: `{"esearchresult":{"idlist":["7"]}}`}},
			"/efetch.fcgi": {{kind: "text/xml", body: `<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>7</PMID><Article><ArticleTitle>Go</ArticleTitle>` +
				`<Abstract><AbstractText>Went.</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle></PubmedArticleSet>`}},
		}, "", "Went.", 3},
		{"articles", "wikipedia", map[string][]canned{"/w/api.php": {{body: limited}, {body: articles}, {body: limited}}}, "", "Go.", 4},
		{"a whole article", "wikipedia", map[string][]canned{"/w/api.php": {
			{body: articles}, {body: limited}, {body: `{"batchcomplete":true,"query":{"pages":[{"title":"Go","extract":"Go went."}]}}`},
		}}, "Go.", "Go went.", 3},
		{"an article's HTML", "mediawiki", map[string][]canned{"/w/api.php": {
			{body: bare}, {body: `{"parse":{"text":"<p>Go."}}`}, {body: `{}`}, {body: limited},
			{body: `{"parse":{"text":"<p>Chan."}}`}, {body: limited},
		}}, "Go.", "Chan.", 7},
		{"comments", "hackernews", map[string][]canned{
			algoliaSearch:     {{body: `{"hits":[{"objectID":"9","title":"Go","num_comments":1}]}`}},
			algoliaItem + "9": {{body: `[]`}, {body: `{"title":"Go","children":[{"author":"bo","text":"Went."}]}`}},
		}, "Go", "bo: Went.", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, srv := serveCached(t, c.source, nil, c.answers)
			for _, want := range []string{c.first, c.then, c.then} {
				docs, err := s.Search(t.Context(), evidence.Query{Text: "Go", Limit: 5, FullText: true})
				got := ""
				if err == nil && len(docs) > 0 {
					got = docs[len(docs)-1].Text
				}
				if got != want {
					t.Errorf("%q, %v, want %q", got, err, want)
				}
			}
			if len(srv.asked) != c.requests {
				t.Errorf("asked %q, want %d", srv.asked, c.requests)
			}
		})
	}
}
