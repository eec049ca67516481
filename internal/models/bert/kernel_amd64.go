package bert

import "golang.org/x/sys/cpu"

// hasKernel reports whether this processor runs the assembly kernel.
var hasKernel = cpu.X86.HasAVX2 && cpu.X86.HasFMA

var hasWiden = hasKernel

// block computes c[6][16] = bias[16] + a[6][k]·b[k][16]; lda and ldc are in bytes.
//
//go:noescape
func block(k int, a *float32, lda int, b *float32, bias *float32, c *float32, ldc int)

// widenPanel computes dst[k][16] = src[k][16] × scale[16].
//
//go:noescape
func widenPanel(k int, src *int8, scale *float32, dst *float32)
