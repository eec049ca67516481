package local

import (
	"errors"
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/memory/cells"
)

// TestShrunkSpacesAreExact: a few vectors that are left of many are all read.
func TestShrunkSpacesAreExact(t *testing.T) {
	t.Parallel()
	s := testSpace(t, cellDims)
	w := newThemed(4)
	book, err := cells.Learn(t.Context(), sampleOf(w, 4000), cellDims, 60, func() {})
	if err != nil || book == nil {
		t.Fatal(book, err)
	}
	book.Probes, book.Learned = 1, 30_000
	if err := s.use(book, 3); err != nil {
		t.Fatal(err)
	}
	for doc := range int64(200) {
		if err := s.add(t.Context(), doc, slab{first: doc * 10, v: w.vector()}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := agreement(t, s, 8, nil); got != 1 {
		t.Errorf("recall %v of 200 vectors that are left, want 1", got)
	}
}

// TestManyOfOneCell: of many results that are asked for, many may be of one cell.
func TestManyOfOneCell(t *testing.T) {
	t.Parallel()
	s := testSpace(t, cellDims)
	w := newThemed(6)
	book, err := cells.Learn(t.Context(), sampleOf(w, 4000), cellDims, 60, func() {})
	if err != nil || book == nil {
		t.Fatal(book, err)
	}
	book.Probes, book.Learned = book.Cells(), divideFrom
	if err := errors.Join(s.use(book, 3), s.add(t.Context(), 1, slab{first: 1, v: repeated(divideFrom)}, nil)); err != nil {
		t.Fatal(err)
	}
	q := w.vector()
	exact := topNear{k: 100}
	exact.compare(1, s.snapshot()[1], q, nil)
	got, err := s.query(t.Context(), q, 400) // as a recall of 100 does
	if err != nil || !slices.Equal(chunksOf(got[:100]), chunksOf(exact.nearest())) {
		t.Errorf("the first 100 of %d are not the nearest, %v", len(got), err)
	}
}

// TestEqualVectorsAreLearnedOnce: what cannot be divided is not tried again with each Put.
func TestEqualVectorsAreLearnedOnce(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	d, c := newThemed(1).doc(1, 10)
	if _, err := l.Put(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
	s := cellSpace(t, l)
	one := newThemed(2).vector()
	v := make([]float32, 0, divideFrom*cellDims)
	for range divideFrom {
		v = append(v, one...)
	}
	if err := s.add(t.Context(), 2, slab{first: 1_000_000, v: v}, nil); err != nil {
		t.Fatal(err)
	}
	if s.tidyWork() != learnCells {
		t.Fatal("there is nothing to learn")
	}
	if err := l.learn(t.Context(), l.index.request(mustModel(t, l)), true); err != nil {
		t.Fatal(err)
	}
	if got := s.tidyWork(); got != nothingToDo {
		t.Errorf("after learning nothing: %v is to be done", got)
	}
	if err := s.add(t.Context(), 3, slab{first: 2_000_000, v: v}, nil); err != nil || s.tidyWork() != nothingToDo {
		t.Errorf("twice as many: %v, %v is to be done", err, s.tidyWork())
	}
	if err := errors.Join(s.add(t.Context(), 4, slab{first: 3_000_000, v: v}, nil), s.add(t.Context(), 5, slab{first: 4_000_000, v: v}, nil)); err != nil || s.tidyWork() != learnCells {
		t.Errorf("four times as many: %v, %v is to be done", err, s.tidyWork())
	}
}

// TestReplacedSpacesAreNotDivided: nobody asks them any more.
func TestReplacedSpacesAreNotDivided(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	d, c := newThemed(1).doc(1, 10)
	if _, err := l.Put(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
	old := cellSpace(t, l)
	h := l.index.request(mustModel(t, l))
	fresh, err := newSpace(old.model)
	if err != nil {
		t.Fatal(err)
	}
	l.index.replace(h, fresh, h.seq)
	if err := old.add(t.Context(), 2, slab{first: 1_000_000, v: repeated(divideFrom)}, nil); err != nil {
		t.Fatal(err)
	}
	if err := l.learn(t.Context(), h, true); err != nil || old.bookVersion() != 0 || old.barren != 0 {
		t.Errorf("learn = %v, version %d", err, old.bookVersion())
	}
}

func repeated(n int) (v []float32) {
	w := newThemed(5)
	for range n {
		v = append(v, w.vector()...)
	}
	return v
}
