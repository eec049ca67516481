//go:build !amd64 && !arm64

package bert

// There is no assembly for this architecture; plain Go is too slow to be useful,
// see Fast.
const hasKernel, hasWiden = false, false

func block(int, *float32, int, *float32, *float32, *float32, int) { panic("bert: no such kernel") }

func widenPanel(int, *int8, *float32, *float32) { panic("bert: no such kernel") }
