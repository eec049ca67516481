package local

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// ownCells is a memory of openFew with enough vectors for cells, and a document of it that has
// cells of its own.
func ownCells(t *testing.T, dir string) (*Local, evidence.Document, evidence.Chunks) {
	t.Helper()
	l := openFew(t, contract.Config{Dir: dir})
	w := newThemed(1)
	for i := 1; i <= 23; i++ {
		d, c := w.doc(i, 100)
		mustPut(t, l, d, c)
	}
	d, c := apart(99, 60)
	mustPut(t, l, d, c)
	return l, d, c
}

// openFew opens a memory in which few vectors are enough for cells, which are learned by the
// test alone.
func openFew(t *testing.T, cfg contract.Config) *Local {
	t.Helper()
	l, err := openSized(t.Context(), cfg, sizes{divideFrom: 2000, manyVectors: usual.manyVectors})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	l.stopCells()
	return l
}

func mustPut(t *testing.T, l *Local, d evidence.Document, c evidence.Chunks) {
	t.Helper()
	if _, err := l.Put(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
}

// another returns a new text for a document, with as many vectors, far from those it has.
func another(d evidence.Document, c evidence.Chunks) (evidence.Document, evidence.Chunks) {
	_, vectors := apart(98, len(c.Items))
	d.Text = strings.ReplaceAll(d.Text, "word", "wird")
	return d, vectors
}

// readySlot returns the loaded space of a memory, with all that was put.
func readySlot(t *testing.T, l *Local) *spaceSlot {
	t.Helper()
	cellSpace(t, l)
	return l.index.request(mustModel(t, l))
}

func mustFind(t *testing.T, l *Local, uid string) int64 {
	t.Helper()
	id, err := findDocIn(t, l, uid)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// inWrongCells counts the vectors of a document that are in another cell than the book says.
func inWrongCells(t *testing.T, l *Local, s *space, uid string) (wrong int) {
	t.Helper()
	sl := s.snapshot()[mustFind(t, l, uid)]
	if len(sl.cells) == 0 {
		t.Fatal("the document has no cells")
	}
	for i, c := range sl.cells {
		if want, _ := s.book.Cell(sl.v[i*cellDims : (i+1)*cellDims]); want != c {
			wrong++
		}
	}
	return wrong
}

// TestReplacedWhileLearning: a text that is replaced while the cells are learned has the cells
// of its new vectors, in the file too, though it has as many as before.
func TestReplacedWhileLearning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, d, c := ownCells(t, dir)
	h := readySlot(t, l)
	n, err := l.learnFrom(t.Context(), h.space, h.space.snapshot())
	if err != nil || n.book == nil {
		t.Fatal(n.book, err)
	}
	n.version = 7
	d, fresh := another(d, c)
	mustPut(t, l, d, fresh)
	cellSpace(t, l)
	if err := l.take(t.Context(), h, n, true); err != nil {
		t.Fatal(err)
	}
	if wrong := inWrongCells(t, l, h.space, d.ID); wrong > 0 {
		t.Errorf("%d vectors of the new text are in cells of the old one", wrong)
	}
	known, err := l.storedCells(t.Context(), h.row, n.version)
	if err != nil {
		t.Fatal(err)
	}
	for id, sl := range h.space.snapshot() {
		if !slices.Equal(known[id], sl.cells) {
			t.Errorf("document %d has the cells %v in the file, want %v", id, known[id], sl.cells)
		}
	}
}

// TestReplacedTextLeavesNoCentre: nor is a centre of the old text stored, and the cells are
// learned anew.
func TestReplacedTextLeavesNoCentre(t *testing.T) {
	t.Parallel()
	l, d, c := ownCells(t, t.TempDir())
	h := readySlot(t, l)
	seq, err := lastChange(t.Context(), l.rdb)
	if err != nil {
		t.Fatal(err)
	}
	n, err := l.learnFrom(t.Context(), h.space, h.space.snapshot())
	if err != nil || n.book == nil {
		t.Fatal(n.book, err)
	}
	old := h.space.snapshot()[mustFind(t, l, d.ID)].v[:cellDims]
	if _, cos := n.book.Cell(old); cos < 0.95 {
		t.Fatalf("cosine %v: the document has no cell of its own", cos)
	}
	n.version, n.seq = 7, seq
	d, c = another(d, c)
	mustPut(t, l, d, c)
	cellSpace(t, l)
	if err := l.take(t.Context(), h, n, true); err != nil {
		t.Fatal(err)
	}
	if cos := nearestCentre(t, l, old); cos != -2 {
		t.Errorf("a stored centre has the cosine %v with the text that was replaced", cos)
	}
	if got := h.space.tidyWork(); got != learnCells {
		t.Errorf("tidyWork() = %v, want %v", got, learnCells)
	}
}

// TestReplacedBeforeCellsAreRead: the cells that another process has stored are not given to the
// vectors of a text that it has replaced.
func TestReplacedBeforeCellsAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, d, c := ownCells(t, dir)
	other := openFew(t, contract.Config{Dir: dir})
	behind := readySlot(t, other)
	d, fresh := another(d, c)
	mustPut(t, l, d, fresh)
	if err := l.learn(t.Context(), readySlot(t, l), true); err != nil {
		t.Fatal(err)
	}
	if err := other.tidySpace(t.Context(), behind); err != nil {
		t.Fatal(err)
	}
	if behind.space.bookVersion() == 0 {
		t.Fatal("the cells of the other process were not taken over")
	}
	if wrong := inWrongCells(t, other, behind.space, d.ID); wrong > 0 {
		t.Errorf("%d vectors of the new text are in other cells", wrong)
	}
}

