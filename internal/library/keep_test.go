package library_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/memory/contract"
)

var doc = evidence.Document{ID: "d_1", Source: "wiki", URL: "https://wiki.test/1", Title: "Herons", Text: heron}

// Keeping a document waits for no chosen embedder, and works without any vectors.
func TestKeepWaitsForNoModel(t *testing.T) {
	t.Parallel()
	late := trained
	late.hang = true
	l, _ := open(t, func(d *library.Deps) { d.Models = fakeChooser{embedder: late} })
	if got, err := l.Keep(t.Context(), doc, "s_1"); err != nil || got.Chunks != 1 || len(got.Warnings) != 0 {
		t.Fatalf("Keep = %+v, %v", got, err)
	}
	if s, err := l.Stats(t.Context()); err != nil || len(s.Models) != 1 || s.Models[0].Name != "built-in" || s.Queue != nil {
		t.Errorf("Stats = %+v, %v, want vectors of the built-in model and no queue", s, err)
	}
}

func TestRememberAndRecall(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	l, _ := open(t, func(d *library.Deps) { d.Now = func() time.Time { return now } })
	first, err := l.Remember(t.Context(), library.RememberRequest{Text: heron, Title: "Herons", Tags: []string{"birds"}})
	if err != nil || first.Chunks != 1 || first.Deduplicated || first.Warnings == nil {
		t.Fatalf("Remember = %+v, %v", first, err)
	}
	again, err := l.Remember(t.Context(), library.RememberRequest{Text: heron})
	if err != nil || again.DocumentID != first.DocumentID || !again.Deduplicated || again.Chunks != 1 {
		t.Errorf("Remember again = %+v, %v", again, err)
	}
	now = now.Add(50 * time.Hour)
	got, err := l.Recall(t.Context(), library.RecallRequest{Query: "heron", Tags: []string{"birds"}})
	if err != nil || len(got.Hits) != 1 {
		t.Fatalf("Recall = %+v, %v", got, err)
	}
	h := got.Hits[0]
	if h.DocumentID != first.DocumentID || h.Text != heron || h.Title != "Herons" || h.Source != library.SourceNote || h.AgeDays != 2 || !h.Untrusted || len(h.Tags) != 1 {
		t.Errorf("hit %+v", h)
	}
}

// What cannot be done is refused before anything is written, with a Problem of
// the caller.
func TestRefusals(t *testing.T) {
	t.Parallel()
	l, _ := open(t, nil)
	remember(t, l, heron)
	day := time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
	recall := func(r library.RecallRequest) error { _, err := l.Recall(t.Context(), r); return err }
	store := func(r library.RememberRequest) error { _, err := l.Remember(t.Context(), r); return err }
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no query", recall(library.RecallRequest{}), "query is empty"},
		{"invisible query", recall(library.RecallRequest{Query: "\u200b\u2060\ufeff"}), "query is empty"},
		{"long query", recall(library.RecallRequest{Query: strings.Repeat("x", library.MaxQuery+1)}), "20001 bytes"},
		{"too many hits", recall(library.RecallRequest{Query: "x", K: 51}), "51 hits"},
		{"negative hits", recall(library.RecallRequest{Query: "x", K: -1}), "-1 hits"},
		{"swapped", recall(library.RecallRequest{Query: "x", Since: day.Add(1), Until: day}), "is after"},
		{"unknown source", recall(library.RecallRequest{Query: "x", Source: "wiki"}), `nothing of a source "wiki"`},
		{"unknown session", recall(library.RecallRequest{Query: "x", Session: "s_x"}), "s_x"},
		{"nothing to store", store(library.RememberRequest{}), "neither a text nor a URL"},
		{"white space", store(library.RememberRequest{Text: " \n"}), "white space"},
		{"both", store(library.RememberRequest{Text: "x", URL: "https://a.test"}), "both"},
		{"long address", store(library.RememberRequest{URL: "https://" + strings.Repeat("a", library.MaxURL)}), "bytes long"},
		{"long text", store(library.RememberRequest{Text: strings.Repeat("x", contract.DefaultMaxText+1)}), "the limit is"},
	} {
		var p *evidence.Problem
		if !errors.As(c.err, &p) || !p.Usage || p.Try == "" || !strings.Contains(p.What, c.want) {
			t.Errorf("%s: %v, want a usage problem with %q", c.name, c.err, c.want)
		}
	}
}

// A file whose first line is a very long heading does not repeat it in each of
// its chunks.
func TestALongHeadingIsShortened(t *testing.T) {
	t.Parallel()
	l, m := open(t, nil)
	file := filepath.Join(t.TempDir(), "long.md")
	if err := os.WriteFile(file, []byte("# "+strings.Repeat("heading words ", 20000)+"\n\nThe heron nests in the delta."), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{"", strings.Repeat("given words ", 200)} {
		out, err := l.RememberFile(t.Context(), file, given, nil)
		if err != nil {
			t.Fatal(err)
		}
		doc, ok, err := m.Document(t.Context(), out.DocumentID)
		if err != nil || !ok || len(doc.Title) > 300+len("…") || !strings.HasSuffix(doc.Title, "…") {
			t.Errorf("the title is %d bytes, %v, %v", len(doc.Title), ok, err)
		}
	}
	if st, err := m.Stats(t.Context()); err != nil || st.Bytes > 8<<20 {
		t.Errorf("Stats = %d bytes, %v", st.Bytes, err)
	}
}
