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

func wikipediaSpec() Spec {
	return Spec{
		Name: "wikipedia", About: "introductions of the articles of Wikipedia, or of any MediaWiki, that match",
		DefaultURL: "https://en.wikipedia.org", DefaultTimeout: defaultTimeout, Rate: wikimediaRate,
		Enabled: true, Kinds: []string{KindGeneral}, New: newWikipedia,
	}
}

// wikipedia searches a MediaWiki and reads the introductions of what it finds,
// in one request.
type wikipedia struct{ *wiki }

func newWikipedia(s Settings, network *fetch.Network) (Source, error) {
	w, err := newWiki("wikipedia", s, network)
	return &wikipedia{w}, err
}

func (w *wikipedia) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	in, err := w.in(q.Language)
	if err != nil {
		return nil, err
	}
	return in.search(ctx, q)
}

func (w *wiki) search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	limit, budget := clamp(q.Limit, 1, maxExtracts), w.budget()
	var a searchAnswer
	resp, err := w.api(ctx, budget, url.Values{
		"generator": {"search"}, "gsrsearch": {cutWords(q.Text, maxSearchText)}, "gsrnamespace": {"0"},
		"gsrwhat":  {"text"},                                  // some engines search titles alone without it
		"gsrlimit": {strconv.Itoa(min(limit+2, maxExtracts))}, // two more, as some may be no articles
		"prop":     {"extracts|info|pageprops"}, "inprop": {"url"},
		"ppprop":      {"disambiguation"},
		"explaintext": {"1"},
		"exintro":     {"1"}, "exlimit": {"max"}, // whole texts are limited to one, introductions to twenty
	}, &a)
	if err != nil {
		return nil, err
	}
	pages, ok := a.pages()
	if !ok {
		return nil, w.malformed()
	}
	if withoutExtracts(pages) {
		if err := w.parsePages(ctx, budget, pages); err != nil {
			return nil, err
		}
	}
	docs := w.read(pages, limit, resp.Retrieved)
	if q.FullText {
		if err := w.readBest(ctx, budget, docs); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

type searchAnswer struct {
	apiHead
	Query *struct { // absent when nothing was found
		Pages capped[json.RawMessage] `json:"pages"`
	} `json:"query"`
}

type searchPage struct {
	Title     string          `json:"title"`
	Index     int             `json:"index"`   // rank; pages come in the order of their ids
	Extract   *string         `json:"extract"` // absent where the wiki has no extracts
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

func (a *searchAnswer) complete() bool { return a.Query != nil || a.answered() }

// pages are the hits, best first. It reports false when the answer
// is of another shape.
func (a *searchAnswer) pages() ([]searchPage, bool) {
	if a.Query == nil {
		return []searchPage{}, a.answered()
	}
	pages, ok := decodeEach[searchPage](a.Query.Pages)
	slices.SortStableFunc(pages, func(a, b searchPage) int { return cmp.Compare(a.Index, b.Index) })
	return slices.DeleteFunc(pages, func(p searchPage) bool { return p.Title == "" || p.disambiguation() }), ok
}

// withoutExtracts reports whether there are pages and none has an extract: the wiki
// lacks the extension.
func withoutExtracts(pages []searchPage) bool {
	return len(pages) > 0 && !slices.ContainsFunc(pages, func(p searchPage) bool { return p.Extract != nil })
}

// read makes documents of the pages that have a text.
func (w *wiki) read(pages []searchPage, limit int, retrieved time.Time) []evidence.Document {
	found := newCollector(w.name, retrieved)
	for _, p := range pages {
		if p.Extract == nil {
			continue
		}
		d := w.document()
		d.Title, d.Text, d.Revision = p.Title, *p.Extract, string(p.Revision)
		d.Score = rankScore(len(found.docs))
		d.URL = cmp.Or(webURL(w.base, p.FullURL), pageURL(w.base, p.Title))
		d.Language = cmp.Or(p.Language, d.Language)
		found.add(d)
	}
	return found.best(limit)
}
