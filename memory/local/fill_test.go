package local

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// fillAndHang writes vectors in dir, and hangs after the first batches, while it embeds
// another, to be killed.
func fillAndHang(dir string) error {
	ctx := context.Background()
	l, err := Open(ctx, contract.Config{Dir: dir})
	if err != nil {
		return err
	}
	batches := 0
	_, err = l.FillVectors(ctx, nextModel, func(_ context.Context, texts []string) ([][]float32, error) {
		if batches++; batches == 3 {
			fmt.Println("hanging")
			select {}
		}
		return nextVectors(texts), nil
	}, nil)
	return err
}

// The process that writes vectors is killed in the middle of a document: another one
// takes the queue over at once, and embeds nothing that was stored.
func TestKilledFillContinues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	for i := range 4 {
		d, c := killDoc("fill", i) // of 20 chunks, in batches of 8
		if _, err := l.Put(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "MEMORY_TEST_FILLER="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		t.Fatalf("the process ended by itself: %v", cmd.Wait())
	}
	made := 0
	embed := func(_ context.Context, texts []string) ([][]float32, error) {
		made += len(texts)
		return nextVectors(texts), nil
	}
	if _, err := l.FillVectors(t.Context(), nextModel, embed, nil); !errors.Is(err, contract.ErrFilling) || made != 0 {
		t.Errorf("FillVectors while another process is at it = %v, %d texts embedded", err, made)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed: the error says so
	const left = 4*killChunks - 2*fillBatch
	if q, err := l.MissingVectors(t.Context(), nextModel); err != nil || q.Documents != 4 || q.Chunks != left {
		t.Errorf("the queue after the kill is %+v, %v, want 4 documents and %d chunks", q, err, left)
	}
	if rep, err := l.Check(t.Context()); err != nil || !rep.OK {
		t.Errorf("Check after the kill = %+v, %v", rep, err)
	}
	p, err := l.FillVectors(t.Context(), nextModel, embed, nil)
	if err != nil || p.Done != 4 || made != left {
		t.Errorf("FillVectors afterwards = %+v, %v, %d texts embedded, want %d", p, err, made, left)
	}
	if st, err := l.Stats(t.Context()); err != nil || st.Embedder != "kill@1" || len(st.Models) != 2 || st.Models[1].Documents != 4 {
		t.Errorf("Stats = %+v, %v", st, err)
	}
	if rep, err := l.Check(t.Context()); err != nil || !rep.OK || rep.Vectors != 8*killChunks {
		t.Errorf("Check = %+v, %v", rep, err)
	}
}

// The newest documents come first, those that come meanwhile before all others. A document
// that was done and is changed gets its vectors, and no other one is embedded twice.
func TestFillFollowsWhatComes(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	const docs = 3*fillBatch + 5
	page := func(i int) string { return fmt.Sprintf("Page %d of the ledger.", i) }
	for i := range docs {
		keep(t, l, textDoc(i, page(i)))
	}
	var embedded []string
	embed := func(_ context.Context, texts []string) ([][]float32, error) {
		switch len(embedded) {
		case fillBatch:
			for i := docs; i < docs+fillBatch+2; i++ {
				keep(t, l, textDoc(i, page(i)))
			}
		case 2 * fillBatch:
			keep(t, l, textDoc(docs-1, "Another page of the ledger."))
		}
		embedded = append(embedded, texts...)
		return nextVectors(texts), nil
	}
	p, err := l.FillVectors(t.Context(), nextModel, embed, nil)
	if all := docs + fillBatch + 2; err != nil || p.Done != all || p.Total != all {
		t.Fatalf("FillVectors = %+v, %v, want %d documents", p, err, all)
	}
	var want []string
	add := func(i int) { want = append(want, "T. "+page(i)) }
	for i := range 2 * fillBatch {
		add(docs - 1 - i)
	}
	for i := range fillBatch + 2 {
		add(docs + i)
	}
	for i := docs - 1 - 2*fillBatch; i >= 0; i-- {
		add(i)
	}
	want = append(want, "T. Another page of the ledger.") // its row is one that was looked at
	if !slices.Equal(embedded, want) {
		t.Errorf("embedded\n%q\nwant\n%q", embedded, want)
	}
}

// A document of many chunks is stored in parts also where a batch has a small one beside it:
// an encoder that fails costs one part.
func TestFillStoresLargeInPartsBesideSmall(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	const chunks = 400
	d, c := textDoc(1, ""), evidence.Chunks{}
	for range chunks {
		at := len(d.Text)
		d.Text += "word "
		c.Items = append(c.Items, evidence.Chunk{Start: at, End: len(d.Text)})
	}
	if _, err := l.Put(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
	keep(t, l, textDoc(2, "A short text."))
	embedded, stop := 0, errors.New("the encoder fails")
	_, err := l.FillVectors(t.Context(), nextModel, func(_ context.Context, texts []string) ([][]float32, error) {
		if embedded+len(texts) > chunks-10 {
			return nil, stop
		}
		embedded += len(texts)
		return nextVectors(texts), nil
	}, nil)
	if !errors.Is(err, stop) {
		t.Fatalf("FillVectors = %v, want %v", err, stop)
	}
	q, err := l.MissingVectors(t.Context(), nextModel)
	if stored := chunks + 1 - q.Chunks; err != nil || stored != embedded {
		t.Errorf("%d vectors were embedded and %d are stored, %v", embedded, stored, err)
	}
}

// Vectors and queue of a forgotten document leave nothing behind, also in the file
// beside the memory.
func TestForgetRemovesVectorsThatWereWrittenBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	d := textDoc(1, "A secret called xylograph is kept here.")
	if _, err := l.Put(t.Context(), d, vectored(d, "m")); err != nil {
		t.Fatal(err)
	}
	keep(t, l, textDoc(2, "Another text."))
	embed := func(_ context.Context, texts []string) ([][]float32, error) { return nextVectors(texts), nil }
	if _, err := l.FillVectors(t.Context(), nextModel, embed, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{d.ID}}); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := l.rdb.QueryRowContext(t.Context(), "SELECT count(*) FROM vec").Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d documents have vectors, %v, want 1", rows, err)
	}
	if r, err := l.ProveErased(t.Context(), d.ID); err != nil || !r.Gone {
		t.Errorf("ProveErased = %+v, %v", r, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	locks := 0
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".lock") {
			locks++
			if info, err := e.Info(); err != nil || info.Size() != 0 || info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v and %d bytes, %v", e.Name(), info.Mode(), info.Size(), err)
			}
		}
	}
	if locks != 1 {
		t.Errorf("%d files of locks, want 1", locks)
	}
}

