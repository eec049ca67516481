package bert

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// floats returns n random values, the same for the same seed.
func floats(r *rand.Rand, n int, scale float64) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64() * scale)
	}
	return out
}

// FuzzBlock compares the assembly kernel with plain Go.
func FuzzBlock(f *testing.F) {
	f.Add(uint64(1), uint16(384), uint8(0), uint8(0))
	f.Add(uint64(2), uint16(1), uint8(3), uint8(7))
	f.Add(uint64(3), uint16(1536), uint8(1), uint8(255))
	f.Fuzz(func(t *testing.T, seed uint64, depth uint16, padA, padC uint8) {
		if !hasKernel {
			t.Skip("no assembly kernel on this processor")
		}
		k := int(depth)%2048 + 1
		lda, ldc := k+int(padA), panel+int(padC)
		r := rand.New(rand.NewPCG(seed, 1))
		a, b, bias := floats(r, blockRows*lda, 1), floats(r, k*panel, 1), floats(r, panel, 1)
		got, want := make([]float32, blockRows*ldc), make([]float32, blockRows*ldc)
		m := &Model{}
		m.kernel(k, a, lda, b, bias, got, ldc)
		blockGo(k, a, lda, b, bias, want, ldc)
		for i := range got {
			if diff := math.Abs(float64(got[i] - want[i])); diff > 1e-3*math.Sqrt(float64(k)) {
				t.Fatalf("k=%d lda=%d ldc=%d: c[%d] = %g, want %g", k, lda, ldc, i, got[i], want[i])
			}
		}
	})
}

func FuzzWiden(f *testing.F) {
	f.Add(uint64(1), uint16(384))
	f.Fuzz(func(t *testing.T, seed uint64, depth uint16) {
		k := int(depth)%2048 + 1
		r := rand.New(rand.NewPCG(seed, 2))
		src := make([]int8, k*panel)
		for i := range src {
			src[i] = int8(r.IntN(256) - 128)
		}
		scale := floats(r, panel, 1)
		got, want := make([]float32, len(src)), make([]float32, len(src))
		(&Model{}).widen(got, src, scale)
		widenGo(want, src, scale)
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("k=%d: %d = %g, want %g", k, i, got[i], want[i])
			}
		}
	})
}

// FuzzOpen: damaged weights are an error, never a panic or a huge allocation.
func FuzzOpen(f *testing.F) {
	f.Add([]byte(magic))
	f.Add([]byte(magic + "\x06\x00\x00\x00\x3a\x77\x00\x00\x00\x01\x00\x00\x80\x01\x00\x00\x00\x06\x00\x00\x20\x00\x00\x00"))
	f.Add([]byte(magic + strings.Repeat("\xff", 24)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := Open(string(data)); err == nil {
			if _, err := m.Embed([]Input{{IDs: []int32{0}}}); err != nil {
				t.Errorf("a model that opened does not embed: %v", err)
			}
		}
	})
}

func TestOutOfBoundsPanicsBeforeTheKernel(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(m *Model){
		"source": func(m *Model) {
			m.kernel(8, make([]float32, 47), 8, make([]float32, 128), make([]float32, 16), make([]float32, 96), 16)
		},
		"weights": func(m *Model) {
			m.kernel(8, make([]float32, 48), 8, make([]float32, 127), make([]float32, 16), make([]float32, 96), 16)
		},
		"bias": func(m *Model) {
			m.kernel(8, make([]float32, 48), 8, make([]float32, 128), make([]float32, 15), make([]float32, 96), 16)
		},
		"destination": func(m *Model) {
			m.kernel(8, make([]float32, 48), 8, make([]float32, 128), make([]float32, 16), make([]float32, 95), 16)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if recover() == nil {
					t.Error("a buffer that is one value short reached the kernel")
				}
			}()
			call(&Model{})
		})
	}
}

// randomModel is a small model with weights in float32.
func randomModel(seed uint64) *Model {
	r := rand.New(rand.NewPCG(seed, 3))
	s := Shape{Layers: 2, Vocab: 50, Positions: 64, Width: 64, Inner: 128, Heads: 2}
	w := s.Width
	norm := func() layerNorm {
		n := layerNorm{weight: floats(r, w, 0.1), bias: floats(r, w, 0.1)}
		for i := range n.weight {
			n.weight[i]++
		}
		return n
	}
	m := &Model{shape: s, words: wideWords{values: floats(r, s.Vocab*w, 1), width: w}, pos: floats(r, s.Positions*w, 0.1), types: floats(r, 2*w, 0.1), norm: norm()}
	for range s.Layers {
		lin := func(in, out int) linear { return newLinear(floats(r, in*out, 0.2), in, out, floats(r, out, 0.1)) }
		m.layer = append(m.layer, layer{qkv: lin(w, 3*w), out: lin(w, w), up: lin(w, s.Inner), down: lin(s.Inner, w), attnNorm: norm(), ffnNorm: norm()})
	}
	return m
}

// The reference forward pass differs from the fast one in rounding only.
func TestForwardEqualsPlainGo(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	m := randomModel(1)
	plain := *m
	plain.plain = true
	for _, n := range []int{1, 2, 5, 6, 7, 15, 16, 17, 33, 64} {
		var batch []Input
		for i := range 3 {
			in := Input{Second: i * n / 4}
			for range max(1, n-i) {
				in.IDs = append(in.IDs, int32(r.IntN(m.shape.Vocab)))
			}
			batch = append(batch, in)
		}
		got, err := m.Embed(batch)
		if err != nil {
			t.Fatal(err)
		}
		want, err := plain.Embed(batch)
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			for j := range got[i] {
				if math.Abs(float64(got[i][j]-want[i][j])) > 1e-4 {
					t.Fatalf("%d tokens, text %d: component %d = %g, want %g", n, i, j, got[i][j], want[i][j])
				}
			}
		}
	}
}

func TestInputsOutsideTheTables(t *testing.T) {
	t.Parallel()
	m := randomModel(1)
	for name, in := range map[string]Input{
		"no tokens":        {},
		"too many":         {IDs: make([]int32, 65)},
		"negative id":      {IDs: []int32{-1}},
		"id past the end":  {IDs: []int32{50}},
		"second too large": {IDs: []int32{1}, Second: 2},
	} {
		if _, err := m.Embed([]Input{in}); err == nil {
			t.Errorf("%s: Embed succeeded, want an error", name)
		}
	}
}
