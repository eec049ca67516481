package intake

import (
	"errors"
	"fmt"
	"math"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

var (
	errNotFinite = errors.New("it contains a number that is not finite")
	errZero      = errors.New("it is zero")
)

// Vectors copies the vectors of chunks to the n pieces that they were cut into, one after the
// other: each of unit length, or zero where there is none that can be used. note says why
// some were left out. all is nil if there are none; model has their dimensions.
func Vectors(chunks evidence.Chunks, n int) (all []float32, model evidence.Model, note string) {
	model = chunks.Model
	for i := 0; i < len(chunks.Items) && model.Dims == 0; i++ {
		model.Dims = len(chunks.Items[i].Vector)
	}
	if chunks.Model.IsZero() || model.Dims <= 0 {
		return nil, model, ""
	}
	all, kept := make([]float32, n*model.Dims), 0
	for i, c := range chunks.Items {
		if c.Vector == nil {
			continue
		}
		if err := Unit(all[i*model.Dims:(i+1)*model.Dims], c.Vector); err != nil {
			note = fmt.Sprintf("vectors of the model %s were left out (chunk %d: %v); their chunks are found by words", contract.ModelText(chunks.Model), i, err)
			continue
		}
		kept++
	}
	if kept == 0 {
		return nil, model, note
	}
	return all, model, note
}

// OtherDims is what is said of vectors that have not the dimensions of their space.
func OtherDims(m evidence.Model, got int) string {
	return fmt.Sprintf("vectors of the model %s have %d dimensions in this memory, not %d: they were refused", contract.ModelText(m), m.Dims, got)
}

// Unit writes v to dst at length 1. A vector of another length, with a number that is not
// finite, or of zeros is an error.
func Unit(dst, v []float32) error {
	if len(v) != len(dst) {
		return fmt.Errorf("it has %d dimensions, not %d", len(v), len(dst))
	}
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return errNotFinite
	case sum < 1e-30:
		return errZero
	}
	inv := 1 / math.Sqrt(sum)
	for i, x := range v {
		dst[i] = float32(float64(x) * inv)
	}
	return nil
}

// IsZero reports whether all numbers are zero, as in a vector that stands for none.
func IsZero(v []float32) bool {
	for _, x := range v {
		if x != 0 {
			return false
		}
	}
	return true
}
