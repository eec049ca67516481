package pdftext

import (
	"cmp"
	"math"
	"slices"
	"unicode/utf8"
)

// row is the words of one line of a region, from left to right.
type row struct {
	words  []word
	y      float64 // the baseline of its largest words
	size   float64 // of these
	x0, x1 float64
}

// rowsOf groups words into rows, from the top. Raised and lowered words join the row
// of their base.
func rowsOf(words []word) []row {
	words = slices.Clone(words)
	slices.SortStableFunc(words, func(a, b word) int { return cmp.Compare(b.y, a.y) })
	var rows []row
	for _, w := range words {
		joined := false
		for i := len(rows) - 1; i >= 0 && i >= len(rows)-3; i-- { // the words are sorted: the rows before are too high
			if r := &rows[i]; math.Abs(r.y-w.y) < reach(r.size, w.size) {
				r.words = append(r.words, w)
				if w.size > r.size*1.02 {
					r.size, r.y = w.size, w.y
				}
				joined = true
				break
			}
		}
		if !joined {
			rows = append(rows, row{words: []word{w}, y: w.y, size: w.size})
		}
	}
	for i := range rows {
		rows[i].order()
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.y, a.y) })
	return rows
}

// reach is how far apart the baselines of two sizes are at most in a row. Some programs
// raise a smaller exponent by half of the size of its base.
func reach(a, b float64) float64 {
	large, small := max(a, b), min(a, b)
	if small <= 0.85*large {
		return min(0.56*large, 0.75*small)
	}
	return min(0.5*large, 0.75*small)
}

// order sorts the words, and drops those that are drawn twice for a shadow or weight.
func (r *row) order() {
	slices.SortStableFunc(r.words, func(a, b word) int { return cmp.Compare(a.x0, b.x0) })
	kept := r.words[:0]
	for _, w := range r.words {
		twice := slices.ContainsFunc(kept[max(0, len(kept)-3):], func(v word) bool {
			return v.s == w.s && math.Abs(v.x0-w.x0) < 0.3*w.size && math.Abs(v.y-w.y) < 0.3*w.size && math.Abs(v.size-w.size) < 0.02*w.size
		})
		if !twice {
			kept = append(kept, w)
		}
	}
	r.words = kept
	r.x0, r.x1 = math.Inf(1), math.Inf(-1)
	weight := map[float64]int{}
	for _, w := range r.words {
		r.x0, r.x1 = min(r.x0, w.x0), max(r.x1, w.x1)
		weight[w.size] += len(w.s)
	}
	r.settle(weight)
}

// settle makes the size that most letters have that of the row, so that one large
// letter does not turn the others into lowered text.
func (r *row) settle(weight map[float64]int) {
	best := 0
	for _, w := range r.words {
		if n := weight[w.size]; n > best || n == best && w.size > r.size {
			best, r.size, r.y = n, w.size, w.y
		}
	}
}

// allWords reports whether all letters have a property.
func (r row) allWords(has func(word) bool) bool {
	return !slices.ContainsFunc(r.words, func(w word) bool { return !has(w) })
}

func (r row) bold() bool { return r.allWords(func(w word) bool { return w.bold }) }
func (r row) mono() bool { return r.allWords(func(w word) bool { return w.mono }) }

// gap is an interval without ink between two words.
type gap struct{ lo, hi float64 }

func (g gap) width() float64 { return g.hi - g.lo }

// gaps are those of at least width.
func (r row) gaps(width float64) []gap {
	var out []gap
	end := r.x0
	for _, w := range r.words {
		if w.x0-end >= width {
			out = append(out, gap{end, w.x0})
		}
		end = max(end, w.x1)
	}
	return out
}

// clear returns the part of g that has no ink of r, the widest of them.
func (r row) clear(g gap) gap {
	best := gap{g.lo, g.lo}
	at := g.lo
	for _, w := range r.words {
		if w.x1 <= g.lo {
			continue
		}
		if w.x0 >= g.hi {
			break
		}
		if w.x0-at > best.width() {
			best = gap{at, w.x0}
		}
		at = max(at, w.x1)
	}
	if g.hi-at > best.width() {
		best = gap{at, g.hi}
	}
	return best
}

// sides counts the letters and words of a row left and right of x.
func (r row) sides(x float64) (left, right side) {
	for _, w := range r.words {
		s := &left
		if w.x0 >= x {
			s = &right
		}
		s.words++
		s.letters += len([]rune(w.s))
		s.size = max(s.size, w.size)
	}
	return left, right
}

// letters counts those of all words.
func (r row) letters() (n int) {
	for _, w := range r.words {
		n += utf8.RuneCountInString(w.s)
	}
	return n
}

type side struct {
	words, letters int
	size           float64 // of the largest
}

// withoutScripts is s, or nothing if s has only exponents and indices: those of a line
// that stands at another height than the lines of the other column.
func (s side) withoutScripts(body float64) side {
	if s.size <= 0.85*body && s.letters <= maxScripts {
		return side{}
	}
	return s
}

// prose is 1 if a side of a row is long enough for a line of text, else 0.
func (s side) prose() int {
	if s.letters >= 12 && s.words >= 2 {
		return 1
	}
	return 0
}
