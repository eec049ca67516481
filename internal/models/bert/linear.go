package bert

import "fmt"

// The kernel computes blocks of blockRows × panel outputs.
const (
	blockRows = 6
	panel     = 16
)

// linear is a matrix of in × out weights with a bias, in panels of 16 outputs:
// panel p holds in rows of the weights to outputs 16p … 16p+15. Exactly one of
// packed and wide is set.
type linear struct {
	in, out int       // out is a multiple of panel
	packed  []int8    // weights / scale
	scale   []float32 // of each output, with packed
	wide    []float32
	bias    []float32 // of each output
}

// newLinear packs row-major weights (out × in) into panels. out is padded with
// zeros to a whole panel.
func newLinear(w []float32, in, out int, bias []float32) linear {
	padded := padPanel(out)
	l := linear{in: in, out: padded, wide: make([]float32, padded*in), bias: make([]float32, padded)}
	copy(l.bias, bias)
	for o := range out {
		p := o / panel * panel * in
		for i := range in {
			l.wide[p+i*panel+o%panel] = w[o*in+i]
		}
	}
	return l
}

// mul computes dst[rows][dstStride] = src[rows][srcStride] · l + bias. Both
// buffers must have room for rows padded to whole blocks; wide is scratch for one
// panel where l is packed.
func (m *Model) mul(dst []float32, dstStride int, src []float32, srcStride, rows int, l *linear, wide []float32) {
	last := padRows(rows) - 1
	if len(src) < last*srcStride+l.in || len(dst) < last*dstStride+l.out {
		panic(fmt.Sprintf("bert: %d rows do not fit: source %d of stride %d, destination %d of stride %d", rows, len(src), srcStride, len(dst), dstStride))
	}
	// A panel stays in the cache while all rows pass.
	for p := 0; p < l.out; p += panel {
		b := l.wide
		if b == nil {
			b = wide[:panel*l.in]
			m.widen(b, l.packed[p*l.in:(p+panel)*l.in], l.scale[p:p+panel])
		} else {
			b = b[p*l.in : (p+panel)*l.in]
		}
		for r := 0; r < rows; r += blockRows {
			m.kernel(l.in, src[r*srcStride:], srcStride, b, l.bias[p:], dst[r*dstStride+p:], dstStride)
		}
	}
}

// kernel computes one block: c[6][ldc] = bias[16] + a[6][lda] · b[k][16]. All
// bounds are checked here; the assembly checks none.
func (m *Model) kernel(k int, a []float32, lda int, b, bias, c []float32, ldc int) {
	_ = a[(blockRows-1)*lda+k-1]
	_ = b[k*panel-1]
	_ = bias[panel-1]
	_ = c[(blockRows-1)*ldc+panel-1]
	if m.plain || !hasKernel {
		blockGo(k, a, lda, b, bias, c, ldc)
		return
	}
	block(k, &a[0], 4*lda, &b[0], &bias[0], &c[0], 4*ldc)
}

// widen is dst[k][16] = src[k][16] × scale[16].
func (m *Model) widen(dst []float32, src []int8, scale []float32) {
	k := len(src) / panel
	_ = dst[k*panel-1]
	_ = scale[panel-1]
	if m.plain || !hasWiden {
		widenGo(dst, src, scale)
		return
	}
	widenPanel(k, &src[0], &scale[0], &dst[0])
}

// blockGo is the reference of the assembly kernels.
func blockGo(k int, a []float32, lda int, b, bias, c []float32, ldc int) {
	for r := range blockRows {
		var sum [panel]float32
		copy(sum[:], bias[:panel])
		for i, x := range a[r*lda : r*lda+k] {
			row := b[i*panel : i*panel+panel : i*panel+panel]
			for j := range sum {
				sum[j] += x * row[j]
			}
		}
		copy(c[r*ldc:], sum[:])
	}
}

func widenGo(dst []float32, src []int8, scale []float32) {
	for i, q := range src {
		dst[i] = float32(q) * scale[i%panel]
	}
}

// Fast reports whether this processor has an assembly kernel. Without one a
// sentence takes a third of a second instead of a hundredth.
func Fast() bool { return hasKernel }
