package bert

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// magic begins a packed file. docs of the format: internal/models/minilm/FORMAT.md.
const magic = "RMEMB1\n\x00"

// group is how many components of a token embedding share a scale.
const group = 32

// packedHead is the width of an attention head in the packed format.
const packedHead = 32

// Open reads a model in the packed format. The weights of the layers and the
// token table are used where they lie in data, which must not change afterwards;
// everything else is copied. Data that is too short or has unsupported dimensions
// is an error.
func Open(data string) (*Model, error) {
	if len(data) < len(magic) || data[:len(magic)] != magic {
		return nil, errors.New("not a packed model: it does not begin with RMEMB1")
	}
	r := &reader{data: data[len(magic):]}
	s := Shape{Layers: r.u32(), Vocab: r.u32(), Positions: r.u32(), Width: r.u32(), Inner: r.u32()}
	if g := r.u32(); g != group && r.err == nil {
		return nil, fmt.Errorf("%w: groups of %d", ErrShape, g)
	}
	s.Heads = s.Width / packedHead
	if r.err == nil {
		r.err = s.check()
	}
	if r.err != nil {
		return nil, r.err
	}
	m := &Model{shape: s}
	w := s.Width
	m.words = packedWords{nibbles: r.take(s.Vocab * w / 2), scales: r.take(s.Vocab * w / group * 2), width: w}
	m.pos = r.float16s(s.Positions * w)
	m.norm = r.norm(w)
	for range s.Layers {
		l := layer{qkv: r.linear(w, 3*w), out: r.linear(w, w)}
		l.attnNorm = r.norm(w)
		l.up, l.down = r.linear(w, s.Inner), r.linear(s.Inner, w)
		l.ffnNorm = r.norm(w)
		m.layer = append(m.layer, l)
	}
	if r.err == nil && len(r.data) > 0 {
		r.err = fmt.Errorf("%d bytes follow the last layer", len(r.data))
	}
	if r.err != nil {
		return nil, fmt.Errorf("reading the packed model: %w", r.err)
	}
	return m, nil
}

// reader takes values from the front of data. After an error it returns zeros.
type reader struct {
	data string
	err  error
}

// take returns the next n bytes, or "" and an error when there are fewer.
func (r *reader) take(n int) string {
	if r.err == nil && len(r.data) < n {
		r.err = fmt.Errorf("it ends %d bytes early", n-len(r.data))
	}
	if r.err != nil {
		return ""
	}
	out := r.data[:n]
	r.data = r.data[n:]
	return out
}

func (r *reader) u32() int {
	b := r.take(4)
	if b == "" {
		return 0
	}
	return int(binary.LittleEndian.Uint32([]byte(b)))
}

func (r *reader) float32s(n int) []float32 {
	b := []byte(r.take(4 * n))
	if r.err != nil {
		return nil
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func (r *reader) float16s(n int) []float32 {
	b := r.take(2 * n)
	if r.err != nil {
		return nil
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = float16(uint16(b[2*i]) | uint16(b[2*i+1])<<8)
	}
	return out
}

func (r *reader) norm(n int) layerNorm {
	return layerNorm{weight: r.float32s(n), bias: r.float32s(n)}
}

// linear reads panels without copying them.
func (r *reader) linear(in, out int) linear {
	l := linear{in: in, out: out}
	if b := r.take(in * out); b != "" {
		l.packed = unsafe.Slice((*int8)(unsafe.Pointer(unsafe.StringData(b))), len(b))
	}
	l.scale, l.bias = r.float32s(out), r.float32s(out)
	return l
}

// float16 converts an IEEE 754 half. Infinities and NaN do not occur in weights.
func float16(h uint16) float32 {
	sign, exp, man := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	if exp == 0 { // zero, or a number below the smallest normal one
		return math.Float32frombits(sign | math.Float32bits(float32(man)/(1<<24)))
	}
	return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
}

// packedWords is a token table of int4 values with a scale for each group.
type packedWords struct {
	nibbles string // width/2 bytes a token, low nibble first; value = nibble − 8
	scales  string // width/group halves a token
	width   int
}

func (t packedWords) add(row []float32, id int) {
	w, s := t.nibbles[id*t.width/2:][:t.width/2], t.scales[id*t.width/group*2:][:t.width/group*2]
	for g := range t.width / group {
		scale := float16(uint16(s[2*g]) | uint16(s[2*g+1])<<8)
		for i := g * group; i < (g+1)*group; i += 2 {
			b := w[i/2]
			row[i] += float32(int(b&15)-8) * scale
			row[i+1] += float32(int(b>>4)-8) * scale
		}
	}
}
