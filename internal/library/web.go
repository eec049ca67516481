package library

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	pageTimeout  = 10 * time.Second // of a page's requests together
	pageLifetime = time.Hour        // how long a page is answered from the cache
)

// Limits of what the isolated process returns, in bytes.
const (
	maxTitle    = 300
	maxText     = extract.MaxInput
	maxLanguage = 35 // of any language tag

	maxWarnings = 5 // of a page; their length is at most maxTitle
)

// WebReader reads pages through the guarded network client and extracts their text in an
// isolated process.
type WebReader struct {
	Network *fetch.Network
	Extract extract.Isolated
}

// ReadPage implements PageReader.
func (w WebReader) ReadPage(ctx context.Context, url string) (evidence.Document, evidence.Origin, error) {
	req := fetch.Request{URL: url, Accept: "text/html,text/plain,text/markdown;q=0.9", Budget: fetch.NewBudget(pageTimeout)}
	if w.Extract.ReadPDF {
		req.Accept, req.MaxBody = req.Accept+",application/pdf;q=0.8", extract.MaxPDF
	}
	if w.Extract.ReadDocuments {
		req.Accept, req.MaxBody = req.Accept+",*/*;q=0.5", extract.MaxDocument
	}
	traced, trace := fetch.WithTrace(ctx)
	got, err := w.Network.ForPublic().WithCache(pageLifetime).Get(traced, req)
	if err != nil {
		return evidence.Document{}, evidence.Origin{}, err
	}
	page, err := w.Extract.Page(ctx, got.Body, got.FullType(), got.URL)
	if err != nil {
		return evidence.Document{}, evidence.Origin{}, err
	}
	clean(&page)
	if page.Text == "" {
		return evidence.Document{}, evidence.Origin{}, &evidence.Problem{What: "the page has no text that can be seen without running its scripts", Try: "look for another page that says the same"}
	}
	doc := evidence.Document{
		ID: evidence.DocumentID("web", got.URL, page.Text), Source: "web", URL: got.URL, Title: cmp.Or(page.Title, got.URL), Text: page.Text,
		Language: page.Language, Revision: cmp.Or(got.ETag, got.LastModified), Published: page.Published, Retrieved: got.Retrieved,
		Score: 1, Untrusted: true, Truncated: page.Truncated || got.Truncated, Meta: map[string]string{evidence.MetaRequestedURL: url},
	}
	return doc.WithMeta(evidence.MetaWarning, strings.Join(page.Warnings, "; ")), OriginOf(trace), nil
}

// OriginOf says where the answers that a trace counted came from.
func OriginOf(trace *fetch.Trace) evidence.Origin {
	c := trace.Counts()
	return evidence.Origin{Cached: c.Requests == 0 && c.Cached > 0, Stale: c.Stale > 0, Age: c.Oldest}
}

// clean cleans and cuts what the isolated process returned a second time: the
// page may have taken that process over.
func clean(page *extract.Page) {
	page.Title, _ = text.Cut(text.Squash(visible(page.Title)), maxTitle)
	page.Language, _ = text.Cut(text.Squash(visible(page.Language)), maxLanguage)
	body, cut := text.Cut(strings.TrimSpace(visible(page.Text)), maxText)
	page.Text, page.Truncated = body, page.Truncated || cut
	page.Warnings = page.Warnings[:min(len(page.Warnings), maxWarnings)]
	for i, w := range page.Warnings {
		page.Warnings[i], _ = text.Cut(text.Squash(visible(w)), maxTitle)
	}
}

// visibleTags are tags without what a reader cannot see.
func visibleTags(tags []string) []string {
	out := make([]string, len(tags))
	for i, t := range tags {
		out[i] = visible(t)
	}
	return out
}

// visible is s without what a reader cannot see.
func visible(s string) string {
	s, _ = text.Clean(s)
	return s
}