// A partly embedded document is exported without its vectors, so that the memory which
// imports it embeds all of them.
func TestExportOfPartialVectors(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	d, c := killDoc("part", 1)
	if _, err := l.Put(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
	first := evidence.Passage{DocumentID: d.ID, Start: c.Items[0].Start, End: c.Items[0].End, Text: d.Text[c.Items[0].Start:c.Items[0].End]}
	if n, err := l.AddVectors(t.Context(), nextModel, []contract.ChunkVector{{Passage: first, Vector: []float32{0, 1}}}); err != nil || n != 1 {
		t.Fatalf("AddVectors = %d, %v", n, err)
	}
	var b strings.Builder
	if _, err := l.Export(t.Context(), &b, contract.ExportOptions{Vectors: true}); err != nil {
		t.Fatal(err)
	}
	to := openIn(t, t.TempDir())
	if _, err := to.Import(t.Context(), strings.NewReader(b.String()), contract.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if q, err := to.MissingVectors(t.Context(), nextModel); err != nil || q.Chunks != killChunks {
		t.Errorf("the queue is %+v, %v, want %d chunks", q, err, killChunks)
	}
}

// Beside a document that can get no vectors, nothing is looked at again until something changes.
func TestFillLooksAgainAfterAChange(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	for i := range 3 {
		keep(t, l, textDoc(i, fmt.Sprintf("Page %d of the ledger.", i)))
	}
	execOn(t, l.path, "UPDATE chunk SET stop=stop+99999 WHERE doc=2")
	made := 0
	fill := func(want, skipped, embeds int) {
		t.Helper()
		reported := contract.Progress{}
		p, err := l.FillVectors(t.Context(), nextModel, func(_ context.Context, texts []string) ([][]float32, error) {
			made += len(texts)
			return nextVectors(texts), nil
		}, func(p contract.Progress) { reported = p })
		if err != nil || p.Done != want || p.Skipped != skipped || len(p.Unreadable) != skipped || made != embeds {
			t.Errorf("FillVectors = %+v, %v, %d texts embedded, want %d documents, %d skipped and %d texts", p, err, made, want, skipped, embeds)
		}
		if reported.Done != p.Done || reported.Total != p.Total {
			t.Errorf("the last progress was %+v, want %+v", reported, p)
		}
	}
	fill(2, 1, 2)
	execOn(t, l.path, "UPDATE chunk SET stop=stop-99999 WHERE doc=2") // logs no change, unlike all that this program does
	fill(2, 1, 2)
	other := openIn(t, filepath.Dir(l.path))
	keep(t, other, textDoc(3, "A new page of the ledger."))
	fill(4, 0, 4)
	fill(4, 0, 4)
}
