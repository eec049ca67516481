package local

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func textDoc(i int, s string) evidence.Document {
	url := fmt.Sprintf("https://x.test/%d", i)
	return evidence.Document{ID: evidence.DocumentID("s", url, s), Source: "s", URL: url, Title: "T", Text: s}
}

func vectored(d evidence.Document, model string) evidence.Chunks {
	return evidence.Chunks{Model: evidence.Model{Name: model, Revision: "1", Dims: 2, Kind: evidence.KindLexical},
		Items: []evidence.Chunk{{End: len(d.Text), Text: d.Text, Vector: []float32{1, 0}}}}
}

func openIn(t *testing.T, dir string) *Local {
	t.Helper()
	l, err := Open(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// A word that was searched for in vain is found as soon as a document contains
// it.
func TestNewWordIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	for i := range 300 {
		if _, err := l.Put(t.Context(), textDoc(i, fmt.Sprintf("common filler text number %d about weather", i)), evidence.Chunks{}); err != nil {
			t.Fatal(err)
		}
	}
	for want, q := 0, (evidence.RecallQuery{Text: "zebrafish", K: 5}); want < 2; want++ {
		r, err := l.Recall(t.Context(), q)
		if err != nil || len(r.Hits) != want {
			t.Errorf("%d hits, %v, want %d", len(r.Hits), err, want)
		}
		if _, err := l.Put(t.Context(), textDoc(1000, "The zebrafish is a small fish."), evidence.Chunks{}); err != nil {
			t.Fatal(err)
		}
	}
}

// Opening a memory writes nothing, so the write lock of another process does
// not delay it.
func TestOpenDoesNotWaitForAWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	db, err := sql.Open("sqlite", dsn(l.path, map[string][]string{"_txlock": {"immediate"}}))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	second := openIn(t, dir) // would wait a minute and fail
	if _, err := second.Recall(t.Context(), evidence.RecallQuery{Text: "anything"}); err != nil {
		t.Error(err)
	}
}

// More vector spaces than are kept in RAM, requested at once.
func TestManySpacesAtOnce(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	for m := range 4 {
		for i := range 5 {
			d := textDoc(i, fmt.Sprintf("text %d", i))
			if _, err := l.Put(t.Context(), d, vectored(d, fmt.Sprint("m", m))); err != nil {
				t.Fatal(err)
			}
		}
	}
	var group sync.WaitGroup
	for m := range 4 {
		for range 2 {
			group.Go(func() {
				for range 40 {
					q := evidence.RecallQuery{Text: "text", Vector: []float32{1, 0}, Mode: evidence.ModeVector, K: 3,
						Model: evidence.Model{Name: fmt.Sprint("m", m), Revision: "1", Dims: 2}}
					if r, err := l.Recall(t.Context(), q); err != nil || len(r.Hits) != 3 {
						t.Errorf("%d hits, %v, want 3", len(r.Hits), err)
						return
					}
				}
			})
		}
	}
	group.Wait()
}

// An unreadable row costs the vectors of its document, not every recall.
func TestUnreadableVectorAffectsItsDocumentOnly(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	put := func(i int) {
		d := textDoc(i, fmt.Sprintf("text %d", i))
		if _, err := l.Put(t.Context(), d, vectored(d, "m")); err != nil {
			t.Fatal(err)
		}
	}
	q := evidence.RecallQuery{Text: "text", Vector: []float32{1, 0}, Model: evidence.Model{Name: "m", Revision: "1", Dims: 2}, K: 3}
	put(1)
	if _, err := l.Recall(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	put(2)
	spoil := func(tx *sql.Tx) error {
		_, err := tx.ExecContext(context.Background(), "UPDATE vec SET v=zeroblob(3) WHERE doc=2; INSERT INTO change(doc) VALUES(2)")
		return err
	}
	if err := l.write(t.Context(), "spoiling a row", spoil); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Recall(t.Context(), q); err != nil || len(r.Hits) != 2 {
		t.Errorf("%d hits, %v, want both by their words", len(r.Hits), err)
	}
}

// Importing a stored document adds the reasons to keep it: forgetting a session
// must not remove what was put outside of it.
func TestImportKeepsOwners(t *testing.T) {
	t.Parallel()
	mine := openIn(t, t.TempDir())
	d := textDoc(1, "The crane is a tall bird.")
	d.Meta = map[string]string{evidence.MetaPinned: "true"}
	if _, err := mine.Put(t.Context(), d, evidence.Chunks{}); err != nil {
		t.Fatal(err)
	}
	var export bytes.Buffer
	if _, err := mine.Export(t.Context(), &export, contract.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	other := openIn(t, t.TempDir())
	s, err := other.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	d.Meta = map[string]string{evidence.MetaSession: s.ID}
	if _, err := other.Put(t.Context(), d, evidence.Chunks{}); err != nil {
		t.Fatal(err)
	}
	if m, err := other.Import(t.Context(), &export, contract.ImportOptions{}); err != nil || m.Skipped == 0 {
		t.Fatalf("Import = %+v, %v", m, err)
	}
	if _, err := other.Forget(t.Context(), contract.Selector{Session: s.ID}); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := other.Document(t.Context(), d.ID); err != nil || !ok {
		t.Errorf("what the person remembered went with the session: %v, %v", ok, err)
	}
}

// Offsets of a damaged file are an error, not a panic.
func TestDamagedOffsetsAreRefused(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	d := textDoc(1, "whales swim in the sea")
	if _, err := l.Put(t.Context(), d, vectored(d, "m")); err != nil {
		t.Fatal(err)
	}
	q := evidence.RecallQuery{Text: "whales", Vector: []float32{1, 0}, Model: vectored(d, "m").Model}
	for _, set := range []string{"start=-1", "start=9, stop=3", "start=0, stop=99"} {
		for _, mode := range []string{evidence.ModeBM25, evidence.ModeHybrid} {
			if _, err := l.wdb.ExecContext(t.Context(), "UPDATE chunk SET "+set); err != nil {
				t.Fatal(err)
			}
			q.Mode = mode
			if r, err := l.Recall(t.Context(), q); err == nil {
				t.Errorf("%s, %s: Recall = %+v, want an error", set, mode, r)
			}
		}
	}
}
