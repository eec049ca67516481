// Package embed turns texts into vectors: with a model of a local Ollama, or
// with the built-in embedder that needs nothing.
//
// Every embedder here keeps one contract, which contract_test.go holds them to:
//
//   - one vector for each text, in order, all of Model().Dims components
//   - every vector is finite and of unit length, also that of a text without a
//     word, so that a dot product is a cosine
//   - the same text gives the same vector for as long as Model().Key() stays
//   - no texts give no vectors and no error
//   - a context that has ended gives its error, never part of the vectors
//   - safe for concurrent use; the texts are not kept
package embed

import "math"

// normalise scales v to unit length and reports whether it could: a vector of
// zeros, or one with a component that is no number, has no direction.
func normalise(v []float32) bool {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 || math.IsNaN(sum) || math.IsInf(sum, 0) {
		return false
	}
	scale := 1 / math.Sqrt(sum)
	for i, x := range v {
		v[i] = float32(float64(x) * scale)
	}
	return true
}
