//go:build !race

package isolate

// shadow multiplies the kernel limits for the race detector.
const shadow = 1
