package sources

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of one document, so that no source can fill the memory with one hit.
const (
	maxText  = 200 << 10 // bytes
	maxTitle = 300       // bytes
	maxURL   = 2048      // bytes, as everywhere
)

// bareTitle is the score of a hit that says nothing beyond its title; that of one
// with text is 1.
const bareTitle = 0.5

// collect makes the documents of one answer: each hit's document, its score
// multiplied by that of its rank, cleaned, each once, best first, at most limit.
func collect[T any](source string, hits []T, retrieved time.Time, limit int, document func(T) evidence.Document) []evidence.Document {
	c := newCollector(source, retrieved)
	for rank, hit := range hits {
		d := document(hit)
		d.Score *= rankScore(rank)
		c.add(d)
	}
	return c.best(limit)
}

// collector collects the documents of one search.
type collector struct {
	source    string
	retrieved time.Time
	docs      []evidence.Document
	seen      map[string]bool // by id
}

func newCollector(source string, retrieved time.Time) *collector {
	return &collector{source: source, retrieved: retrieved, docs: []evidence.Document{}, seen: map[string]bool{}}
}

// add finishes a document and keeps it, unless it lacks a text or a URL or was
// added before.
func (c *collector) add(d evidence.Document) {
	d.Source = c.source
	d, ok := finish(d, c.retrieved)
	if !ok || c.seen[d.ID] {
		return
	}
	c.seen[d.ID] = true
	c.docs = append(c.docs, d)
}

// best is the documents by score, at most limit; equals keep their order.
func (c *collector) best(limit int) []evidence.Document {
	byScore(c.docs)
	return c.docs[:min(len(c.docs), limit)]
}

// finish cleans a document, marks it as untrusted and sets its ID.
// It reports false for one without text or URL, and for one whose URL is longer than
// what a memory or a model takes: a part of it would be another address.
func finish(d evidence.Document, retrieved time.Time) (evidence.Document, bool) {
	title, _ := text.Clean(d.Title)
	d.Title, _ = text.Cut(text.Squash(title), maxTitle)
	body, _ := text.Clean(d.Text)
	var cut bool
	d.Text, cut = text.Cut(strings.TrimSpace(body), maxText)
	d.Truncated = d.Truncated || cut
	d.Retrieved = retrieved
	d.Untrusted = true
	d.ID = evidence.DocumentID(d.Source, d.URL, d.Text)
	return d, d.Text != "" && d.URL != "" && len(d.URL) <= maxURL
}

// rankScore is the score of a place in a result list, from 0: services say who
// comes first, not by how much.
func rankScore(rank int) float64 { return 1 / (1 + 0.2*float64(rank)) }

// byScore sorts documents best first; equals keep their order.
func byScore(docs []evidence.Document) []evidence.Document {
	slices.SortStableFunc(docs, func(a, b evidence.Document) int { return cmp.Compare(b.Score, a.Score) })
	return docs
}

// webURL resolves ref against base. It is empty unless a person can open it.
func webURL(base *url.URL, ref string) string {
	if ref == "" {
		return ""
	}
	u, err := base.Parse(ref)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return ""
	}
	return u.String()
}

// timestamp reads a time of RFC 3339; it is zero for anything else.
func timestamp(s loose) time.Time {
	at, err := time.Parse(time.RFC3339, string(s))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}

// meta makes a map of pairs without the empty ones, nil when none is left.
func meta(pairs ...string) map[string]string {
	var out map[string]string
	for i := 0; i+1 < len(pairs); i += 2 {
		value, _ := text.Clean(pairs[i+1])
		value, _ = text.Cut(text.Squash(value), maxTitle)
		if value == "" {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[pairs[i]] = value
	}
	return out
}

// markLinks sets ReadPage of the documents whose URL leads to a page that says
// more than they do: all but those whose URL begins with own, the source's own
// pages.
func markLinks(docs []evidence.Document, own string) {
	for i := range docs {
		docs[i].ReadPage = own == "" || !strings.HasPrefix(docs[i].URL, own)
	}
}
