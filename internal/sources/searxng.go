package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

func searxngSpec() Spec {
	return Spec{
		Name: "searxng", About: "pages of the whole web, as a SearXNG of yours finds them",
		DefaultTimeout: defaultTimeout, Rate: fetch.Rate{PerSecond: 1, Burst: 5},
		Enabled: true, Kinds: []string{KindGeneral}, Needs: []string{"url"}, New: newSearxNG,
		Options: []Option{{Name: "categories", About: "categories of its engines to ask, such as general,it; empty: its own choice"}},
	}
}

// searxNG asks a metasearch engine. It knows the engines' excerpts of pages, not
// the pages.
type searxNG struct {
	endpoint
	language, categories string
}

func newSearxNG(s Settings, client *fetch.Network) (Source, error) {
	e, err := newEndpoint(s, client)
	return &searxNG{endpoint: e, language: s.Language, categories: s.Options["categories"]}, err
}

func (x *searxNG) Name() string { return "searxng" }

func (x *searxNG) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	params := url.Values{"q": {cutWords(q.Text, maxSearchText)}, "format": {"json"}}
	if l := cmp.Or(q.Language, x.language); languageCode().MatchString(l) {
		params.Set("language", l)
	}
	if x.categories != "" {
		params.Set("categories", x.categories)
	}
	var a searxAnswer
	resp, err := x.door.GetJSON(ctx, fetch.Request{URL: x.base.String() + "/search?" + params.Encode(), Budget: fetch.NewBudget(x.timeout)}, &a)
	if err != nil {
		return nil, rephrased(err, explainSearx)
	}
	docs, ok := x.read(&a, resp.Retrieved)
	if !ok {
		return nil, x.malformed()
	}
	if len(docs) == 0 && len(a.Unresponsive) > 0 { // they might have found something
		return nil, &fetch.Error{Kind: fetch.API, Host: x.base.Host, Detail: "found nothing, and did not hear from " + a.silent()}
	}
	docs = docs[:min(len(docs), clamp(q.Limit, 1, 50))] // there is no way to ask for fewer
	if q.FullText {
		markLinks(docs, "")
	}
	return docs, nil
}

// explainSearx knows why a SearXNG fresh out of the box says no.
func explainSearx(e *fetch.Error) {
	if e.Kind == fetch.Forbidden {
		e.Detail = fmt.Sprintf("answered %d; add json to search.formats in its settings.yml", e.Code)
	}
}

type searxAnswer struct {
	Results      few[json.RawMessage] `json:"results"`
	Unresponsive few[json.RawMessage] `json:"unresponsive_engines"` // pairs of a name and a reason
}

// namedEngines is how many of those that did not answer are named.
const namedEngines = 3

// silent names engines that did not answer, where their names look like ones.
func (a *searxAnswer) silent() string {
	var names []string
	for _, raw := range a.Unresponsive {
		var pair []loose
		if json.Unmarshal(raw, &pair) == nil && len(pair) > 0 && codePattern().MatchString(string(pair[0])) && len(names) < namedEngines {
			names = append(names, string(pair[0]))
		}
	}
	switch more := len(a.Unresponsive) - len(names); {
	case len(names) == 0:
		return fmt.Sprintf("%d engines", more)
	case more > 0:
		return fmt.Sprintf("%s and %d more engines", strings.Join(names, ", "), more)
	}
	return strings.Join(names, ", ")
}

// searxResult is a page that an engine found. Any field may be null or absent.
type searxResult struct {
	URL       loose      `json:"url"`
	Title     loose      `json:"title"`
	Content   loose      `json:"content"` // text, not HTML
	Engines   few[loose] `json:"engines"`
	Published loose      `json:"publishedDate"`
}

// read makes documents of an answer, best first. It reports false when it is of
// another shape.
func (x *searxNG) read(a *searxAnswer, retrieved time.Time) ([]evidence.Document, bool) {
	results, ok := each[searxResult](a.Results)
	if !ok || a.Results == nil { // a search without hits has an empty list
		return nil, false
	}
	docs, seen := []evidence.Document{}, map[string]bool{}
	for place, r := range results {
		d := r.document()
		d.Source, d.Score = x.Name(), d.Score*rankScore(place)
		d, ok := finish(d, retrieved)
		if !ok || seen[d.ID] {
			continue
		}
		seen[d.ID] = true
		docs = append(docs, d)
	}
	return byScore(docs), true
}

// document is a result before it is cleaned. Its score is 1, or less for one
// that says nothing beyond its title.
func (r searxResult) document() evidence.Document {
	d := evidence.Document{Title: string(r.Title), Text: string(r.Content), Score: 1}
	if strings.TrimSpace(d.Text) == "" {
		d.Text, d.Score = d.Title, bareTitle
	}
	if u, err := url.Parse(string(r.URL)); err == nil && u.IsAbs() {
		d.URL = webURL(u, string(r.URL))
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, string(r.Published)); err == nil {
			d.Published = at.UTC()
			break
		}
	}
	engines := make([]string, len(r.Engines))
	for i, e := range r.Engines {
		engines[i] = string(e)
	}
	d.Meta = meta("engines", strings.Join(engines, ", "))
	return d
}
