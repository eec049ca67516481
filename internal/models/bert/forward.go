package bert

import (
	"math"
	"runtime"
	"sync"
)

// scratch is the working memory of one forward pass, kept between passes.
type scratch struct {
	x, qkv, ctx, out, mid []float32 // rows × width, padded to whole blocks of rows
	keys, values, scores  []float32 // of one head
	zero, wide            []float32
}

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

// grow returns buf with length n; its contents are unspecified.
func grow(buf []float32, n int) []float32 {
	if cap(buf) < n {
		return make([]float32, n)
	}
	return buf[:n]
}

// padRows is n rounded up to whole blocks of the kernel.
func padRows(n int) int { return (n + blockRows - 1) / blockRows * blockRows }

// padPanel is n rounded up to whole panels.
func padPanel(n int) int { return (n + panel - 1) / panel * panel }

func (s *scratch) size(shape Shape, rows, longest int) {
	padded, w := padRows(rows), shape.Width
	s.x, s.qkv = grow(s.x, padded*w), grow(s.qkv, (padded+blockRows)*3*w)
	s.ctx, s.out = grow(s.ctx, padded*w), grow(s.out, padded*w)
	s.mid = grow(s.mid, padded*shape.Inner)
	clear(s.x)   // rows of the padding are multiplied, too: no NaN may stand in them
	clear(s.ctx) // dto.
	clear(s.mid)
	head, keys := w/shape.Heads, padPanel(longest)
	s.keys, s.values = grow(s.keys, keys*head), grow(s.values, keys*head)
	s.scores = grow(s.scores, padRows(longest)*keys)
	s.zero = grow(s.zero, max(keys, panel))
	clear(s.zero)
	s.wide = grow(s.wide, panel*max(w, shape.Inner))
}

// quickRows are the most tokens of a pass that does not yield between its steps: those of
// a question.
const quickRows = 48

// yield lets what is short have the processor between two steps of a long pass, which take
// milliseconds: the scheduler takes it from what only computes after 10 ms, and a request
// waits for it more than once.
func yield(rows int) {
	if rows > quickRows {
		runtime.Gosched()
	}
}

// forward returns the hidden states of all tokens of the batch, one row of
// Shape.Width after the other. The result is s.x.
func (m *Model) forward(batch []Input, s *scratch) []float32 {
	rows, longest := 0, 0
	for _, in := range batch {
		rows += len(in.IDs)
		longest = max(longest, len(in.IDs))
	}
	s.size(m.shape, rows, longest)
	m.embed(batch, s.x)
	w := m.shape.Width
	for i := range m.layer {
		l := &m.layer[i]
		m.mul(s.qkv, 3*w, s.x, w, rows, &l.qkv, s.wide)
		m.attention(batch, s)
		m.mul(s.out, w, s.ctx, w, rows, &l.out, s.wide)
		addAndNorm(s.x, s.out, rows, w, l.attnNorm)
		yield(rows)
		m.mul(s.mid, m.shape.Inner, s.x, w, rows, &l.up, s.wide)
		gelu(s.mid[:rows*m.shape.Inner])
		m.mul(s.out, w, s.mid, m.shape.Inner, rows, &l.down, s.wide)
		addAndNorm(s.x, s.out, rows, w, l.ffnNorm)
		yield(rows)
	}
	return s.x[:rows*w]
}

// embed writes the normalized sum of word, position and type embeddings.
func (m *Model) embed(batch []Input, x []float32) {
	w, r := m.shape.Width, 0
	for _, in := range batch {
		for p, id := range in.IDs {
			row := x[r*w : (r+1)*w]
			copy(row, m.pos[p*w:(p+1)*w])
			if m.types != nil {
				segment := 0
				if in.Second > 0 && p >= in.Second {
					segment = 1
				}
				for i, t := range m.types[segment*w : (segment+1)*w] {
					row[i] += t
				}
			}
			m.words.add(row, int(id))
			m.norm.apply(row)
			r++
		}
	}
}

// attention writes the context of every head of every text into s.ctx.
func (m *Model) attention(batch []Input, s *scratch) {
	base := 0
	for _, in := range batch {
		for h := range m.shape.Heads {
			m.attendHead(s, base, len(in.IDs), h)
		}
		base += len(in.IDs)
	}
}

