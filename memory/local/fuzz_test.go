package local

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// FuzzImport imports any bytes: what is wrong is a Problem or counted, and the memory
// is whole afterwards, and can be exported.
func FuzzImport(f *testing.F) {
	f.Add("", false)
	f.Add("{}\n", true)
	f.Add("{\"format\":\"research-mcp-memory\"", false)
	f.Add(fuzzExport(f), false)
	f.Add(strings.Replace(fuzzExport(f), "\"start\":", "\"start\":-", 1), true)
	f.Fuzz(func(t *testing.T, lines string, strict bool) {
		dir := t.TempDir()
		l := openIn(t, dir)
		m, err := l.Import(t.Context(), strings.NewReader(lines), contract.ImportOptions{Strict: strict})
		var p *evidence.Problem
		if err != nil && !errors.As(err, &p) {
			t.Errorf("Import = %v, want a problem", err)
		}
		rep, err := l.Check(t.Context())
		if err != nil || !rep.OK || rep.Documents > m.Documents {
			t.Errorf("Check after Import = %+v is %+v, %v", m, rep, err)
		}
		exported := 0
		for _, line := range fuzzLines(t, l) {
			if strings.HasPrefix(line, `{"document":`) {
				exported++
			}
		}
		if exported != rep.Documents {
			t.Errorf("%d documents are exported of %d", exported, rep.Documents)
		}
	})
}

// fuzzExport is an export of a few documents and a session.
func fuzzExport(f *testing.F) string {
	f.Helper()
	l, err := Open(f.Context(), contract.Config{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		d := textDoc(i, fmt.Sprintf("Number %d of the herons sleeps in the delta.", i))
		if _, err := l.Put(f.Context(), d, vectored(d, "m")); err != nil {
			f.Fatal(err)
		}
	}
	if err := l.Append(f.Context(), "s_1", evidence.Turn{Role: evidence.RoleUser, Text: "Who sleeps?"}); err != nil {
		f.Fatal(err)
	}
	lines := fuzzLines(f, l)
	if err := l.Close(); err != nil {
		f.Fatal(err)
	}
	return strings.Join(lines, "")
}

func fuzzLines(t testing.TB, l *Local) []string {
	t.Helper()
	var b strings.Builder
	if _, err := l.Export(t.Context(), &b, contract.ExportOptions{Vectors: true}); err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(b.String(), "\n")
}

// FuzzRecall asks any query: there is no error that is not a Problem, and hits are
// passages of stored documents, verbatim, and at most as many as wanted.
func FuzzRecall(f *testing.F) {
	l, err := Open(f.Context(), contract.Config{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		if err := l.Close(); err != nil {
			f.Error(err)
		}
	})
	texts := []string{"Der Reiher schläft im Delta der Donau.", "サギは川で眠る。日本語の文章。", "The heron's nest: a_b c++ \"quoted\" NEAR AND OR NOT *", "Цапля спит в дельте реки."}
	for i, s := range texts {
		d := textDoc(i, s)
		if _, err := l.Put(f.Context(), d, vectored(d, "m")); err != nil {
			f.Fatal(err)
		}
	}
	for _, q := range append(texts, "", "\"", "a* OR (b NEAR/2 c)", "col:x ^y -z", "\x00\xff", strings.Repeat("heron ", 3000)) {
		f.Add(q, "s", uint8(3), "hybrid")
	}
	f.Fuzz(func(t *testing.T, query, source string, k uint8, mode string) {
		r, err := l.Recall(t.Context(), evidence.RecallQuery{Text: query, K: int(k), Mode: mode, Source: source, Vector: []float32{1, 0}, Model: evidence.Model{Name: "m", Revision: "1"}})
		var p *evidence.Problem
		if err != nil && !errors.As(err, &p) {
			t.Fatalf("Recall(%q) = %v, want a problem", query, err)
		}
		if len(r.Hits) > max(int(k), contract.DefaultK) {
			t.Errorf("Recall(%q) = %d hits, want at most %d", query, len(r.Hits), k)
		}
		for _, h := range r.Hits {
			if !strings.Contains(strings.Join(texts, "\n"), h.Passage.Text) || h.Document.Source != source && source != "" {
				t.Errorf("Recall(%q) of %q = %q of %q", query, source, h.Passage.Text, h.Document.Source)
			}
		}
	})
}
