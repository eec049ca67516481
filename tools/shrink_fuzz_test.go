package tools

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
)

// FuzzFitting fits results of any text into any budget: each keeps it, and what was
// found is never denied.
func FuzzFitting(f *testing.F) {
	f.Add("Go is a language. It has goroutines.", "Go", "https://go.dev/", uint8(6), uint16(0), false)
	f.Add(strings.Repeat("größere Wörter 语言 ", 400), strings.Repeat("t", 300), "https://x.test/?"+strings.Repeat("a", 2000), uint8(50), uint16(100), true)
	f.Add("```\n\\ \"quoted\" <b>\u2028 [1] [2]\n", "[1](x)", "x", uint8(1), uint16(4000), true)
	f.Fuzz(func(t *testing.T, body, title, url string, n uint8, more uint16, structured bool) {
		body, title, url = strings.ToValidUTF8(body, "?"), prefix(strings.ToValidUTF8(title, "?"), 300), prefix(strings.ToValidUTF8(url, "?"), 2048)
		limit := budget{tokens: leastTokens + int(more)%(mostTokens-leastTokens), structured: structured}
		count := 1 + int(n)%20
		var hits library.RecallResult
		var docs research.ReadResult
		a := fullAnswer()
		a.Answer = body + " [1]."
		a.Citations, a.Evidence = nil, nil
		for i := range count {
			hits.Hits = append(hits.Hits, library.RecallHit{DocumentID: "d_1", Title: title, URL: url, Source: "s", Text: body})
			docs.Documents = append(docs.Documents, evidence.Document{ID: "d_1", Title: title, URL: url, Source: "s", Text: body})
			a.Citations = append(a.Citations, evidence.Citation{N: i + 1, Title: title, URL: url, Source: "s", Quote: body, End: len(body), DocumentID: "d_1"})
			a.Evidence = append(a.Evidence, evidence.RankedPassage{DocumentID: "d_1", Title: title, URL: url, Text: body, End: len(body)})
		}
		h := shrinkHits(hits, limit, time.UTC, randomBoundary)
		d := shrinkDocuments(docs, limit, time.UTC, randomBoundary)
		r := shrinkAnswer(a, limit, time.UTC, randomBoundary)
		for name, got := range map[string]struct {
			fits bool
			text string
		}{"recall": {h.fits(), h.text()}, "fetch-sources": {d.fits(), d.text()}, "research": {r.fits(), r.text()}} {
			if !got.fits || !utf8.ValidString(got.text) {
				t.Errorf("%s: fits %d tokens: %v, valid %v:\n%.2000s", name, limit.tokens, got.fits, utf8.ValidString(got.text), got.text)
			}
		}
		if len(h.out.Hits) == 0 && strings.Contains(h.text(), "Nothing in the memory matches") {
			t.Errorf("%d hits are denied", count)
		}
		for _, c := range r.out.Citations {
			if !strings.HasPrefix(body, c.Quote) {
				t.Errorf("the quote %.200q is not verbatim", c.Quote)
			}
		}
	})
}
