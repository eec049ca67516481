package sources

import (
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of one search.
const (
	kiwixPages     = 3       // that are read; the others have an excerpt
	kiwixFullPages = 8       // when whole texts were asked for
	kiwixPageBytes = 2 << 20 // of HTML
	kiwixWords     = 8       // of a query, as a page must have all of them
)

func kiwixSpec() Spec {
	return Spec{
		Name: "kiwix", About: "pages of an offline library, such as a copy of Wikipedia, behind your own kiwix-serve",
		DefaultTimeout: defaultTimeout, Rate: fetch.Rate{PerSecond: 5, Burst: 20},
		Enabled: true, Kinds: []string{KindGeneral}, Needs: []string{"url"}, New: newKiwix,
		Options: []Option{{Name: "content", About: "name of the one book to search; empty: all that are served"}},
	}
}

// kiwix searches the books of a kiwix-serve and reads the best pages.
type kiwix struct {
	endpoint
	book  string
	pages PageReader
}

func newKiwix(s Settings, network *fetch.Network) (Source, error) {
	e, err := newEndpoint("kiwix", s, network)
	return &kiwix{endpoint: e, book: s.Options["content"], pages: s.reader()}, err
}

func (k *kiwix) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	limit, budget := clamp(q.Limit, 1, maxLimit), k.budget()
	words := searchWords(q.Text, kiwixWords) // its index has no accents
	hits, retrieved, err := k.find(ctx, budget, strings.Join(words, " "), limit)
	if err == nil && len(hits) == 0 && len(words) > 1 { // no page has them all
		hits, retrieved, err = k.find(ctx, budget, strings.Join(words, " OR "), limit)
	}
	if err != nil {
		return nil, err
	}
	full := kiwixPages
	if q.FullText {
		full = kiwixFullPages
	}
	found := newCollector(k.name, retrieved)
	for rank, hit := range hits[:min(len(hits), limit)] {
		d := hit.document(k.base)
		d.Score = rankScore(rank)
		if len(found.docs) < full {
			k.readPage(ctx, budget, &d)
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("reading pages: %w", ctx.Err())
		}
		found.add(d)
	}
	return found.best(limit), nil
}

// find asks for the pages that match, best first.
func (k *kiwix) find(ctx context.Context, budget *fetch.Budget, pattern string, limit int) ([]kiwixHit, time.Time, error) {
	if pattern == "" { // punctuation alone
		return nil, time.Time{}, ctx.Err()
	}
	params := url.Values{"pattern": {pattern}, "format": {"xml"}, "pageLength": {strconv.Itoa(limit)}}
	if k.book != "" {
		params.Set("content", k.book)
	}
	var a kiwixAnswer
	resp, err := k.getXML(ctx, k.request("/search", params, budget), "application/rss+xml", &a)
	if err != nil {
		return nil, time.Time{}, rephrased(err, k.explain)
	}
	if a.Channel == nil || a.Channel.Total == nil {
		return nil, time.Time{}, notXML(k.base.Host)
	}
	return a.Channel.Items, resp.Retrieved, nil
}

// explain names the setting behind a bad request: kiwix-serve answers 400 for a
// book that it does not have.
func (k *kiwix) explain(e *fetch.Error) {
	if e.Code == 400 && k.book != "" {
		e.Detail = "answered 400; look whether sources.kiwix.content names a book that it serves"
	}
}

// readPage replaces the excerpt by the page's text, unless the page cannot be
// read.
func (k *kiwix) readPage(ctx context.Context, budget *fetch.Budget, d *evidence.Document) {
	raw := k.rawURL(d.URL)
	if raw == "" {
		return
	}
	resp, err := k.client.Get(ctx, fetch.Request{URL: raw, Accept: "text/html", Budget: budget, MaxBody: kiwixPageBytes})
	if err != nil {
		return
	}
	page, err := k.pages.Page(ctx, resp.Body, resp.FullType(), d.URL)
	if err != nil || strings.TrimSpace(page.Text) == "" {
		return
	}
	d.Text, d.Truncated = page.Text, page.Truncated
	*d = d.WithMeta(evidence.MetaWarning, strings.Join(page.Warnings, "; "))
	d.Title = cmp.Or(d.Title, page.Title)
	d.Language, d.Published, d.Revision = page.Language, page.Published, resp.ETag
}

// rawURL is where a page is served as it is in the book: the server adds a toolbar
// to /BOOK/PATH (in newer versions /content/BOOK/PATH) and none to
// /raw/BOOK/content/PATH.
func (k *kiwix) rawURL(page string) string {
	u, err := url.Parse(page)
	if err != nil {
		return ""
	}
	path, ok := strings.CutPrefix(u.EscapedPath(), k.base.EscapedPath()+"/")
	if !ok || u.Host != k.base.Host {
		return ""
	}
	path = strings.TrimPrefix(path, "content/")
	book, rest, ok := strings.Cut(path, "/")
	if !ok || book == "" || rest == "" {
		return ""
	}
	return k.base.String() + "/raw/" + book + "/content/" + rest
}

// kiwixAnswer is OpenSearch in RSS.
type kiwixAnswer struct {
	XMLName xml.Name `xml:"rss"`
	Channel *struct {
		Total *string          `xml:"http://a9.com/-/spec/opensearch/1.1/ totalResults"`
		Items capped[kiwixHit] `xml:"item"`
	} `xml:"channel"`
}

type kiwixHit struct {
	Title   string    `xml:"title"`
	Link    string    `xml:"link"`        // a path
	Excerpt innerText `xml:"description"` // words that match are in elements inside it
	Book    string    `xml:"book>title"`
}

// document is a hit before it is finished, with the excerpt as its text.
func (h kiwixHit) document(base *url.URL) evidence.Document {
	return evidence.Document{
		Title: h.Title, URL: webURL(base, strings.TrimSpace(h.Link)), Text: cmp.Or(text.Squash(string(h.Excerpt)), h.Title),
		Meta: meta("book", h.Book),
	}
}
