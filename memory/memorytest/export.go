package memorytest

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func export(t *testing.T, m contract.Memory, vectors bool) ([]byte, contract.Moved) {
	t.Helper()
	var b bytes.Buffer
	moved, err := as[contract.Exporter](t, m).Export(t.Context(), &b, contract.ExportOptions{Vectors: vectors})
	if err != nil {
		t.Fatalf("Export = %v", err)
	}
	return b.Bytes(), moved
}

// What full puts.
const (
	fullDocuments = 7
	fullChunks    = 8
)

// full returns a memory with some of everything, and its session.
func (s suite) full(t *testing.T) (m contract.Memory, thread string) {
	t.Helper()
	m = s.start(t)
	seed(t, m)
	put(t, m, Doc("two", "A first part on <nothing> & \"quotes\".\n\nThe second part is on quantum tunnelling in diodes."))
	doc := Doc("linked", "A linked text on 日本 obelisks.")
	doc.Meta = map[string]string{evidence.MetaSession: "s_elsewhere", evidence.MetaPinned: "true"}
	put(t, m, doc)
	plain := Doc("plain", "Kept without vectors: pangolins.")
	if _, err := m.Put(t.Context(), plain, evidence.Chunks{}); err != nil {
		t.Fatal(err)
	}
	thread = session(t, m, "").ID
	run := evidence.Answer{RunID: "r_moved", Answer: "They do. [1]", Citations: []evidence.Citation{{N: 1, Quote: "quantum", DocumentID: "two"}}}
	appendTurns(t, m, thread, user("Do they?"), evidence.Turn{Role: evidence.RoleAssistant, Text: "They do. [1]", Run: &run}, user("And now?"))
	if ok, err := m.Fold(t.Context(), thread, 0, 1, "They asked."); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return m, thread
}

func (s suite) exportImport(t *testing.T) {
	m, thread := s.full(t)
	b, wrote := export(t, m, true)
	if want := (contract.Moved{Documents: fullDocuments, Chunks: fullChunks, Sessions: 1, Turns: 3, Vectors: 6, Warnings: []string{}}); !cmp.Equal(want, wrote) {
		t.Errorf("Export = %+v, want %+v", wrote, want)
	}
	other := s.start(t)
	read, err := as[contract.Exporter](t, other).Import(t.Context(), bytes.NewReader(b), contract.ImportOptions{})
	if err != nil {
		t.Fatalf("Import = %v", err)
	}
	if diff := cmp.Diff(wrote, read); diff != "" {
		t.Errorf("Import (-exported +imported):\n%s", diff)
	}
	wantSame(t, m, other, thread)
	again, _ := export(t, other, true)
	if diff := cmp.Diff(withoutHead(b), withoutHead(again)); diff != "" {
		t.Errorf("an export of the import (-before +after):\n%s", diff)
	}
	if read, err := as[contract.Exporter](t, other).Import(t.Context(), bytes.NewReader(b), contract.ImportOptions{}); err != nil || read.Documents != 0 || read.Sessions != 0 || read.Skipped != 8 {
		t.Errorf("second Import = %+v, %v, want all skipped", read, err)
	}
	wantSound(t, other)
	if r := forget(t, other, contract.Selector{IDs: []string{"two"}}); r.Documents != 1 {
		t.Errorf("Forget = %+v", r)
	}
	if _, ok, err := other.Run(t.Context(), "r_moved"); ok || err != nil {
		t.Errorf("an imported answer was not removed with the document that it cites: %v", err)
	}
}

// wantSame checks that other, a copy of the memory of full, finds the same, and has
// its session.
func wantSame(t *testing.T, m, other contract.Memory, thread string) {
	t.Helper()
	for _, mode := range []string{evidence.ModeHybrid, evidence.ModeBM25, evidence.ModeVector} {
		for _, text := range []string{"quantum tunnelling", "attention tokens", "obelisks pangolins", "日本"} {
			q := Query(text, 10)
			q.Mode = mode
			if diff := cmp.Diff(recall(t, m, q), recall(t, other, q)); diff != "" {
				t.Errorf("mode %s, %s (-before +after):\n%s", mode, text, diff)
			}
		}
	}
	if got := ids(recall(t, other, evidence.RecallQuery{Text: "obelisks", Session: "s_elsewhere"})); len(got) != 1 {
		t.Errorf("the link to a session was lost: %q", got)
	}
	if diff := cmp.Diff(session(t, m, thread), session(t, other, thread)); diff != "" {
		t.Errorf("session (-before +after):\n%s", diff)
	}
}

// withoutHead drops the first line, which contains the time.
func withoutHead(b []byte) []string { return strings.Split(string(b), "\n")[1:] }

