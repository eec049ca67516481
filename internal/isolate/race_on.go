//go:build race

package isolate

// The race detector keeps several bytes of its own for each byte of the heap,
// and reserves them by the arena.
const shadow = 16
