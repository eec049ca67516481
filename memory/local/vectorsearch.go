package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/philippgille/chromem-go"
	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/memory/cells"
	"github.com/research-mcp/research-mcp/memory/intake"
)

const (
	// oneCollection is how many vectors chromem searches in one collection. In larger
	// spaces that are not divided the vectors are read here: chromem passes each document
	// through a channel, which takes longer than the comparison.
	oneCollection = 20_000
	// cellDepth is how many vectors one cell contributes, unless more than four times as
	// many are asked for: then a quarter, which is how many results a recall has of them.
	cellDepth = 64
	// longest is more than the cosine of any two vectors of unit length. A damaged one would
	// be the nearest to all, or spoil the order.
	longest = 1.01
)

// sizes are the numbers of vectors from which a space is searched in another way.
type sizes struct {
	divideFrom  int // fewer are not divided into cells
	manyVectors int // so many that pass a filter are all read; of more, those of the nearest cells
}

var usual = sizes{divideFrom: 20_000, manyVectors: 100_000}

// query returns the k chunks nearest to the unit vector q, nearest first.
func (s *space) query(ctx context.Context, q []float32, k int) ([]near, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.divided() && s.n >= s.divideFrom: // what is left of more is read as a whole: its cells have few vectors
		return s.queryCells(ctx, q, k)
	case s.book != nil || s.n > oneCollection:
		return s.scanSlabs(ctx, q, k, nil, nil)
	}
	return queryCollection(ctx, s.cells[0], q, k)
}

