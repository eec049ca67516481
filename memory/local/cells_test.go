package local

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/cells"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const cellDims = 16

var cellModel = evidence.Model{Name: "cells", Revision: "1", Dims: cellDims, Kind: evidence.KindTransformer}

// themed draws unit vectors around 60 directions.
type themed struct{ r *rand.Rand }

func newThemed(seed uint64) themed { return themed{r: rand.New(rand.NewPCG(seed, 2))} }

func (t themed) vector() []float32 {
	of := rand.New(rand.NewPCG(uint64(t.r.IntN(60)), 9))
	v, sum := make([]float32, cellDims), 0.0
	for i := range v {
		x := of.NormFloat64() + 0.5*t.r.NormFloat64()
		v[i], sum = float32(x), sum+x*x
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

// doc has n chunks, of which every tenth has no vector.
func (t themed) doc(i, n int) (evidence.Document, evidence.Chunks) {
	d := textDoc(i, "")
	d.Source = []string{"even", "odd"}[i%2]
	c := evidence.Chunks{Model: cellModel}
	for j := range n {
		at := len(d.Text)
		d.Text += "word "
		item := evidence.Chunk{Start: at, End: len(d.Text)}
		if j%10 != 9 {
			item.Vector = t.vector()
		}
		c.Items = append(c.Items, item)
	}
	return d, c
}

// divided is a memory whose vectors have been divided into cells.
func divided(t *testing.T, dir string) *Local {
	t.Helper()
	l := openIn(t, dir)
	w := newThemed(1)
	for i := 1; i <= 24; i++ {
		d, c := w.doc(i, 1000)
		if _, err := l.Put(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
	}
	waitForCells(t, l)
	return l
}

func cellSpace(t *testing.T, l *Local) *space {
	t.Helper()
	return spaceFor(t, l, cellModel)
}

func spaceFor(t *testing.T, l *Local, model evidence.Model) *space {
	t.Helper()
	row, ok, err := findModel(t.Context(), l.rdb, model)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	h := l.index.request(row)
	select {
	case <-h.loaded:
	case <-t.Context().Done():
	}
	if _, err := l.index.catchUp(t.Context(), 0); err != nil || h.err != nil {
		t.Fatal(err, h.err)
	}
	return l.index.request(row).space
}

// waitForCells waits until the background has nothing more to do, as long as the test may
// take.
func waitForCells(t *testing.T, l *Local) {
	t.Helper()
	for {
		if s := cellSpace(t, l); s.tidyWork() == nothingToDo && s.bookVersion() > 0 {
			var left int // documents whose cells are not stored
			err := l.rdb.QueryRowContext(t.Context(), `SELECT count(*) FROM vec v WHERE NOT EXISTS(
				SELECT 1 FROM cell c JOIN codebook b ON b.model=c.model AND b.version=c.version WHERE c.doc=v.doc AND b.version=?)`, s.bookVersion()).Scan(&left)
			if err != nil {
				t.Fatal(err)
			}
			if left == 0 {
				return
			}
		}
		l.index.wakeTidy()
		select {
		case <-t.Context().Done():
			t.Fatal("the vectors were not divided")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// agreement is the part of the ten nearest that the space finds, over some questions.
func agreement(t *testing.T, s *space, seed uint64, allowed map[int64]bool) float64 {
	t.Helper()
	w := newThemed(seed)
	found, all := 0, 0
	for range 40 {
		q := w.vector()
		exact := topNear{k: 10}
		for doc, sl := range s.snapshot() {
			if allowed == nil || allowed[doc] {
				exact.compare(doc, sl, q, nil)
			}
		}
		var got []near
		var err error
		if allowed == nil {
			got, err = s.query(t.Context(), q, 10)
		} else {
			got, err = s.scan(t.Context(), q, 10, allowed)
		}
		if err != nil {
			t.Fatal(err)
		}
		in := map[int64]bool{}
		for _, n := range got {
			in[n.chunk] = true
		}
		for _, n := range exact.nearest() {
			all++
			if in[n.chunk] {
				found++
			}
		}
	}
	return float64(found) / float64(all)
}

func TestLargeSpacesAreDivided(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := divided(t, dir)
	s := cellSpace(t, l)
	if !s.divided() || len(s.cells) != s.book.Cells() || s.book.Cells() < 50 {
		t.Fatalf("%d collections, book %+v", len(s.cells), s.book)
	}
	if s.book.Probes > s.book.Cells()/4 {
		t.Errorf("%d of %d cells are read", s.book.Probes, s.book.Cells())
	}
	if got := agreement(t, s, 5, nil); got < 0.97 {
		t.Errorf("recall %v", got)
	}
	if got := agreement(t, s, 6, map[int64]bool{3: true, 7: true}); got != 1 {
		t.Errorf("recall among two documents %v", got)
	}
	total := 0
	for _, col := range s.cells {
		total += col.Count()
	}
	if n, docs := s.size(); n != 24*900 || docs != 24 || total != n {
		t.Errorf("%d vectors of %d documents, %d in the collections", n, docs, total)
	}

	// New vectors are found at once, replaced and forgotten ones no more.
	w := newThemed(9)
	d, c := w.doc(100, 1)
	if _, err := l.Put(t.Context(), d, c); err != nil {
		t.Fatal(err)
	}
	s = cellSpace(t, l)
	got, err := s.query(t.Context(), c.Items[0].Vector, 1)
	if err != nil || len(got) != 1 || got[0].cos < 0.999 {
		t.Fatalf("the new vector: %v, %v", got, err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{d.ID}}); err != nil {
		t.Fatal(err)
	}
	s = cellSpace(t, l)
	if again, err := s.query(t.Context(), c.Items[0].Vector, 1); err != nil || len(again) == 1 && again[0].chunk == got[0].chunk {
		t.Errorf("a forgotten vector is found: %v, %v", again, err)
	}
	if r, err := l.Check(t.Context()); err != nil || !r.OK || len(r.Cells) != 1 || r.Cells[0].Recall < cells.Wanted || r.Cells[0].Cells != s.book.Cells() {
		t.Errorf("Check = %+v, %v", r, err)
	}
}

// TestCellsAreStored: the next start, and another process, have the same cells.
func TestCellsAreStored(t *testing.T) {
	t.Parallel()
	onceUnderRace(t)
	dir := t.TempDir()
	l := divided(t, dir)
	version, first := cellSpace(t, l).bookVersion(), cellSpace(t, l).snapshot()
	other := openIn(t, dir)
	s := cellSpace(t, other)
	if s.bookVersion() != version || !s.divided() || len(s.unstored) != 0 {
		t.Fatalf("version %d, want %d; %d documents without stored cells", s.bookVersion(), version, len(s.unstored))
	}
	for doc, sl := range s.snapshot() {
		for i, c := range sl.cells {
			if c != first[doc].cells[i] {
				t.Fatalf("document %d, vector %d: cell %d, then %d", doc, i, first[doc].cells[i], c)
			}
		}
	}
	// A check of one process has the other ones read more, too.
	want := s.probes() + 3
	execOn(t, filepath.Join(dir, fileName), fmt.Sprintf("UPDATE codebook SET probes=%d", want))
	for cellSpace(t, l).probes() != want {
		select {
		case <-t.Context().Done():
			t.Fatal("another process reads as few cells as before")
		case <-time.After(20 * time.Millisecond):
		}
	}
	// Vectors that were replaced behind them make stored cells void.
	execOn(t, filepath.Join(dir, fileName), "UPDATE vec SET sum=sum+1 WHERE doc=3; UPDATE cell SET cells=x'ffff' WHERE doc=4")
	if err := errorsOf(l.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
	l = openIn(t, dir)
	l.index.request(mustModel(t, l))
	var r contract.CheckReport
	if err := l.checkIndex(t.Context(), &r); err != nil || r.Indexed != 24*900 {
		t.Errorf("checked while the index was being loaded: %d vectors, %v", r.Indexed, err)
	}
	s = cellSpace(t, l)
	if len(s.unstored) != 2 || !s.unstored[3] || !s.unstored[4] {
		t.Errorf("documents whose cells were found anew: %v", s.unstored)
	}
	if got := agreement(t, s, 5, nil); got < 0.97 {
		t.Errorf("recall %v", got)
	}
}

// onceUnderRace skips a test whose memory takes half a minute to fill under the race
// detector; TestLargeSpacesAreDivided runs the same code there.
func onceUnderRace(t *testing.T) {
	t.Helper()
	if raced {
		t.Skip("under the race detector TestLargeSpacesAreDivided stands for it")
	}
}

// probes is how many cells a search reads.
func (s *space) probes() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.book.Probes
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestAnotherProcessDivides: a process that finds the lock taken takes over what the other
// has stored.
func TestAnotherProcessDivides(t *testing.T) {
	t.Parallel()
	onceUnderRace(t)
	dir := t.TempDir()
	l := divided(t, dir)
	other := openIn(t, dir)
	s := cellSpace(t, other)
	// As if it had been loaded before there were any cells.
	plain, err := newSpace(s.model, usual)
	if err != nil {
		t.Fatal(err)
	}
	for doc, sl := range s.snapshot() {
		if err := plain.put(doc, slab{first: sl.first, v: sl.v}, nil); err != nil {
			t.Fatal(err)
		}
	}
	h := &spaceSlot{row: mustModel(t, other), space: plain}
	if err := other.tidySpace(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if plain.bookVersion() != cellSpace(t, l).bookVersion() || !plain.divided() || len(plain.unstored) != 0 {
		t.Errorf("version %d, %d without stored cells", plain.bookVersion(), len(plain.unstored))
	}
}

func mustModel(t *testing.T, l *Local) modelRow {
	t.Helper()
	row, ok, err := findModel(t.Context(), l.rdb, cellModel)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return row
}

// TestChangesWhileDividing: what is put and forgotten while the cells are made is neither
// lost nor found again.
func TestChangesWhileDividing(t *testing.T) {
	t.Parallel()
	s := testSpace(t, cellDims)
	w := newThemed(3)
	vectors := func(n int) []float32 {
		var v []float32
		for range n {
			v = append(v, w.vector()...)
		}
		return v
	}
	var all [][]float32
	for doc := range int64(50) {
		v := vectors(40)
		for at := 0; at < len(v); at += cellDims {
			all = append(all, v[at:at+cellDims])
		}
		if err := s.add(t.Context(), doc, slab{first: doc * 1000, v: v}, nil); err != nil {
			t.Fatal(err)
		}
	}
	book, err := cells.Learn(t.Context(), all, cellDims, 40, func() {})
	if err != nil || book == nil {
		t.Fatal(book, err)
	}
	book.Probes = book.Cells()
	late, changed := vectors(1), false
	err = s.divide(t.Context(), learned{book: book, version: 7}, false, func() {
		if changed { // once, in the middle
			return
		}
		changed = true
		if err := errorsOf(s.remove(10), s.add(t.Context(), 20, slab{first: 20_000, v: late}, nil), s.add(t.Context(), 60, slab{first: 60_000, v: vectors(2)}, nil)); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, col := range s.cells {
		total += col.Count()
	}
	if n, docs := s.size(); n != 48*40+1+2 || docs != 50 || total != n || s.bookVersion() != 7 {
		t.Errorf("%d vectors of %d documents, %d in the collections", n, docs, total)
	}
	if got, err := s.query(t.Context(), late, 1); err != nil || len(got) != 1 || got[0].chunk != 20_000 {
		t.Errorf("the replaced vector: %v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.divide(ctx, learned{book: book, version: 8}, false, func() {}); err == nil || s.bookVersion() != 7 {
		t.Errorf("divide after the end of its context: %v, version %d", err, s.bookVersion())
	}
}

// TestDamagedCellsAreLearnedAnew: nothing depends on the cells but the time of a recall.
func TestDamagedCellsAreLearnedAnew(t *testing.T) {
	t.Parallel()
	onceUnderRace(t)
	dir := t.TempDir()
	l := divided(t, dir)
	version := cellSpace(t, l).bookVersion()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	execOn(t, filepath.Join(dir, fileName), "UPDATE codebook SET centres=x'0102'")
	l = openIn(t, dir)
	waitForCells(t, l)
	if s := cellSpace(t, l); s.bookVersion() <= version || !s.divided() {
		t.Errorf("version %d after %d", s.bookVersion(), version)
	}
	if _, err := os.Stat(filepath.Join(dir, cellsLock)); err != nil {
		t.Error(err)
	}
}

var _ contract.Checker = (*Local)(nil)
