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
	"github.com/research-mcp/research-mcp/internal/text"
)

func searxngSpec() Spec {
	return Spec{
		Name: "searxng", About: "pages of the whole web, found by your own SearXNG",
		DefaultTimeout: defaultTimeout, Rate: fetch.Rate{PerSecond: 1, Burst: 5},
		Enabled: true, Kinds: []string{KindGeneral}, Needs: []string{"url"}, New: newSearxNG,
		Options: []Option{{Name: "categories", About: "categories of its engines to ask, such as general,it; empty: its own choice"}},
	}
}

// searxNG asks a metasearch engine, which returns excerpts of pages and not the
// pages.
type searxNG struct {
	endpoint
	language, categories string
}

func newSearxNG(s Settings, network *fetch.Network) (Source, error) {
	e, err := newEndpoint("searxng", s, network)
	return &searxNG{endpoint: e, language: s.Language, categories: s.Options["categories"]}, err
}

func (x *searxNG) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	params := url.Values{"q": {cutWords(q.Text, maxSearchText)}, "format": {"json"}}
	if l := cmp.Or(askedIn(q), q.Language, x.language); languageCode().MatchString(l) {
		params.Set("language", l)
	}
	if x.categories != "" {
		params.Set("categories", x.categories)
	}
	var a searxAnswer
	resp, err := x.getJSON(ctx, "/search", params, &a)
	if err != nil {
		return nil, rephrased(err, explainSearx)
	}
	limit := clamp(q.Limit, 1, maxLimit) // the service has no limit
	docs, ok := x.read(&a, limit, resp.Retrieved)
	if !ok {
		return nil, x.malformed()
	}
	if len(docs) == 0 && len(a.Unresponsive) > 0 { // they might have found something
		return nil, &fetch.Error{Kind: fetch.API, Host: x.base.Host, Detail: "found nothing, and had no answer from " + a.silent()}
	}
	if q.FullText {
		markLinks(docs, "")
	}
	return docs, nil
}

// askedIn is the language in which a question is asked, or empty where it cannot be
// told. In another one, engines return pages that nobody asked for.
func askedIn(q evidence.Query) string { return text.DetectLanguage(cmp.Or(q.Question, q.Text)) }

// explainSearx names the setting behind a refusal: a new SearXNG has JSON off.
func explainSearx(e *fetch.Error) {
	if e.Kind == fetch.Forbidden {
		e.Detail = fmt.Sprintf("answered %d; add json to search.formats in its settings.yml", e.Code)
	}
}

type searxAnswer struct {
	Results      capped[json.RawMessage] `json:"results"`
	Unresponsive capped[json.RawMessage] `json:"unresponsive_engines"` // pairs of a name and a reason
}

// namedEngines is how many of the engines without an answer an error names.
const namedEngines = 3

// silent describes the engines that did not answer.
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
	URL       loose         `json:"url"`
	Title     loose         `json:"title"`
	Content   loose         `json:"content"` // text, not HTML
	Engines   capped[loose] `json:"engines"`
	Published loose         `json:"publishedDate"`
}

// read makes documents of an answer, best first. It reports false when the
// answer is of another shape.
func (x *searxNG) read(a *searxAnswer, limit int, retrieved time.Time) ([]evidence.Document, bool) {
	results, ok := decodeHits[searxResult](a.Results)
	if !ok {
		return nil, false
	}
	return collect(x.name, results, retrieved, limit, searxResult.document), true
}

// document is a result before it is finished. Its score is 1, or less for one
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
