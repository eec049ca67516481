package sources

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

var retrieved = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func mustURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func fixture(t testing.TB, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func decodeJSON(t testing.TB, raw []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
}

// brief is what a test compares of a document.
type brief struct{ Title, Text, URL, Language, License, Revision string }

func briefs(docs []evidence.Document) []brief {
	out := []brief{}
	for _, d := range docs {
		out = append(out, brief{d.Title, d.Text, d.URL, d.Language, d.License, d.Revision})
	}
	return out
}

func TestFinishCutsLongTextOnARuneBoundary(t *testing.T) {
	t.Parallel()
	long := make([]rune, maxText)
	for i := range long {
		long[i] = '日'
	}
	d, ok := finish(evidence.Document{Source: "x", URL: "https://x.org/", Text: string(long)}, retrieved)
	if !ok || !d.Truncated || len(d.Text) > maxText || !utf8.ValidString(d.Text) {
		t.Errorf("finish: ok %v, truncated %v, %d bytes", ok, d.Truncated, len(d.Text))
	}
}

// checkParsed checks what every parser guarantees for any bytes.
func checkParsed(t *testing.T, docs []evidence.Document) {
	t.Helper()
	for _, d := range docs {
		if _, changed := text.Clean(d.Text); changed || d.Text == "" || len(d.Text) > maxText || !utf8.ValidString(d.Title) || d.URL == "" || !d.Untrusted {
			t.Errorf("document %+v breaks the contract", d)
		}
		if u, err := url.Parse(d.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("URL %q", d.URL)
		}
	}
}
