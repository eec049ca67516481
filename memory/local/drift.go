package local

import (
	"github.com/research-mcp/research-mcp/memory/cells"
	"github.com/research-mcp/research-mcp/memory/intake"
)

const (
	// A space is divided anew when it has grown to so many times what it was, or has shrunk
	// to one of so many.
	grown = 3
	// Or when this many vectors have come since, and are farther from the centres of their
	// cells by driftedBy than those were that the cells were learned from.
	driftedAfter = 5000
	driftedBy    = 0.1
)

// drift is how far the vectors that came since the cells were learned are from them.
type drift struct {
	n   int
	sum float64 // of the cosines to the centres
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
		d.n, d.sum = d.n+1, d.sum+float64(cos)
	}
	return out
}

// stale reports whether the cells should be learned anew for n vectors.
func (d *drift) stale(book *cells.Book, n int) bool {
	return n/grown > book.Learned || n < book.Learned/grown || d.n >= driftedAfter && d.sum/float64(d.n) < book.Spread-driftedBy
}
