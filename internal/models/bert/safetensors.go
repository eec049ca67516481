package bert

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Limits of a safetensors file: those of a small BERT.
const (
	maxHeader  = 16 << 20
	maxTensors = 2 << 30 // bytes of all tensors
)

// tensorInfo is an entry of a safetensors header.
type tensorInfo struct {
	DType   string `json:"dtype"`
	Shape   []int  `json:"shape"`
	Offsets [2]int `json:"data_offsets"`
}

// tensors reads a safetensors file. After an error it returns zeros.
type tensors struct {
	info   map[string]tensorInfo
	data   []byte
	prefix string // "bert." where the encoder stands inside a larger model
	err    error
}

// Load reads a BERT encoder, or a cross-encoder with a classifier of one output,
// from a safetensors file with HuggingFace's names. heads is the number of
// attention heads, which the file does not hold; 0 chooses heads of 32 components,
// or of 64 in models of two layers and fewer than 256 components.
func Load(path string, heads int) (*Model, error) {
	t, err := openTensors(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	m, err := t.model(heads)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return m, nil
}

func openTensors(path string) (*tensors, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() < 8 || info.Size() > maxTensors+maxHeader+8 {
		return nil, fmt.Errorf("%d bytes are no safetensors file of a small model", info.Size())
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxTensors+maxHeader+8))
	if err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(raw)
	if n > maxHeader || n > uint64(len(raw)-8) {
		return nil, fmt.Errorf("its header has %d bytes: it is damaged or no safetensors file", n)
	}
	t := &tensors{info: map[string]tensorInfo{}, data: raw[8+n:]}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(raw[8:8+n], &entries); err != nil {
		return nil, fmt.Errorf("its header is damaged: %w", err)
	}
	for name, entry := range entries {
		if name == "__metadata__" {
			continue
		}
		var ti tensorInfo
		if err := json.Unmarshal(entry, &ti); err != nil {
			return nil, fmt.Errorf("its header is damaged at %q: %w", name, err)
		}
		t.info[name] = ti
	}
	if _, ok := t.info["bert.embeddings.word_embeddings.weight"]; ok {
		t.prefix = "bert."
	}
	return t, nil
}

// model assembles the encoder.
func (t *tensors) model(heads int) (*Model, error) {
	words, pos := t.shape("embeddings.word_embeddings.weight"), t.shape("embeddings.position_embeddings.weight")
	up := t.shape("encoder.layer.0.intermediate.dense.weight")
	if len(words) != 2 || len(pos) != 2 || len(up) != 2 {
		return nil, errors.New("it holds no BERT encoder (bert.embeddings… and encoder.layer.0…)")
	}
	s := Shape{Vocab: words[0], Width: words[1], Positions: pos[0], Inner: up[0]}
	for t.shape(fmt.Sprintf("encoder.layer.%d.output.dense.weight", s.Layers)) != nil {
		s.Layers++
	}
	if s.Heads = heads; heads == 0 {
		s.Heads = s.Width / 32
		if s.Layers <= 2 && s.Width < 256 {
			s.Heads = s.Width / 64
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	w := s.Width
	m := &Model{shape: s, words: wideWords{values: t.get("embeddings.word_embeddings.weight", s.Vocab, w), width: w}}
	m.pos = t.get("embeddings.position_embeddings.weight", s.Positions, w)
	m.types = t.get("embeddings.token_type_embeddings.weight", 2, w)
	m.norm = t.norm("embeddings.LayerNorm", w)
	for i := range s.Layers {
		m.layer = append(m.layer, t.layer(fmt.Sprintf("encoder.layer.%d.", i), s))
	}
	m.head = t.classifier(w)
	if t.err != nil {
		return nil, t.err
	}
	return m, nil
}

func (t *tensors) layer(name string, s Shape) layer {
	w := s.Width
	var weight, bias []float32
	for _, part := range []string{"query", "key", "value"} {
		weight = append(weight, t.get(name+"attention.self."+part+".weight", w, w)...)
		bias = append(bias, t.get(name+"attention.self."+part+".bias", w)...)
	}
	return layer{
		qkv:      newLinear(weight, w, 3*w, bias),
		out:      t.linear(name+"attention.output.dense", w, w),
		attnNorm: t.norm(name+"attention.output.LayerNorm", w),
		up:       t.linear(name+"intermediate.dense", w, s.Inner),
		down:     t.linear(name+"output.dense", s.Inner, w),
		ffnNorm:  t.norm(name+"output.LayerNorm", w),
	}
}

// classifier is nil where the file holds an encoder alone.
func (t *tensors) classifier(w int) *head {
	ti, ok := t.info["classifier.weight"]
	if !ok {
		return nil
	}
	if len(ti.Shape) != 2 || ti.Shape[0] != 1 {
		t.fail(fmt.Errorf("classifier.weight has shape %v; a reranker has one output", ti.Shape))
		return nil
	}
	h := &head{pooler: t.get("pooler.dense.weight", w, w), poolerBias: t.get("pooler.dense.bias", w)}
	prefix := t.prefix
	t.prefix = "" // the classifier stands beside the encoder
	h.weight, h.bias = t.get("classifier.weight", 1, w), t.get("classifier.bias", 1)[0]
	t.prefix = prefix
	return h
}

func (t *tensors) linear(name string, in, out int) linear {
	return newLinear(t.get(name+".weight", out, in), in, out, t.get(name+".bias", out))
}

func (t *tensors) norm(name string, w int) layerNorm {
	n := layerNorm{weight: t.first(w, name+".weight", name+".gamma"), bias: t.first(w, name+".bias", name+".beta")}
	return n
}

// first is the tensor by the newer of two names that is there.
func (t *tensors) first(w int, names ...string) []float32 {
	for _, n := range names {
		if t.shape(n) != nil {
			return t.get(n, w)
		}
	}
	return t.get(names[0], w)
}

func (t *tensors) shape(name string) []int { return t.info[t.prefix+name].Shape }

func (t *tensors) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// get returns a tensor of exactly that shape as float32.
func (t *tensors) get(name string, shape ...int) []float32 {
	n := 1
	for _, d := range shape {
		n *= d
	}
	ti, ok := t.info[t.prefix+name]
	size := map[string]int{"F32": 4, "F16": 2, "BF16": 2}[ti.DType]
	begin, end := ti.Offsets[0], ti.Offsets[1]
	switch {
	case !ok:
		t.fail(fmt.Errorf("it has no tensor %s", t.prefix+name))
	case fmt.Sprint(ti.Shape) != fmt.Sprint(shape):
		t.fail(fmt.Errorf("tensor %s has shape %v, want %v", name, ti.Shape, shape))
	case size == 0:
		t.fail(fmt.Errorf("tensor %s has type %s; F32, F16 and BF16 are supported", name, ti.DType))
	case begin < 0 || end > len(t.data) || end-begin != n*size:
		t.fail(fmt.Errorf("tensor %s lies outside the file", name))
	}
	out := make([]float32, n)
	if t.err != nil {
		return out
	}
	convert(out, t.data[begin:end], ti.DType)
	return out
}

func convert(out []float32, b []byte, dtype string) {
	for i := range out {
		switch dtype {
		case "F32":
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		case "F16":
			out[i] = float16(binary.LittleEndian.Uint16(b[2*i:]))
		case "BF16":
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
		}
	}
}
