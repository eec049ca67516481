package local

import (
	"database/sql"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/cells"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// apart has n chunks around a direction of its own, far from all that is themed.
func apart(i, n int) (evidence.Document, evidence.Chunks) {
	w, r := newThemed(uint64(i)), rand.New(rand.NewPCG(uint64(i), 77))
	d, c := w.doc(i, n)
	far := make([]float32, cellDims)
	for j := range far {
		far[j] = float32(r.NormFloat64())
	}
	for j := range c.Items {
		c.Items[j].Vector = make([]float32, cellDims)
		for k := range far {
			c.Items[j].Vector[k] = far[k] + 0.05*float32(r.NormFloat64())
		}
	}
	return d, c
}

// nearestCentre is the greatest cosine of a vector and a centre that the file has; -2: none.
func nearestCentre(t *testing.T, l *Local, v []float32) float32 {
	t.Helper()
	book, _, err := readBook(t.Context(), l.rdb, mustModel(t, l))
	if err != nil {
		t.Fatal(err)
	}
	if book == nil {
		return -2
	}
	unitV := make([]float32, len(v))
	if err := intake.Unit(unitV, v); err != nil {
		t.Fatal(err)
	}
	_, cos := book.Cell(unitV)
	return cos
}

// TestForgottenVectorsLeaveNoCell: the file keeps no centre of what was forgotten, and the
// cells are learned anew, here and in another process.
func TestForgottenVectorsLeaveNoCell(t *testing.T) {
	t.Parallel()
	onceUnderRace(t)
	dir := t.TempDir()
	l := openIn(t, dir)
	w := newThemed(1)
	for i := 1; i <= 23; i++ {
		d, c := w.doc(i, 1000)
		if _, err := l.Put(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
	}
	d, c := apart(99, 300)
	if _, err := l.Put(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
	waitForCells(t, l)
	other := openIn(t, dir)
	cellSpace(t, other)
	if cos := nearestCentre(t, l, c.Items[0].Vector); cos < 0.95 {
		t.Fatalf("cosine %v: the document has no cell of its own", cos)
	}
	version := cellSpace(t, l).bookVersion()
	// One passage of many in its cell is no reason to learn anything anew.
	small, some := w.doc(98, 1)
	for _, err := range []error{errorOf(l.Put(t.Context(), small, some)), errorOf(l.Forget(t.Context(), contract.Selector{IDs: []string{small.ID}}))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if ok, err := hasBook(t.Context(), l.rdb, mustModel(t, l).id, version); err != nil || !ok {
		t.Errorf("the cells after forgetting one of many: %v, %v", ok, err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{d.ID}, Confirm: true}); err != nil {
		t.Fatal(err)
	}
	if cos := nearestCentre(t, l, c.Items[0].Vector); cos > 0.9 {
		t.Errorf("after forgetting, a centre has the cosine %v with the passage", cos)
	}
	for name, m := range map[string]*Local{"here": l, "another process": other} {
		for cellSpace(t, m).bookVersion() == version {
			m.index.wakeTidy()
			select {
			case <-t.Context().Done():
				t.Fatalf("%s: the cells were not learned anew", name)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	waitForCells(t, l)
	if cos := nearestCentre(t, l, c.Items[0].Vector); cos > 0.9 || cos == -2 {
		t.Errorf("learned anew, a centre has the cosine %v with the passage", cos)
	}
}

// TestBookWithoutCells: a process that ends before the cells are stored leaves no book, whose
// centres could tell of documents that nobody could tell to be in them.
func TestBookWithoutCells(t *testing.T) {
	t.Parallel()
	onceUnderRace(t)
	dir := t.TempDir()
	l := openIn(t, dir)
	execOn(t, l.path, "CREATE TRIGGER ended BEFORE INSERT ON cell BEGIN SELECT RAISE(ABORT, 'the process ended'); END")
	w := newThemed(1)
	for i := 1; i <= 24; i++ {
		d, c := w.doc(i, 1000)
		if _, err := l.Put(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
	}
	lock := flock.New(filepath.Join(dir, cellsLock))
	for learned := false; !learned; { // and what was learned could not be stored
		version := cellSpace(t, l).bookVersion()
		got, err := lock.TryLock()
		if err != nil {
			t.Fatal(err)
		}
		if got {
			learned = version > 0
			if err := lock.Unlock(); err != nil {
				t.Fatal(err)
			}
		}
		if version == 0 {
			l.index.wakeTidy()
		}
		time.Sleep(20 * time.Millisecond)
	}
	if book, _, err := readBook(t.Context(), l.rdb, mustModel(t, l)); err != nil || book != nil {
		t.Fatalf("the file has a book without cells: %v, %v", book != nil, err)
	}
	execOn(t, l.path, "DROP TRIGGER ended")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openIn(t, dir)
	waitForCells(t, l) // learned anew
}

func errorOf(_ evidence.Receipt, err error) error { return err }

// TestCellsOfWhatWasRemovedMeanwhile: a book that was learned while its documents were
// removed is not stored if it tells of them.
func TestCellsOfWhatWasRemovedMeanwhile(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	w := newThemed(1)
	var ids []int64
	for i := 1; i <= 3; i++ {
		d, c := w.doc(i, 10)
		if _, err := l.Put(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
		stored, err := findDocIn(t, l, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, stored)
	}
	seq, err := lastChange(t.Context(), l.rdb)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{textDoc(2, "").ID}, Confirm: true}); err != nil {
		t.Fatal(err)
	}
	many := make([]uint16, cells.Fewest)
	for name, c := range map[string]struct {
		assigned map[int64][]uint16
		want     bool
	}{
		"a cell of its own":       {map[int64][]uint16{ids[0]: {0, 0}, ids[1]: {1, 1}}, false},
		"among many":              {map[int64][]uint16{ids[0]: many, ids[1]: {0, cells.None}}, true},
		"small cells of others":   {map[int64][]uint16{ids[0]: {1, 2}, ids[2]: {3}}, true},
		"among too few of others": {map[int64][]uint16{ids[0]: many[1:], ids[1]: {0}}, false},
	} {
		book, err := cells.Learn(t.Context(), sampleOf(w, 200), cellDims, 4, func() {})
		if err != nil || book == nil {
			t.Fatal(book, err)
		}
		kept, err := l.fileBook(t.Context(), mustModel(t, l).id, 5, book, func(gone []int64) bool { return telling(c.assigned, gone) }, seq)
		if err != nil || kept != c.want {
			t.Errorf("%s: kept %v, %v; want %v", name, kept, err, c.want)
		}
		if ok, err := hasBook(t.Context(), l.rdb, mustModel(t, l).id, 5); err != nil || ok != c.want {
			t.Errorf("%s: in the file %v, %v; want %v", name, ok, err, c.want)
		}
		execOn(t, l.path, "DELETE FROM codebook")
	}
}

func sampleOf(w themed, n int) (out [][]float32) {
	for range n {
		out = append(out, w.vector())
	}
	return out
}

func findDocIn(t *testing.T, l *Local, uid string) (id int64, err error) {
	t.Helper()
	err = l.read(t.Context(), "finding a document", func(tx *sql.Tx) error {
		d, err := findDoc(t.Context(), tx, uid)
		id = d.id
		return err
	})
	return id, err
}

// TestReplacedVectorsLeaveNoCells: a version of a document without vectors has no cells of
// the one before.
func TestReplacedVectorsLeaveNoCells(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	d, c := newThemed(1).doc(1, 10)
	if _, err := l.Put(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
	execOn(t, l.path, "INSERT INTO cell(model, doc, version, sum, cells) SELECT model, doc, 1, sum, x'0100' FROM vec")
	d.Text = "another text"
	if _, err := l.Put(t.Context(), d, evidence.Chunks{Items: []evidence.Chunk{{End: len(d.Text)}}}); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := l.rdb.QueryRow("SELECT count(*) FROM cell").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows of cells, %v", n, err)
	}
}
