package local

import (
	"database/sql"
	"fmt"
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
	d, c := apart(99, 300)
	if _, err := l.Put(t.Context(), d, c); err != nil { // first: the cells are learned while the last are put
		t.Fatal(err)
	}
	w := newThemed(1)
	for i := 1; i <= 23; i++ {
		d, c := w.doc(i, 1000)
		if _, err := l.Put(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
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
	for i := 1; i <= 4; i++ {
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
	docs := cellSpace(t, l).snapshot()
	seq, err := lastChange(t.Context(), l.rdb)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{textDoc(2, "").ID}, Confirm: true}); err != nil {
		t.Fatal(err)
	}
	d, c := another(w.doc(4, 10)) // and one is replaced
	mustPut(t, l, d, c)
	if replaced, err := findDocIn(t, l, d.ID); err != nil || replaced != ids[3] {
		t.Fatal(replaced, err)
	}
	many := make([]uint16, cells.Fewest)
	for name, c := range map[string]struct {
		assigned map[int64][]uint16
		want     bool
	}{
		"replaced":                {map[int64][]uint16{ids[0]: {0, 0}, ids[3]: {1, 1}}, false},
		"replaced among many":     {map[int64][]uint16{ids[0]: many, ids[3]: {0, 0}}, true},
		"a cell of its own":       {map[int64][]uint16{ids[0]: {0, 0}, ids[1]: {1, 1}}, false},
		"among many":              {map[int64][]uint16{ids[0]: many, ids[1]: {0, cells.None}}, true},
		"small cells of others":   {map[int64][]uint16{ids[0]: {1, 2}, ids[2]: {3}}, true},
		"among too few of others": {map[int64][]uint16{ids[0]: many[1:], ids[1]: {0}}, false},
	} {
		for _, since := range []int64{seq, -1} { // a log that does not reach back so far
			execOn(t, l.path, fmt.Sprintf("INSERT INTO cell SELECT model, doc, 5, sum, x'' FROM vec WHERE doc IN (%d, %d, %d)", ids[0], ids[2], ids[3]))
			book, err := cells.Learn(t.Context(), sampleOf(w, 200), cellDims, 4, func() {})
			if err != nil || book == nil {
				t.Fatal(book, err)
			}
			book.Probes = 1
			kept, err := l.fileBook(t.Context(), mustModel(t, l).id, learned{book: book, version: 5, seq: since, docs: docs, assigned: c.assigned})
			if err != nil || kept != c.want {
				t.Errorf("%s, since %d: kept %v, %v; want %v", name, since, kept, err, c.want)
			}
			if ok, err := hasBook(t.Context(), l.rdb, mustModel(t, l).id, 5); err != nil || ok != c.want {
				t.Errorf("%s, since %d: in the file %v, %v; want %v", name, since, ok, err, c.want)
			}
			execOn(t, l.path, "DELETE FROM codebook; DELETE FROM cell")
		}
	}
}

// TestBookToReadAll: vectors that no cells divide leave none of their centres in the file, and
// are not learned again at the next start.
func TestBookToReadAll(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	w := newThemed(1)
	d, c := w.doc(1, 10)
	if _, err := l.Put(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
	book, err := cells.Learn(t.Context(), sampleOf(w, 200), cellDims, 4, func() {})
	if err != nil || book == nil {
		t.Fatal(book, err)
	}
	book.Learned = 200
	row := mustModel(t, l)
	if kept, err := l.fileBook(t.Context(), row.id, learned{book: book, version: 5, assigned: map[int64][]uint16{1: {0}}}); err != nil || !kept {
		t.Fatal(kept, err)
	}
	var size int
	if err := l.rdb.QueryRow("SELECT length(centres) FROM codebook").Scan(&size); err != nil || size != 0 {
		t.Errorf("%d bytes of centres, %v", size, err)
	}
	got, version, err := readBook(t.Context(), l.rdb, row)
	if err != nil || got == nil || got.Probes != 0 || got.Learned != 200 || got.Cells() != 0 || version != 5 {
		t.Errorf("readBook = %+v, %d, %v", got, version, err)
	}
	s := testSpace(t, cellDims)
	if err := s.use(got, version); err != nil || s.divided() || len(s.cells) != 1 {
		t.Errorf("%d collections, %v", len(s.cells), err)
	}
	// Those of an older program are not read, and go with the next document that is forgotten.
	execOn(t, l.path, "UPDATE codebook SET centres=x'01020304'")
	if got, _, err := readBook(t.Context(), l.rdb, row); err != nil || got != nil {
		t.Errorf("readBook = %+v, %v", got, err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{d.ID}, Confirm: true}); err != nil {
		t.Fatal(err)
	}
	if ok, err := hasBook(t.Context(), l.rdb, row.id, 5); err != nil || ok {
		t.Errorf("the centres are still in the file: %v, %v", ok, err)
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
	execOn(t, l.path, "INSERT INTO codebook VALUES(1, 1, 10, 1, 0.5, 1, x'01')") // with a centre that is of this version alone
	d.Text = "another text"
	if _, err := l.Put(t.Context(), d, evidence.Chunks{Items: []evidence.Chunk{{End: len(d.Text)}}}); err != nil {
		t.Fatal(err)
	}
	var n, books int
	if err := l.rdb.QueryRow("SELECT (SELECT count(*) FROM cell), (SELECT count(*) FROM codebook)").Scan(&n, &books); err != nil || n != 0 || books != 0 {
		t.Errorf("%d rows of cells, %d books, %v", n, books, err)
	}
}
