package app

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// pageTimeout is a page's time on the wire.
const pageTimeout = 10 * time.Second

// pageLifetime is how long a page is not asked for again.
const pageLifetime = time.Hour

// Bounds of what a page's reader may give, in bytes.
const (
	maxTitle    = 300
	maxText     = extract.MaxInput
	maxLanguage = 35 // as long as any tag
)

// page is readPage for the engine, with marks on what was kept.
func (a *App) page(ctx context.Context, url string) (evidence.Document, error) {
	doc, from, err := a.readPage(ctx, url)
	switch {
	case err != nil:
	case from.Stale:
		doc.Meta[evidence.MetaStale] = from.Age.String()
	case from.Cached:
		doc.Meta[evidence.MetaKept] = from.Age.String()
	}
	return doc, err
}

// tidy cleans and cuts what the child process gave, once more: the page that it
// read may have taken it over.
func tidy(page *extract.Page) {
	page.Title, _ = text.Cut(text.Squash(extract.Visible(page.Title)), maxTitle)
	page.Language, _ = text.Cut(text.Squash(extract.Visible(page.Language)), maxLanguage)
	body, cut := text.Cut(strings.TrimSpace(extract.Visible(page.Text)), maxText)
	page.Text, page.Truncated = body, page.Truncated || cut
}

// readPage reads an address that a person or a model chose: through the guarded
// door, and with its text extracted in an isolated process.
func (a *App) readPage(ctx context.Context, url string) (evidence.Document, research.Origin, error) {
	req := fetch.Request{URL: url, Accept: "text/html,text/plain,text/markdown;q=0.9", Budget: fetch.NewBudget(pageTimeout)}
	if a.pages.ReadPDF {
		req.Accept, req.MaxBody = req.Accept+",application/pdf;q=0.8", extract.MaxPDF
	}
	traced, trace := fetch.WithTrace(ctx)
	got, err := a.fetch.ForPublic().WithCache(pageLifetime).Get(traced, req)
	if err != nil {
		return evidence.Document{}, research.Origin{}, err
	}
	page, err := a.pages.Page(ctx, got.Body, got.FullType(), got.URL)
	if err != nil {
		return evidence.Document{}, research.Origin{}, err
	}
	tidy(&page)
	if page.Text == "" {
		return evidence.Document{}, research.Origin{}, &evidence.Problem{What: "the page holds no text that a reader sees without running its scripts", Try: "look for another page that says the same"}
	}
	return evidence.Document{
		ID: evidence.DocumentID("web", got.URL, page.Text), Source: "web", URL: got.URL, Title: cmp.Or(page.Title, got.URL), Text: page.Text,
		Language: page.Language, Revision: cmp.Or(got.ETag, got.LastModified), Published: page.Published, Retrieved: got.Retrieved,
		Score: 1, Untrusted: true, Truncated: page.Truncated || got.Truncated, Meta: map[string]string{evidence.MetaRequestedURL: url},
	}, origin(trace), nil
}
