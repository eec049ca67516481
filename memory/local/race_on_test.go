//go:build race

package local

// raced: the race detector makes SQLite, which is one large Go package, ten times
// slower, so that tests which repeat themselves do so less often. They run in
// full without it.
const raced = true
