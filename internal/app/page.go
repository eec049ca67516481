package app

import (
	"cmp"
	"context"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// pageTimeout is a page's time on the wire.
const pageTimeout = 10 * time.Second

// pageLifetime is how long a page is not asked for again.
const pageLifetime = time.Hour

// page reads an address that a person or a model chose: through the guarded
// door, and with its text extracted in an isolated process.
func (a *App) page(ctx context.Context, url string) (evidence.Document, error) {
	req := fetch.Request{URL: url, Accept: "text/html,text/plain,text/markdown;q=0.9", Budget: fetch.NewBudget(pageTimeout)}
	if a.pages.ReadPDF {
		req.Accept, req.MaxBody = req.Accept+",application/pdf;q=0.8", extract.MaxPDF
	}
	got, err := a.fetch.Open().Keep(pageLifetime).Get(ctx, req)
	if err != nil {
		return evidence.Document{}, err
	}
	page, err := a.pages.Page(ctx, got.Body, got.FullType(), got.URL)
	if err != nil {
		return evidence.Document{}, err
	}
	if page.Text == "" {
		return evidence.Document{}, &evidence.Problem{What: "the page holds no text that a reader sees without running its scripts", Try: "look for another page that says the same"}
	}
	return evidence.Document{
		ID: evidence.DocumentID("web", got.URL, page.Text), Source: "web", URL: got.URL, Title: cmp.Or(page.Title, got.URL), Text: page.Text,
		Language: page.Language, Revision: cmp.Or(got.ETag, got.LastModified), Published: page.Published, Retrieved: got.Retrieved,
		Score: 1, Untrusted: true, Truncated: page.Truncated || got.Truncated, Meta: map[string]string{"requested_url": url},
	}, nil
}
