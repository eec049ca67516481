package cells

import (
	"context"
	"math"
	"math/rand/v2"
)

const (
	rounds = 8 // of k-means
	// Fewest is how many vectors of the sample a cell must have. A centre is their mean:
	// that of very few would tell what they were, even after they have been forgotten.
	Fewest = 8
	// SampleOf is how many vectors of a sample there should be for each cell.
	SampleOf = 64
)

// Count returns how many cells a set of n vectors should have.
func Count(n int) int { return min(MaxCells, max(1, int(2*math.Sqrt(float64(n))))) }

// Learn divides the vectors of a sample into about k cells: by k-means into groups, and
// each group by k-means into cells. pause is called often; it may wait. The result depends
// on the sample alone. It is nil, without an error, if there are too few vectors.
func Learn(ctx context.Context, sample [][]float32, dims, k int, pause func()) (*Book, error) {
	if k = min(k, MaxCells, len(sample)/Fewest); k < 2 {
		return nil, ctx.Err()
	}
	l := learner{ctx: ctx, dims: dims, pause: pause, r: rand.New(rand.NewPCG(uint64(len(sample)), uint64(k)))} //nolint:gosec // no secret
	groups, of := l.means(sample, int(math.Sqrt(float64(k))))
	b := &Book{Dims: dims, starts: []int{0}}
	sum, n := 0.0, 0
	for g := range len(groups) / dims {
		var members [][]float32
		for i, v := range sample {
			if of[i] == g {
				members = append(members, v)
			}
		}
		centres, cell := l.means(members, max(1, (k*len(members)+len(sample)/2)/len(sample)))
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if len(centres) == 0 {
			continue
		}
		b.groups = append(b.groups, groups[g*dims:(g+1)*dims]...)
		b.centres = append(b.centres, centres...)
		b.starts = append(b.starts, b.Cells())
		for i, v := range members {
			if c := cell[i]; c >= 0 {
				sum, n = sum+float64(Dot(v, centres[c*dims:(c+1)*dims])), n+1
			}
		}
	}
	if b.Cells() < 2 {
		return nil, ctx.Err()
	}
	b.Spread = sum / float64(max(1, n))
	return b, ctx.Err()
}

type learner struct {
	ctx   context.Context
	dims  int
	pause func()
	r     *rand.Rand
}

// means returns at most k centres of points, each the direction of the mean of at least
// Fewest points, and to which of them each point belongs (-1: to none that was kept).
func (l *learner) means(points [][]float32, k int) (centres []float32, of []int) {
	of = make([]int, len(points))
	if k = min(k, len(points)/Fewest); k < 1 {
		return nil, of
	}
	for _, i := range l.r.Perm(len(points))[:k] {
		centres = append(centres, points[i]...)
	}
	var size []int
	for range rounds {
		l.assign(points, centres, of)
		if l.ctx.Err() != nil {
			return nil, of
		}
		centres, size = l.move(points, of, k)
	}
	// The centres have moved once more: of is as of the round before, and so are the sizes.
	return l.keepLarge(centres, size, of), of
}

func (l *learner) assign(points [][]float32, centres []float32, of []int) {
	for i, v := range points {
		if i%1024 == 0 {
			l.pause()
			if l.ctx.Err() != nil {
				return
			}
		}
		best, cos := 0, float32(-2)
		for c := range len(centres) / l.dims {
			if d := Dot(v, centres[c*l.dims:(c+1)*l.dims]); d > cos {
				best, cos = c, d
			}
		}
		of[i] = best
	}
}

// move returns the direction of the mean of each centre's points. A centre without points
// moves to a point that is chosen at random.
func (l *learner) move(points [][]float32, of []int, k int) (centres []float32, size []int) {
	centres, size = make([]float32, k*l.dims), make([]int, k)
	for i, v := range points {
		size[of[i]]++
		dst := centres[of[i]*l.dims : (of[i]+1)*l.dims]
		for j, x := range v {
			dst[j] += x
		}
	}
	for c := range k {
		dst := centres[c*l.dims : (c+1)*l.dims]
		if norm := math.Sqrt(float64(Dot(dst, dst))); norm > 1e-6 {
			for j := range dst {
				dst[j] = float32(float64(dst[j]) / norm)
			}
		} else {
			copy(dst, points[l.r.IntN(len(points))])
		}
	}
	return centres, size
}

// keepLarge removes the centres of fewer than Fewest points.
func (l *learner) keepLarge(centres []float32, size []int, of []int) []float32 {
	var out []float32
	place := make([]int, len(size))
	for c, n := range size {
		place[c] = -1
		if n >= Fewest {
			place[c] = len(out) / l.dims
			out = append(out, centres[c*l.dims:(c+1)*l.dims]...)
		}
	}
	for i, c := range of {
		of[i] = place[c]
	}
	return out
}
