package local

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/cells"
	"github.com/research-mcp/research-mcp/memory/contract"
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
	book.Probes, book.Learned = book.Cells(), usual.divideFrom
	if err := errors.Join(s.use(book, 3), s.add(t.Context(), 1, slab{first: 1, v: repeated(usual.divideFrom)}, nil)); err != nil {
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

// TestManyResultsOfCells: who asks for more than the nearest cells have gets what the further
// ones have, as a filter that all pass gives.
func TestManyResultsOfCells(t *testing.T) {
	t.Parallel()
	l, _, _ := ownCells(t, t.TempDir())
	if err := l.learn(t.Context(), readySlot(t, l), true); err != nil {
		t.Fatal(err)
	}
	s := cellSpace(t, l)
	n, _ := s.size()
	w := newThemed(7)
	for _, k := range []int{10, 100, 1000, n, n + 1} {
		if got, err := s.query(t.Context(), w.vector(), k); err != nil || len(got) != min(k, n) {
			t.Errorf("query for %d of %d vectors, %d of %d cells: %d found, %v", k, n, s.book.Probes, s.book.Cells(), len(got), err)
		}
	}
	q := evidence.RecallQuery{Text: "x", Vector: w.vector(), Model: cellModel, Mode: evidence.ModeVector, K: contract.MaxK}
	if r, err := l.Recall(t.Context(), q); err != nil || len(r.Hits) != contract.MaxK {
		t.Errorf("Recall of %d: %d hits, %v", q.K, len(r.Hits), err)
	}
	few := s.nearestCells(q.Vector, 40, 40)
	if len(few) != s.book.Probes {
		t.Errorf("%d cells are read for few results, want %d", len(few), s.book.Probes)
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
	v := make([]float32, 0, usual.divideFrom*cellDims)
	for range usual.divideFrom {
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
	fresh, err := newSpace(old.model, usual)
	if err != nil {
		t.Fatal(err)
	}
	l.index.replace(h, fresh, h.seq)
	if err := old.add(t.Context(), 2, slab{first: 1_000_000, v: repeated(usual.divideFrom)}, nil); err != nil {
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

// TestCellsAmongDocumentsOfAnotherSubject: a filter that passes nothing of what the question
// is about costs no recall.
func TestCellsAmongDocumentsOfAnotherSubject(t *testing.T) {
	t.Parallel()
	s := testSpace(t, cellDims)
	w := newThemed(7)
	var sample [][]float32
	for range 6000 { // of two subjects, half each
		v := w.vector()
		if v[0] < 0 != (len(sample)%2 == 0) {
			for i := range v {
				v[i] = -v[i]
			}
		}
		sample = append(sample, v)
	}
	book, err := cells.Learn(t.Context(), sample, cellDims, 60, func() {})
	if err != nil || book == nil {
		t.Fatal(book, err)
	}
	book.Probes = book.Cells() / 8
	if err := s.use(book, 3); err != nil {
		t.Fatal(err)
	}
	allowed := map[int64]bool{}
	for doc, v := range sample {
		allowed[int64(doc)] = doc%2 == 0
		if err := s.add(t.Context(), int64(doc), slab{first: int64(doc) * 10, v: v}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for doc, in := range allowed {
		if !in {
			delete(allowed, doc)
		}
	}
	found, all := 0, 0
	for _, q := range sample[1:80] {
		if q[0] < 0 {
			continue // of the subject of the allowed documents
		}
		in := s.cellsAmong(q, allowed)
		got, err := s.scanSlabs(t.Context(), q, 10, allowed, in)
		if err != nil {
			t.Fatal(err)
		}
		exact, err := s.scanSlabs(t.Context(), q, 10, allowed, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range exact {
			all++
			if slices.Contains(got, n) {
				found++
			}
		}
		read := 0
		for _, is := range in {
			if is {
				read++
			}
		}
		if read == len(in) {
			t.Fatal("all cells are read")
		}
	}
	if all < 300 || float64(found)/float64(all) < cells.Wanted {
		t.Errorf("found %d of the %d nearest", found, all)
	}
}

// TestDamagedVectorsAreNoNeighbours: they are neither the nearest, nor do they spoil the order.
func TestDamagedVectorsAreNoNeighbours(t *testing.T) {
	t.Parallel()
	q, nan := []float32{1, 0}, float32(math.NaN())
	top := topNear{k: 2}
	top.compare(1, slab{first: 10, v: []float32{0.6, 0.8, nan, 1, 50, 0, 0.8, 0.6, float32(math.Inf(1)), 0, 0, 0}}, q, nil)
	if got := chunksOf(top.nearest()); !slices.Equal(got, []int64{13, 10}) {
		t.Errorf("the nearest are %v", got)
	}
}
