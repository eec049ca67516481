package sources

import (
	"cmp"
	"encoding/json"
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
)

// finish cleans what a stranger wrote and gives the document its identity. It
// reports false for one without text or place.
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
	return d, d.Text != "" && d.URL != ""
}

// rankScore turns a place in a result list into a relevance: services say who
// comes first, not by how much.
func rankScore(place int) float64 { return 1 / (1 + 0.2*float64(place)) }

// webURL resolves ref against base and returns it if a person can open it.
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

// loose reads a JSON string or number as text and anything else as empty, so
// that one odd field does not cost the whole answer.
type loose string

// UnmarshalJSON never fails.
func (l *loose) UnmarshalJSON(b []byte) error {
	*l = ""
	var s string
	var n json.Number
	switch {
	case len(b) > 0 && b[0] == '"' && json.Unmarshal(b, &s) == nil:
		*l = loose(s)
	case json.Unmarshal(b, &n) == nil:
		*l = loose(n.String())
	}
	return nil
}

// each decodes the items of a list one by one and leaves out those of another
// shape. It reports false when there were items and none could be read.
func each[T any](items []json.RawMessage) ([]T, bool) {
	out := make([]T, 0, len(items))
	for _, raw := range items {
		var v T
		if json.Unmarshal(raw, &v) == nil {
			out = append(out, v)
		}
	}
	return out, len(items) == 0 || len(out) > 0
}

// meta makes a map of pairs without the empty ones, nil when nothing is left.
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

// markLinks marks the documents whose URL is a page that says more than they do,
// for whoever can read pages. Those at the source's own place are not marked.
func markLinks(docs []evidence.Document, own string) {
	for i := range docs {
		if own != "" && strings.HasPrefix(docs[i].URL, own) {
			continue
		}
		if docs[i].Meta == nil {
			docs[i].Meta = map[string]string{}
		}
		docs[i].Meta[evidence.MetaLink] = "page"
	}
}

// byScore sorts documents best first; equals keep their order.
func byScore(docs []evidence.Document) []evidence.Document {
	slices.SortStableFunc(docs, func(a, b evidence.Document) int { return cmp.Compare(b.Score, a.Score) })
	return docs
}
