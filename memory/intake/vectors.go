package intake

import (
	"errors"
	"fmt"
	"math"
)

var (
	errNotFinite = errors.New("it contains a number that is not finite")
	errZero      = errors.New("it is zero")
)

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
