//go:build race

package local

// raced reports the race detector. It makes SQLite, which is one large Go
// package, ten times slower, so tests that repeat themselves do so less often.
const raced = true