// TestCellsOfVectorsWithoutChecksum: the cells of vectors that an older program has stored are
// in the file, so that forgetting one leaves no centre that tells of it.
func TestCellsOfVectorsWithoutChecksum(t *testing.T) {
	t.Parallel()
	for _, of := range []string{"this program", "an older one"} {
		dir := t.TempDir()
		l, d, c := ownCells(t, dir)
		execOn(t, l.path, "UPDATE vec SET sum=NULL")
		if err := l.learn(t.Context(), readySlot(t, l), true); err != nil {
			t.Fatal(err)
		}
		h := readySlot(t, l)
		if known, err := l.storedCells(t.Context(), h.row, h.space.bookVersion()); err != nil || len(known) != 24 {
			t.Errorf("%d of 24 documents have stored cells, %v", len(known), err)
		}
		s, _, err := l.index.load(t.Context(), h.row)
		if err != nil || len(s.unstored) != 0 {
			t.Errorf("loaded again, %d documents have no stored cells, %v", len(s.unstored), err)
		}
		if cos := nearestCentre(t, l, c.Items[0].Vector); cos < 0.95 {
			t.Fatalf("cosine %v: the document has no cell of its own", cos)
		}
		if of == "an older one" { // which stored the cells of vectors with a checksum alone
			execOn(t, l.path, "DELETE FROM cell")
		}
		if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{d.ID}, Confirm: true}); err != nil {
			t.Fatal(err)
		}
		if cos := nearestCentre(t, l, c.Items[0].Vector); cos != -2 {
			t.Errorf("cells of %s: after forgetting, a stored centre has the cosine %v with the passage", of, cos)
		}
	}
}

// TestCellsThatCannotBeStored: they are not learned again with each change of the memory.
func TestCellsThatCannotBeStored(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _, _ := ownCells(t, dir)
	execOn(t, l.path, "CREATE TRIGGER full BEFORE INSERT ON cell BEGIN SELECT RAISE(ABORT, 'no room'); END")
	var later atomic.Int64
	l = openFew(t, contract.Config{Dir: dir, Now: func() time.Time { return time.Unix(later.Load(), 0) }})
	s := cellSpace(t, l)
	if again, err := l.tidyCells(t.Context()); err == nil || !again || !s.divided() {
		t.Fatalf("cells that cannot be stored: again %v, %v", again, err)
	}
	first := s.bookVersion()
	execOn(t, l.path, "DROP TRIGGER full")
	for _, seconds := range []int64{0, 1, 19} {
		later.Store(seconds)
		if again, err := l.tidyCells(t.Context()); err != nil || !again || s.bookVersion() != first {
			t.Errorf("after %d s: again %v, %v; the cells were learned again: %v", seconds, again, err, s.bookVersion() != first)
		}
	}
	later.Store(20)
	if again, err := l.tidyCells(t.Context()); err != nil || again {
		t.Errorf("after 20 s: again %v, %v", again, err)
	}
	if version, ok := s.filedAs(); !ok || version == first {
		t.Errorf("after 20 s the cells are in the file: %v", ok)
	}
}
