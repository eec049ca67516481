package bert

// hasKernel is true: every arm64 processor has NEON.
const hasKernel = true

// hasWiden is false: the compiler's code is fast enough beside the kernel.
const hasWiden = false

// block computes c[6][16] = bias[16] + a[6][k]·b[k][16]; lda and ldc are in bytes.
//
//go:noescape
func block(k int, a *float32, lda int, b *float32, bias *float32, c *float32, ldc int)

func widenPanel(int, *int8, *float32, *float32) { panic("bert: no such kernel") }
