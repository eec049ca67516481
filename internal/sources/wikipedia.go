package sources

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// maxExtracts is how many introductions one call of the Action API returns.
const maxExtracts = 20

// wikipedia searches a MediaWiki and reads the introductions of what it finds,
// in one request.
type wikipedia struct{ *wiki }

func newWikipedia(s Settings, client *fetch.Network) (Source, error) {
	w, err := newWiki("wikipedia", s, client)
	if err != nil {
		return nil, err
	}
	return &wikipedia{w}, nil
}

func (w *wikipedia) Name() string { return w.name }

func (w *wikipedia) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	base, door, err := w.in(q.Language)
	if err != nil {
		return nil, err
	}
	limit, budget := clamp(q.Limit, 1, maxExtracts), fetch.NewBudget(w.timeout)
	var a searchAnswer
	resp, err := w.api(ctx, base, door, budget, url.Values{
		"generator": {"search"}, "gsrsearch": {cutWords(q.Text, maxSearchText)}, "gsrnamespace": {"0"},
		"gsrwhat":  {"text"},                                  // some engines search titles alone without it
		"gsrlimit": {strconv.Itoa(min(limit+2, maxExtracts))}, // two more, as some may be no articles
		"prop":     {"extracts|info|pageprops"}, "inprop": {"url"},
		"ppprop":      {"disambiguation"},
		"explaintext": {"1"},
		"exintro":     {"1"}, "exlimit": {"max"}, // whole texts come one at a time, introductions twenty at once
	}, &a)
	if err != nil {
		return nil, err
	}
	pages, ok := a.pages()
	if !ok {
		return nil, &fetch.Error{Kind: fetch.Malformed, Host: base.Host}
	}
	if withoutExtracts(pages) {
		if err := w.parsed(ctx, base, door, budget, pages); err != nil {
			return nil, err
		}
	}
	docs := w.read(pages, base, resp.Retrieved)
	docs = docs[:min(len(docs), limit)]
	if q.FullText {
		if err := w.whole(ctx, base, door, budget, docs); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

type searchAnswer struct {
	apiHead
	Query *struct { // absent when nothing was found
		Pages few[json.RawMessage] `json:"pages"`
	} `json:"query"`
}

type searchPage struct {
	Title     string          `json:"title"`
	Index     int             `json:"index"`   // rank; pages come in the order of their ids
	Extract   *string         `json:"extract"` // absent where the wiki has none to give
	FullURL   string          `json:"fullurl"`
	Revision  loose           `json:"lastrevid"`
	Language  string          `json:"pagelanguage"`
	PageProps json.RawMessage `json:"pageprops"` // an object, or an empty array where PHP had nothing
}

func (p searchPage) disambiguation() bool {
	var props map[string]json.RawMessage
	if json.Unmarshal(p.PageProps, &props) != nil {
		return false
	}
	_, is := props["disambiguation"]
	return is
}

func (a *searchAnswer) whole() bool { return a.Query != nil || a.answered() }

// pages are those that were found, best first. It reports false when the answer
// is of another shape.
func (a *searchAnswer) pages() ([]searchPage, bool) {
	if a.Query == nil {
		return []searchPage{}, a.answered()
	}
	pages, ok := each[searchPage](a.Query.Pages)
	slices.SortStableFunc(pages, func(a, b searchPage) int { return cmp.Compare(a.Index, b.Index) })
	return slices.DeleteFunc(pages, func(p searchPage) bool { return p.Title == "" || p.disambiguation() }), ok
}

// withoutExtracts reports whether there are pages and the wiki gave no text of
// any: extracts are an extension that it may lack.
func withoutExtracts(pages []searchPage) bool {
	return len(pages) > 0 && !slices.ContainsFunc(pages, func(p searchPage) bool { return p.Extract != nil })
}

// read makes documents of pages.
func (w *wikipedia) read(pages []searchPage, base *url.URL, retrieved time.Time) []evidence.Document {
	docs, seen := []evidence.Document{}, map[string]bool{}
	for _, p := range pages {
		if p.Extract == nil {
			continue
		}
		d := w.document(base)
		d.Title, d.Text, d.Revision = p.Title, *p.Extract, string(p.Revision)
		d.Score = rankScore(len(docs))
		d.URL = cmp.Or(webURL(base, p.FullURL), pageURL(base, p.Title))
		d.Language = cmp.Or(p.Language, d.Language)
		if d, ok := finish(d, retrieved); ok && !seen[d.ID] {
			seen[d.ID] = true
			docs = append(docs, d)
		}
	}
	return docs
}
