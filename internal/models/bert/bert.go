// Package bert runs small BERT encoders in Go: a forward pass with one assembly
// kernel for amd64 (AVX2 and FMA) and one for arm64 (NEON), and plain Go code as
// their reference. Weights come from the packed format of cmd pack (int8 layers,
// int4 token table) or from a safetensors file (float32).
package bert

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Shape is the dimensions of a model.
type Shape struct {
	Layers    int
	Vocab     int
	Positions int // longest input in tokens, special tokens included
	Width     int // of a hidden state; a multiple of 32
	Inner     int // width of the feed-forward layer; a multiple of 16
	Heads     int // Width/Heads is a multiple of 16
}

// Bounds of a model that is loaded from a file, so that a damaged header is an
// error and not an allocation.
const (
	maxLayers    = 48
	maxVocab     = 1 << 18
	maxPositions = 1 << 13
	maxWidth     = 4096
	maxInner     = 4 * maxWidth
)

// ErrShape is the error of weights whose dimensions are not supported.
var ErrShape = errors.New("unsupported model dimensions")

func (s Shape) check() error {
	switch {
	case s.Layers < 1 || s.Layers > maxLayers,
		s.Vocab < 1 || s.Vocab > maxVocab,
		s.Positions < 2 || s.Positions > maxPositions,
		s.Width < 32 || s.Width > maxWidth || s.Width%32 != 0,
		s.Inner < panel || s.Inner > maxInner || s.Inner%panel != 0,
		s.Heads < 1 || s.Width%s.Heads != 0 || s.Width/s.Heads%panel != 0:
		return fmt.Errorf("%w: %+v", ErrShape, s)
	}
	return nil
}

// Input is one text as token ids, special tokens included.
type Input struct {
	IDs    []int32
	Second int // index of the first token of the second segment; 0: there is one segment
}

// Model is a loaded encoder. It is immutable and safe for concurrent use.
type Model struct {
	shape Shape
	words wordTable
	pos   []float32 // Positions × Width
	types []float32 // 2 × Width, or nil when type 0 is part of pos
	norm  layerNorm
	layer []layer
	head  *head // classifier of a cross-encoder, nil for an encoder

	plain bool // use the plain Go kernel (tests)
}

type layer struct {
	qkv, out, up, down linear
	attnNorm, ffnNorm  layerNorm
}

type layerNorm struct{ weight, bias []float32 }

// wordTable looks up token embeddings.
type wordTable interface {
	// add writes the embedding of token id into row, plus the bias already in it.
	add(row []float32, id int)
}

// Shape returns the model's dimensions.
func (m *Model) Shape() Shape { return m.shape }

// check refuses inputs that would read outside the tables.
func (m *Model) check(batch []Input) error {
	for i, in := range batch {
		if len(in.IDs) == 0 || len(in.IDs) > m.shape.Positions {
			return fmt.Errorf("input %d has %d tokens; the model takes 1 to %d", i, len(in.IDs), m.shape.Positions)
		}
		for _, id := range in.IDs {
			if id < 0 || int(id) >= m.shape.Vocab {
				return fmt.Errorf("input %d has token %d; the vocabulary has %d", i, id, m.shape.Vocab)
			}
		}
		if in.Second < 0 || in.Second > len(in.IDs) {
			return fmt.Errorf("input %d begins its second segment at %d of %d tokens", i, in.Second, len(in.IDs))
		}
	}
	return nil
}

// Embed returns one vector of unit length for each input: the mean of its hidden
// states.
func (m *Model) Embed(batch []Input) ([][]float32, error) {
	if err := m.check(batch); err != nil {
		return nil, err
	}
	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	x := m.forward(batch, s)
	out := make([][]float32, len(batch))
	w, row := m.shape.Width, 0
	for i, in := range batch {
		v := make([]float32, w)
		for range in.IDs {
			for j, y := range x[row*w : (row+1)*w] {
				v[j] += y
			}
			row++
		}
		normalize(v)
		out[i] = v
	}
	return out, nil
}

// States returns the hidden states of each input's tokens, special tokens included:
// one row of Shape.Width after the other.
func (m *Model) States(batch []Input) ([][]float32, error) {
	if err := m.check(batch); err != nil {
		return nil, err
	}
	s := scratchPool.Get().(*scratch)
	defer scratchPool.Put(s)
	x := m.forward(batch, s)
	out := make([][]float32, len(batch))
	for i, in := range batch {
		n := len(in.IDs) * m.shape.Width
		out[i], x = slices.Clone(x[:n]), x[n:]
	}
	return out, nil
}

// normalize scales v to unit length; a zero vector stays zero.
func normalize(v []float32) {
	var sum float64
	for _, y := range v {
		sum += float64(y) * float64(y)
	}
	if sum == 0 {
		return
	}
	f := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= f
	}
}
