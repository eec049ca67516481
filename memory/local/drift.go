package local

import (
	"maps"
	"slices"

	"github.com/research-mcp/research-mcp/memory/cells"
	"github.com/research-mcp/research-mcp/memory/intake"
)

const (
	// A space is divided anew when it has grown to so many times what it was, or has shrunk
	// to one of so many.
	grown = 3
	// Or when so many vectors that came one after the other since are farther from the centres
	// of their cells by driftedBy than those were that the cells were learned from. Others of
	// the same collection are farther by 0.03, those of another by 0.12 to 0.4.
	driftedAfter = 5000
	driftedBy    = 0.06
)

// drift is how far the vectors that came since the cells were learned are from them.
type drift struct {
	n   int     // of the last driftedAfter at most
	sum float64 // of the cosines to the centres
	far bool    // driftedAfter of them were too far
}

// assign returns the cells of vectors.
func (d *drift) assign(book *cells.Book, v []float32) []uint16 {
	out := make([]uint16, len(v)/book.Dims)
	for i := range out {
		one := v[i*book.Dims : (i+1)*book.Dims]
		if intake.IsZero(one) {
			out[i] = cells.None
			continue
		}
		cell, cos := book.Cell(one)
		out[i] = cell
		d.add(book, cos)
	}
	return out
}

func (d *drift) add(book *cells.Book, cos float32) {
	if d.n, d.sum = d.n+1, d.sum+float64(cos); d.n >= driftedAfter {
		*d = drift{far: d.far || d.sum/float64(d.n) < book.Spread-driftedBy}
	}
}

// stale reports whether the cells should be learned anew for n vectors.
func (d *drift) stale(book *cells.Book, n int) bool {
	return n/grown > book.Learned || n < book.Learned/grown || d.far
}

// reckon finds the drift of a space that was loaded with its book: that of the newest
// documents, which are about those that came since the book was learned.
func (s *space) reckon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fresh = (drift{}); !s.divided() {
		return
	}
	newest := slices.Sorted(maps.Keys(s.docs))
	from := len(newest)
	for more := s.n - s.book.Learned; more > 0 && from > 0; {
		from--
		more -= len(s.docs[newest[from]].cells)
	}
	for _, doc := range newest[from:] {
		sl := s.docs[doc]
		for i, c := range sl.cells {
			if c != cells.None {
				s.fresh.add(s.book, s.book.Cosine(c, sl.v[i*s.book.Dims:(i+1)*s.book.Dims]))
			}
		}
	}
}
