//go:build !race

package isolate

// shadow is by how much kernel limits are multiplied for the race detector.
const shadow = 1
