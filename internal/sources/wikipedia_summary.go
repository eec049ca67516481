package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// summaryTitles is how many of the best titles are tried: the first may be a
// disambiguation page or have no summary.
const summaryTitles = 3

func wikipediaSummarySpec() Spec {
	return Spec{
		Name: "wikipedia-summary", About: "the summary of the best article of Wikipedia",
		DefaultURL: "https://en.wikipedia.org", URLFrom: "wikipedia", DefaultTimeout: defaultTimeout, Rate: wikimediaRate,
		Enabled: true, Kinds: []string{KindGeneral}, New: newWikipediaSummary,
	}
}

// wikipediaSummary reads the summary of the best article. The summary's URL needs an
// exact title, so a search comes first.
type wikipediaSummary struct{ *wiki }

func newWikipediaSummary(s Settings, network *fetch.Network) (Source, error) {
	w, err := newWiki("wikipedia-summary", s, network)
	return &wikipediaSummary{w}, err
}

func (w *wikipediaSummary) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	in, err := w.in(q.Language)
	if err != nil {
		return nil, err
	}
	return in.searchSummary(ctx, q)
}

func (w *wiki) searchSummary(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	budget := w.budget() // for all requests together
	var a titlesAnswer
	if _, err := w.api(ctx, budget, url.Values{
		"list": {"search"}, "srsearch": {cutWords(q.Text, maxSearchText)}, "srwhat": {"text"}, "srnamespace": {"0"}, "srlimit": {"3"}, "srprop": {""},
	}, &a); err != nil {
		return nil, err
	}
	titles, ok := a.titles()
	if !ok {
		return nil, w.malformed()
	}
	var missing error
	absent := 0
	for _, title := range titles {
		u := w.base.String() + "/api/rest_v1/page/summary/" + url.PathEscape(strings.ReplaceAll(title, " ", "_")) + "?redirect=true"
		var s summaryAnswer
		resp, err := w.client.GetJSON(ctx, fetch.Request{URL: u, Budget: budget}, &s)
		if fetch.IsKind(err, fetch.NotFound) {
			missing = err
			absent++
			continue
		}
		if err != nil {
			return nil, err
		}
		if s.Type == "" && s.Title == "" {
			return nil, w.malformed()
		}
		if d, ok := w.readSummary(&s, resp.Retrieved); ok {
			return []evidence.Document{d}, nil
		}
	}
	if absent == len(titles) && absent > 0 { // the wiki has the articles, and serves no summaries
		return nil, missing
	}
	return []evidence.Document{}, nil
}

type titlesAnswer struct {
	apiHead
	Query *struct {
		Search capped[json.RawMessage] `json:"search"`
	} `json:"query"`
}

func (a *titlesAnswer) complete() bool { return a.Query != nil || a.answered() }

// titles are the best ones. It reports false when the answer is of another shape.
func (a *titlesAnswer) titles() ([]string, bool) {
	if a.Query == nil {
		return nil, a.answered()
	}
	hits, ok := decodeEach[struct {
		Title string `json:"title"`
	}](a.Query.Search)
	out := []string{}
	for _, h := range hits {
		if h.Title != "" && len(out) < summaryTitles {
			out = append(out, h.Title)
		}
	}
	return out, ok
}

type summaryAnswer struct {
	Type        string `json:"type"` // standard, disambiguation, no-extract or mainpage
	Title       string `json:"title"`
	Extract     string `json:"extract"`
	Description string `json:"description"`
	Language    string `json:"lang"`
	Revision    loose  `json:"revision"`
	Timestamp   loose  `json:"timestamp"` // of the revision
	Item        loose  `json:"wikibase_item"`
	ContentURLs struct {
		Desktop struct {
			Page string `json:"page"`
		} `json:"desktop"`
	} `json:"content_urls"`
}

// readSummary makes a document of a summary. It reports false for a page that has
// none.
func (w *wiki) readSummary(s *summaryAnswer, retrieved time.Time) (evidence.Document, bool) {
	if s.Title == "" || s.Type == "disambiguation" || s.Type == "no-extract" || s.Type == "mainpage" {
		return evidence.Document{}, false
	}
	d := w.document()
	d.Source, d.Title, d.Text, d.Revision = w.name, s.Title, s.Extract, string(s.Revision)
	d.Score = rankScore(0)
	d.URL = cmp.Or(webURL(w.base, s.ContentURLs.Desktop.Page), pageURL(w.base, s.Title))
	d.Language = cmp.Or(s.Language, d.Language)
	d.Published = timestamp(s.Timestamp)
	d.Meta = meta("description", s.Description, "wikidata", string(s.Item))
	return finish(d, retrieved)
}
