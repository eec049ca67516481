//go:build race

package isolate

// The race detector uses several bytes for each byte of the heap, and reserves
// them by the arena.
const shadow = 16