// queryCells searches the cells nearest to q, on two cores.
func (s *space) queryCells(ctx context.Context, q []float32, k int) ([]near, error) {
	const workers = 2
	most := min(k, max(cellDepth, k/4))
	order := s.nearestCells(q, k, most)
	var found [workers]topNear
	g, gctx := errgroup.WithContext(ctx)
	for w := range workers {
		g.Go(func() error {
			found[w].k = k
			for i := w; i < len(order); i += workers {
				some, err := queryCollection(gctx, s.cells[order[i]], q, most)
				if err != nil {
					return err
				}
				found[w].add(some...)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	found[0].add(found[1].nearest()...)
	return found[0].nearest(), nil
}

// nearestCells returns the cells to read for k results, of which one cell contributes most: as
// many as are known to have the ten nearest, and further ones until there are k.
func (s *space) nearestCells(q []float32, k, most int) []uint16 {
	order, have := s.book.Order(q), 0
	for i, cell := range order {
		if i >= s.book.Probes && have >= k {
			return order[:i]
		}
		have += min(most, s.cells[cell].Count())
	}
	return order
}

func queryCollection(ctx context.Context, col *chromem.Collection, q []float32, k int) ([]near, error) {
	if k = min(k, col.Count()); k <= 0 {
		return nil, ctx.Err()
	}
	found, err := col.QueryEmbedding(ctx, q, k, nil, nil)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("searching the index: %w", err)
	}
	out := make([]near, 0, len(found))
	for _, f := range found {
		doc, chunk := unkey(f.ID)
		out = append(out, near{chunk: chunk, doc: doc, cos: float64(f.Similarity)})
	}
	return out, nil
}

// scan is query over the documents in allowed only. The filters of chromem
// support equality of metadata only, at almost the cost of no filter. Up to manyVectors
// are all compared; of more, those in the nearest cells.
func (s *space) scan(ctx context.Context, q []float32, k int, allowed map[int64]bool) ([]near, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var in []bool // by cell
	if s.divided() && s.vectorsOf(allowed) > s.manyVectors {
		in = s.cellsAmong(q, allowed)
	}
	return s.scanSlabs(ctx, q, k, allowed, in)
}

// cellsAmong returns which cells to read for q among the allowed documents. A part of theirs is
// in them four times as large as a search without a filter reads of all: the nearest that
// pass are further away than the nearest are. If the documents are of another subject than the
// question, the nearest cells may have none of them, and the others are about as near as one
// another.
func (s *space) cellsAmong(q []float32, allowed map[int64]bool) []bool {
	sizes, total := make([]int, s.book.Cells()), 0
	for doc := range allowed {
		for _, cell := range s.docs[doc].cells {
			if int(cell) < len(sizes) {
				sizes[cell]++
				total++
			}
		}
	}
	in, enough := make([]bool, len(sizes)), 4*total*s.book.Probes/len(sizes)
	for i, cell := range s.book.Order(q) {
		if i >= s.book.Probes && enough <= 0 {
			break
		}
		in[cell] = true
		enough -= sizes[cell]
	}
	return in
}

// vectorsOf counts the vectors of documents, those missing included.
func (s *space) vectorsOf(docs map[int64]bool) int {
	n := 0
	for doc := range docs {
		n += len(s.docs[doc].v) / s.model.Dims
	}
	return n
}

// scanSlabs compares q with all vectors of the allowed documents in the cells of in. If
// allowed or in is nil, with those of all.
func (s *space) scanSlabs(ctx context.Context, q []float32, k int, allowed map[int64]bool, in []bool) ([]near, error) {
	type entry struct {
		doc int64
		slab
	}
	var all []entry
	if allowed == nil {
		all = make([]entry, 0, len(s.docs))
		for doc, sl := range s.docs {
			all = append(all, entry{doc, sl})
		}
	}
	for doc := range allowed {
		if sl, ok := s.docs[doc]; ok {
			all = append(all, entry{doc, sl})
		}
	}
	const atOnce = 64 // documents
	parts := min(runtime.GOMAXPROCS(0), 1+len(all)/atOnce)
	found := make([]topNear, parts)
	g, gctx := errgroup.WithContext(ctx)
	for p := range parts {
		g.Go(func() error {
			found[p].k = k
			for i := p * len(all) / parts; i < (p+1)*len(all)/parts; i++ {
				if i%atOnce == 0 && gctx.Err() != nil {
					return gctx.Err()
				}
				found[p].compare(all[i].doc, all[i].slab, q, in)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	for _, f := range found[1:] {
		found[0].add(f.nearest()...)
	}
	return found[0].nearest(), ctx.Err()
}

// topNear keeps the k nearest of what is added.
type topNear struct {
	k     int
	some  []near
	floor float64 // valid when some was cut: what is not above it cannot be among the k
	cut   bool
}

func (t *topNear) add(more ...near) {
	for _, n := range more {
		if t.cut && n.cos <= t.floor {
			continue
		}
		if t.some = append(t.some, n); len(t.some) >= 4*t.k+64 {
			t.some = nearest(t.some, t.k)
			if t.cut = len(t.some) > 0; t.cut {
				t.floor = t.some[len(t.some)-1].cos
			}
		}
	}
}

// compare adds the vectors of a document; those in the cells of in, if it is not nil.
func (t *topNear) compare(doc int64, sl slab, q []float32, in []bool) {
	for i := range len(sl.v) / len(q) {
		if in != nil && (sl.cell(i) >= len(in) || !in[sl.cell(i)]) {
			continue
		}
		cos := float64(cells.Dot(q, sl.v[i*len(q):(i+1)*len(q)]))
		if !(math.Abs(cos) < longest) || cos == 0 && intake.IsZero(sl.v[i*len(q):(i+1)*len(q)]) || t.cut && cos <= t.floor {
			continue
		}
		t.add(near{chunk: sl.first + int64(i), doc: doc, cos: cos})
	}
}

func (t *topNear) nearest() []near { return nearest(t.some, t.k) }

// nearest sorts, and returns the first k; equal ones are ordered by age.
func nearest(all []near, k int) []near {
	slices.SortFunc(all, func(a, b near) int {
		switch {
		case a.cos > b.cos:
			return -1
		case a.cos < b.cos:
			return 1
		}
		return int(a.chunk - b.chunk)
	})
	return all[:min(k, len(all))]
}