func (s suite) exportWithoutVectors(t *testing.T) {
	m, _ := s.full(t)
	b, wrote := export(t, m, false)
	if wrote.Vectors != 0 || wrote.Documents != fullDocuments {
		t.Errorf("Export = %+v", wrote)
	}
	other := s.start(t)
	if _, err := as[contract.Exporter](t, other).Import(t.Context(), bytes.NewReader(b), contract.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	q := evidence.RecallQuery{Text: "quantum tunnelling", Mode: evidence.ModeBM25}
	if diff := cmp.Diff(recall(t, m, q), recall(t, other, q)); diff != "" {
		t.Errorf("by words (-before +after):\n%s", diff)
	}
}

func (s suite) importBadInput(t *testing.T) {
	m, _ := s.full(t)
	b, _ := export(t, m, false)
	lines := strings.SplitAfter(string(b), "\n")
	for _, c := range []struct {
		name  string
		in    string
		words []string
		kept  int
	}{
		{"not an export", "hello\n", []string{"line 1"}, 0},
		{"other JSON", `{"a":1}` + "\n", []string{"line 1"}, 0},
		{"newer format", `{"memory":{"format":99}}` + "\n", []string{"line 1", "99"}, 0},
		{"an incomplete line", strings.Join(lines[:4], "") + lines[4][:30], []string{"line 5"}, 3},
		{"a changed text", strings.Join(lines[:2], "") + strings.Replace(lines[2], "Goroutines", "Gopherines", 1), []string{"line 3", "hash"}, 1},
		{"a chunk beyond the end", lines[0] + strings.Replace(lines[1], `"chunks":[[0,`, `"chunks":[[900,`, 1), []string{"line 2", "chunk 0"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			other := s.start(t)
			moved, err := as[contract.Exporter](t, other).Import(t.Context(), strings.NewReader(c.in), contract.ImportOptions{Strict: true})
			wantProblem(t, err, c.words...)
			if st, err := other.Stats(t.Context()); err != nil || st.Documents != c.kept || moved.Documents != c.kept {
				t.Errorf("%d documents are stored, %d are reported, %v, want %d", st.Documents, moved.Documents, err, c.kept)
			}
		})
	}
	other := s.start(t)
	for _, c := range []struct {
		name, in, words string
		found           int // records
	}{
		{"nothing", "", "empty", 0},
		{"a beginning", strings.Join(lines[:4], ""), "no end", 3},
		{"a line less", strings.Join(slices.Delete(slices.Clone(lines), 2, 3), ""), "1 document and 0 sessions are missing", 7},
		{"a beginning before a whole one", strings.Join(lines[:4], "") + string(b), "before the last one has no end", 11},
		{"a line less before a whole one", strings.Join(slices.Delete(slices.Clone(lines), 2, 3), "") + string(b), "1 document and 0 sessions are missing", 15},
	} {
		moved, err := as[contract.Exporter](t, other).Import(t.Context(), strings.NewReader(c.in), contract.ImportOptions{})
		if wantProblem(t, err, c.words); !errors.Is(err, contract.ErrCutShort) || moved.Documents+moved.Sessions+moved.Skipped != c.found {
			t.Errorf("Import of %s = %+v, %v, want ErrCutShort and %d records", c.name, moved, err, c.found)
		}
	}
	last := lines[0] + `{"session":{"id":"s_9","title":"","created_at":"2026-11-28T09:00:00Z","updated_at":"2026-11-28T09:00:00Z","turns":[{"seq":9223372036854775807,"role":"user","text":"q","at":"2026-11-28T09:00:00Z"}]}}` + "\n"
	_, err := as[contract.Exporter](t, other).Import(t.Context(), strings.NewReader(last), contract.ImportOptions{Strict: true})
	wantProblem(t, err, "line 2", "9223372036854775807")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := as[contract.Exporter](t, other).Import(ctx, bytes.NewReader(b), contract.ImportOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Import with a cancelled context = %v", err)
	}
	if _, err := as[contract.Exporter](t, m).Export(ctx, &bytes.Buffer{}, contract.ExportOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Export with a cancelled context = %v", err)
	}
	wantSound(t, other)
}

// An export written before long titles were cut contains the same document.
func (s suite) exportLongTitle(t *testing.T) {
	m, doc := s.start(t), longTitled()
	put(t, m, doc)
	got, _, err := m.Document(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := as[contract.Exporter](t, m).Export(t.Context(), &b, contract.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	whole := strings.Replace(b.String(), `"title":"`+got.Title, `"title":"`+doc.Title, 1)
	whole = strings.Replace(whole, evidence.ContentHash(got.Title, got.Text), evidence.ContentHash(doc.Title, doc.Text), 1)
	for _, export := range []string{b.String(), whole} {
		other := s.start(t)
		if moved, err := as[contract.Exporter](t, other).Import(t.Context(), strings.NewReader(export), contract.ImportOptions{}); err != nil || moved.Documents != 1 {
			t.Errorf("Import = %+v, %v", moved, err)
		}
		if back, ok, err := other.Document(t.Context(), "one"); err != nil || !ok || back.Title != got.Title {
			t.Errorf("Document after the import: a title of %d bytes, %v, %v", len(back.Title), ok, err)
		}
	}
}
