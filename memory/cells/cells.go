// Package cells divides a large set of vectors into cells of vectors that are near to
// each other, so that a search reads a few cells instead of all vectors (an inverted
// file, or IVF). All vectors are of unit length, so that the dot product is the cosine.
package cells

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

const (
	// None is the cell of a chunk without a vector.
	None = math.MaxUint16
	// MaxCells is how many cells there may be.
	MaxCells = 4096
	// looked is how many groups of cells are looked into for the cell of a vector.
	looked = 3
)

// Book is what has been learned of a set of vectors: the centres of its cells, in groups
// that are themselves near to each other. It is not changed once it is in use.
type Book struct {
	Dims    int
	Probes  int     // how many of the nearest cells a search reads; 0: it should read all vectors
	Learned int     // how many vectors there were
	Spread  float64 // mean cosine of a vector and the centre of its cell
	Recall  float64 // measured with Probes: the part of the ten nearest that is found

	groups  []float32 // the centres of the groups
	starts  []int     // the first cell of each group, and at the end the number of cells
	centres []float32 // of the cells, in the order of the groups
}

// Cells returns how many cells there are.
func (b *Book) Cells() int { return len(b.centres) / b.Dims }

func (b *Book) centre(cell int) []float32 { return b.centres[cell*b.Dims : (cell+1)*b.Dims] }

// Cosine returns the cosine of a vector and the centre of a cell.
func (b *Book) Cosine(cell uint16, v []float32) float32 { return Dot(v, b.centre(int(cell))) }

// Cell returns the cell of a vector, and its cosine to the centre. Only the nearest
// groups are looked into: for one vector in some hundreds another centre is a little nearer.
func (b *Book) Cell(v []float32) (cell uint16, cos float32) {
	var near [looked]int
	var best [looked]float32
	for i := range best {
		near[i], best[i] = -1, -2
	}
	for g := range len(b.starts) - 1 {
		cos := Dot(v, b.groups[g*b.Dims:(g+1)*b.Dims])
		for i := range best {
			if cos > best[i] {
				copy(near[i+1:], near[i:])
				copy(best[i+1:], best[i:])
				near[i], best[i] = g, cos
				break
			}
		}
	}
	cos = -2
	for _, g := range near {
		if g < 0 {
			break
		}
		for c := b.starts[g]; c < b.starts[g+1]; c++ {
			if d := Dot(v, b.centre(c)); d > cos {
				cell, cos = uint16(c), d //nolint:gosec // below MaxCells
			}
		}
	}
	return cell, cos
}

// Order returns all cells, the one nearest to q first.
func (b *Book) Order(q []float32) []uint16 {
	type at struct {
		cell uint16
		cos  float32
	}
	all := make([]at, b.Cells())
	for c := range all {
		all[c] = at{uint16(c), Dot(q, b.centre(c))} //nolint:gosec // below MaxCells
	}
	slices.SortFunc(all, func(x, y at) int {
		switch {
		case x.cos > y.cos:
			return -1
		case x.cos < y.cos:
			return 1
		}
		return int(x.cell) - int(y.cell)
	})
	out := make([]uint16, len(all))
	for i, a := range all {
		out[i] = a.cell
	}
	return out
}

// Dot uses eight sums, which the compiler does not do by itself.
func Dot(a, b []float32) float32 {
	var s0, s1, s2, s3, s4, s5, s6, s7 float32
	b = b[:len(a)]
	for len(a) >= 8 {
		x, y := a[:8:8], b[:8:8]
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		s4 += x[4] * y[4]
		s5 += x[5] * y[5]
		s6 += x[6] * y[6]
		s7 += x[7] * y[7]
		a, b = a[8:], b[8:]
	}
	for i := range a {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7
}

// Encode returns the groups and centres as bytes: the numbers of groups and cells, the
// starts (all uint32), then the centres of groups and cells (float32), little endian.
func (b *Book) Encode() []byte {
	out := make([]byte, 0, 4*(2+len(b.starts)+len(b.groups)+len(b.centres)))
	word := func(n int) { out = binary.LittleEndian.AppendUint32(out, uint32(n)) } //nolint:gosec // below MaxCells
	word(len(b.starts) - 1)
	word(b.Cells())
	for _, s := range b.starts {
		word(s)
	}
	for _, part := range [][]float32{b.groups, b.centres} {
		for _, x := range part {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
		}
	}
	return out
}

var errBook = errors.New("the cells of the vectors cannot be read")

// Decode is the inverse of Encode for vectors of dims numbers. It checks the bytes, which
// may come from a damaged file.
func Decode(p []byte, dims int) (*Book, error) {
	if len(p) < 8 || len(p)%4 != 0 || dims <= 0 || dims > len(p)/4 {
		return nil, errBook
	}
	groups, n := int(binary.LittleEndian.Uint32(p)), int(binary.LittleEndian.Uint32(p[4:]))
	if groups < 1 || n < 1 || groups > n || n > MaxCells || len(p) != 4*(2+groups+1+(groups+n)*dims) {
		return nil, fmt.Errorf("%w: %d bytes for %d groups and %d cells of %d dimensions", errBook, len(p), groups, n, dims)
	}
	b := &Book{Dims: dims}
	at := 8
	for i := range groups + 1 {
		s := int(binary.LittleEndian.Uint32(p[at:]))
		if i == 0 && s != 0 || i > 0 && s < b.starts[i-1] || i == groups && s != n {
			return nil, fmt.Errorf("%w: group %d begins at cell %d of %d", errBook, i, s, n)
		}
		b.starts, at = append(b.starts, s), at+4
	}
	all := make([]float32, (groups+n)*dims)
	for i := range all {
		all[i] = math.Float32frombits(binary.LittleEndian.Uint32(p[at:]))
		if x := float64(all[i]); math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("%w: a centre is not finite", errBook)
		}
		at += 4
	}
	for i := 0; i < len(all); i += dims { // a larger one would draw all vectors
		if length := Dot(all[i:i+dims], all[i:i+dims]); !(math.Abs(float64(length)-1) < 1e-2) {
			return nil, fmt.Errorf("%w: a centre has the length %v", errBook, math.Sqrt(float64(length)))
		}
	}
	b.groups, b.centres = all[:groups*dims], all[groups*dims:]
	return b, nil
}
