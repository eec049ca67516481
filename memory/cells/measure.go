package cells

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// Wanted is the part of the ten nearest vectors that a search must find.
	Wanted = 0.98
	// aimed is the part for which Probes is chosen: real questions lie a little farther
	// from the passages than what the measurement asks. See docs/ARCHITECTURE.md.
	aimed = 0.99
	// worthwhile is the part of the cells up to which reading cells is faster than reading
	// all vectors one after the other.
	worthwhile = 0.4
	nearest    = 10
	// fewestProbes is the part of the cells that is read at least, as one of so many:
	// real questions lie farther from the passages than those of a measurement may.
	fewestProbes = 40
)

// Found tells, for a number of questions, in which of the nearest cells their ten nearest
// vectors are: Found[i] is how many of them are in the i-th cell of Book.Order.
type Found []int

// Vectors calls yield for each vector and its cell, until it returns false.
type Vectors func(yield func(v []float32, cell uint16) bool)

// Questions makes n questions out of stored vectors: half are a vector with noise, half
// lie between two. Both are apart from any vector, as questions are.
func Questions(vectors [][]float32, n int) [][]float32 {
	r := rand.New(rand.NewPCG(uint64(len(vectors)), 7)) //nolint:gosec // no secret
	out := make([][]float32, 0, n)
	for i := range n {
		v, other := vectors[r.IntN(len(vectors))], vectors[r.IntN(len(vectors))]
		q := make([]float32, len(v))
		for j := range q {
			if i%2 == 0 {
				q[j] = v[j] + float32(0.8*r.NormFloat64()/math.Sqrt(float64(len(v))))
			} else {
				q[j] = v[j] + 0.5*other[j]
			}
		}
		norm := float32(math.Sqrt(float64(Dot(q, q))))
		if !(norm > 0) {
			continue
		}
		for j := range q {
			q[j] /= norm
		}
		out = append(out, q)
	}
	return out
}

// Measure searches all vectors for each question, and returns where in the order of cells
// the nearest are. pause is called often; it may wait.
func (b *Book) Measure(ctx context.Context, questions [][]float32, all Vectors, pause func()) (Found, error) {
	type hit struct {
		cos  float32
		cell uint16
	}
	best := make([][]hit, len(questions))
	seen := 0
	all(func(v []float32, cell uint16) bool {
		if seen++; seen%256 == 0 {
			pause()
		}
		for i, q := range questions {
			cos := Dot(q, v)
			if h := best[i]; len(h) == nearest && cos <= h[nearest-1].cos {
				continue
			}
			at, _ := slices.BinarySearchFunc(best[i], cos, func(h hit, cos float32) int {
				if h.cos >= cos {
					return -1
				}
				return 1
			})
			best[i] = slices.Insert(best[i], at, hit{cos, cell})
			best[i] = best[i][:min(nearest, len(best[i]))]
		}
		return ctx.Err() == nil
	})
	found := make(Found, b.Cells())
	for i, q := range questions {
		place := make([]int, b.Cells())
		for at, cell := range b.Order(q) {
			place[cell] = at
		}
		for _, h := range best[i] {
			found[place[h.cell]]++
		}
	}
	return found, ctx.Err()
}

// Recall returns the part of the nearest vectors that is in the first probes cells.
func (f Found) Recall(probes int) float64 {
	some, all := 0, 0
	for i, n := range f {
		if all += n; i < probes {
			some += n
		}
	}
	if all == 0 {
		return 1
	}
	return float64(some) / float64(all)
}

// WithProbes returns b with as many probes as the recall needs. If that are so many that
// reading all vectors is as fast, there are none.
func (b *Book) WithProbes(f Found) *Book {
	out := *b
	out.Probes = 1 + len(f)/fewestProbes
	for out.Probes < len(f) && f.Recall(out.Probes) < aimed {
		out.Probes++
	}
	out.Recall = f.Recall(out.Probes)
	if float64(out.Probes) > worthwhile*float64(b.Cells()) {
		out.Probes, out.Recall = 0, 1
	}
	return &out
}