// attendHead computes one head of one text of n tokens that begins at row base:
// softmax(q·kᵀ/√d)·v.
func (m *Model) attendHead(s *scratch, base, n, h int) {
	w := m.shape.Width
	d := w / m.shape.Heads
	keys := padPanel(n)
	s.packHead(base, n, h, w, d)
	k := linear{in: d, out: keys, wide: s.keys[:keys*d], bias: s.zero}
	m.mul(s.scores, keys, s.qkv[base*3*w+h*d:], 3*w, n, &k, nil)
	scale := float32(1 / math.Sqrt(float64(d)))
	for i := range n {
		softmax(s.scores[i*keys:i*keys+n], scale)
	}
	var last [blockRows * panel]float32 // rows beyond the text must not spill into the next one's
	for q := 0; q < d; q += panel {
		v := s.values[q*keys : q*keys+keys*panel]
		for i := 0; i < n; i += blockRows {
			a := s.scores[i*keys:]
			if i+blockRows <= n {
				m.kernel(n, a, keys, v, s.zero, s.ctx[(base+i)*w+h*d+q:], w)
				continue
			}
			m.kernel(n, a, keys, v, s.zero, last[:], panel)
			for z := 0; i+z < n; z++ {
				copy(s.ctx[(base+i+z)*w+h*d+q:][:panel], last[z*panel:])
			}
		}
	}
}

// packHead lays out keys (one output per token) and values (one input per token)
// as the kernel reads them.
func (s *scratch) packHead(base, n, h, w, d int) {
	keys := padPanel(n)
	clear(s.keys[:keys*d])
	for j := range n {
		row := s.qkv[(base+j)*3*w:]
		o := j/panel*panel*d + j%panel
		for i, y := range row[w+h*d:][:d] {
			s.keys[o+i*panel] = y
		}
		v := row[2*w+h*d:][:d]
		for q := 0; q < d; q += panel {
			copy(s.values[q*keys+j*panel:][:panel], v[q:])
		}
	}
	// Scores of padding rows are computed and never used; they must be finite.
	for i := n; i < padRows(n); i++ {
		clear(s.scores[i*keys : (i+1)*keys])
	}
}

func softmax(s []float32, scale float32) {
	top := s[0]
	for _, y := range s {
		top = max(top, y)
	}
	var sum float32
	for j, y := range s {
		e := expNegative((y - top) * scale)
		s[j] = e
		sum += e
	}
	inv := 1 / sum
	for j := range s {
		s[j] *= inv
	}
}

// expNegative is e^x for x ≤ 0 with a relative error below 3e-6: 2^n times a
// polynomial of the fraction.
func expNegative(x float32) float32 {
	if x < -80 {
		return 0
	}
	y := x * math.Log2E
	n := float32(math.Floor(float64(y)))
	f := y - n
	p := 1 + f*(0.6931472+f*(0.2402265+f*(0.05550411+f*(0.009618129+f*0.0013333558))))
	return math.Float32frombits(math.Float32bits(p) + uint32(int32(n))<<23)
}

const (
	geluLimit = 8   // |x| beyond which gelu is x or 0 in float32
	geluSteps = 512 // table entries for a unit of x
)

// geluTable holds gelu at -geluLimit … geluLimit; it is made at first use, so
// that it does not slow the program's start.
var geluTable = sync.OnceValue(func() []float32 {
	t := make([]float32, 2*geluLimit*geluSteps+1)
	for i := range t {
		x := -geluLimit + float64(i)/geluSteps
		t[i] = float32(0.5 * x * (1 + math.Erf(x/math.Sqrt2)))
	}
	return t
})

// gelu applies the exact GELU, interpolated from the table.
func gelu(x []float32) {
	table := geluTable()
	for i, v := range x {
		switch {
		case v >= geluLimit:
		case v > -geluLimit:
			p := (v + geluLimit) * geluSteps
			j := min(int(p), len(table)-2)
			a := table[j]
			x[i] = a + (p-float32(j))*(table[j+1]-a)
		default: // small, or not a number
			x[i] = 0
		}
	}
}

// addAndNorm is x = norm(x + d) for each row.
func addAndNorm(x, d []float32, rows, width int, n layerNorm) {
	for r := range rows {
		row, add := x[r*width:(r+1)*width], d[r*width:(r+1)*width]
		for i := range row {
			row[i] += add[i]
		}
		n.apply(row)
	}
}

// layerNormEps is BERT's.
const layerNormEps = 1e-12

func (n layerNorm) apply(x []float32) {
	var sum, squares float32
	for _, v := range x {
		sum += v
	}
	mean := sum / float32(len(x))
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	inv := float32(1 / math.Sqrt(float64(squares/float32(len(x)))+layerNormEps))
	weight, bias := n.weight[:len(x)], n.bias[:len(x)]
	for i, v := range x {
		x[i] = (v-mean)*inv*weight[i] + bias[i]
	}
}
