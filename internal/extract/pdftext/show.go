package pdftext

import (
	"math"
	"slices"
	"strings"
)

// word is a run of letters without a gap.
type word struct {
	s          string
	x0, x1, y  float64 // y is the baseline; both in the direction of the text
	size       float64
	dir        int  // quarter turns to the left
	spaced     bool // a space was drawn before it
	bold, mono bool
	hidden     visibility
}

// visibility is why a reader of the page does not see a word.
type visibility uint8

const (
	shown     visibility = iota
	unpainted            // drawn without colour, as the text of a scan is
	covered              // white on white, too small, outside of the page
)

func (w word) sameLook(v word) bool {
	return w.dir == v.dir && w.bold == v.bold && w.mono == v.mono && w.hidden == v.hidden && math.Abs(w.size-v.size) < 0.02*v.size
}

// position returns where the next letter stands in the direction of the text.
func (t *painter) position() (x, y float64) {
	m := t.text.times(t.state.ctm)
	x, y = m.apply(0, t.state.rise)
	return turned(x, y, direction(m))
}

// direction returns the quarter turns of a matrix, -1 if it is none.
func direction(m matrix) int {
	length := math.Hypot(m[0], m[1])
	if length == 0 {
		return -1
	}
	for dir, unit := range [4][2]float64{{1, 0}, {0, 1}, {-1, 0}, {0, -1}} {
		if (m[0]*unit[0]+m[1]*unit[1])/length > 0.995 {
			return dir
		}
	}
	return -1
}

// turned returns a point as it is when text of the direction reads from left to right.
func turned(x, y float64, dir int) (float64, float64) {
	switch dir {
	case 1:
		return y, -x
	case 2:
		return -x, -y
	case 3:
		return -y, x
	}
	return x, y
}

// show draws a string.
func (t *painter) show(raw string) {
	s := &t.state
	f := s.font
	if f == nil {
		f = &font{table: standardTable(), missing: 0.5}
	}
	artifact, replaced := false, false
	for _, m := range t.marks {
		artifact, replaced = artifact || m.artifact, replaced || m.replaces
	}
	f.decode(raw, func(d drawn) {
		m := matrix{s.size * s.scale, 0, 0, s.size, 0, s.rise}.times(t.text).times(s.ctm)
		dir := direction(m)
		x, y := turned(m[4], m[5], dir)
		at := letter{x: x, y: y, size: math.Hypot(m[2], m[3]), dir: dir}
		step := d.width*s.size + s.charSpace
		if d.space {
			step += s.wordSpace
		}
		t.advance(step * s.scale)
		if dir < 0 || artifact {
			return
		}
		t.out.letters++
		if d.text == "" {
			t.out.unmapped++
		}
		if replaced {
			t.replaced(at)
			return
		}
		end, endY := t.text.times(s.ctm).apply(0, s.rise)
		end, _ = turned(end, endY, dir)
		t.add(d.text, at, end, y)
	})
}

// replaced counts a letter for which ActualText stands.
func (t *painter) replaced(at letter) {
	for i := range t.marks {
		if m := &t.marks[i]; m.replaces {
			m.letters++
			if m.first == nil {
				m.first = &at
			}
		}
	}
}

// add appends text to the open word, or begins another.
func (t *painter) add(s string, at letter, end, y float64) {
	f := t.state.font
	next := word{s: s, x0: at.x, x1: end, y: at.y, size: at.size, dir: at.dir, bold: f != nil && f.bold, mono: f != nil && f.mono, hidden: t.visibility(at)}
	if next.x1 < next.x0 {
		next.x0, next.x1 = next.x1, next.x0
	}
	if strings.TrimSpace(s) == "" {
		if s != "" {
			t.flush()
			t.open = &word{dir: at.dir, spaced: true}
		}
		return
	}
	w := t.open
	if w != nil && w.s != "" && len(w.s) < maxWord && w.sameLook(next) && math.Abs(w.y-at.y) < 0.05*at.size+0.1 && next.x0-w.x1 < gapWithin*at.size && next.x0-w.x1 > -0.5*at.size {
		w.s += s
		t.room -= len(s)
		w.x1 = max(w.x1, next.x1)
		return
	}
	next.spaced = w != nil && w.s == "" && w.spaced
	t.flush()
	t.room -= len(s) + 1
	t.open = &next
}

// maxWord is the number of bytes after which a word is cut.
const maxWord = 2000

// gapWithin is the widest gap, in ems, between two letters of a word. The narrowest
// space between words is about 0.2.
const gapWithin = 0.12

func (t *painter) flush() {
	if w := t.open; w != nil && w.s != "" {
		t.out.words = append(t.out.words, *w)
	}
	t.open = nil
}

func (t *painter) visibility(at letter) visibility {
	x, y := at.x, at.y
	for range (4 - at.dir) % 4 {
		x, y = turned(x, y, 1) // four quarter turns are none
	}
	switch {
	case at.size < smallest, !t.onPage(x, y):
		return covered
	case t.state.mode == 3:
		return unpainted
	case t.state.white && t.state.mode != 1 && t.state.mode != 2 && !t.onColour(x, y):
		return covered
	}
	return shown
}

func (t *painter) onPage(x, y float64) bool {
	if t.box == nil {
		return true
	}
	const edge = 2 // points
	return area{t.box[0] - edge, t.box[1] - edge, t.box[2] + edge, t.box[3] + edge}.holds(x, y)
}

// onColour reports whether something that is not white lies under a point.
func (t *painter) onColour(x, y float64) bool {
	return t.shaded || slices.ContainsFunc(t.painted, func(a area) bool { return a.holds(x, y) })
}

// area is a rectangle: x0, y0, x1, y1.
type area [4]float64

var emptyArea = area{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}

func (a area) holds(x, y float64) bool { return x >= a[0] && x <= a[2] && y >= a[1] && y <= a[3] }

func (a area) with(x, y float64) area {
	return area{min(a[0], x), min(a[1], y), max(a[2], x), max(a[3], y)}
}

func unitSquare(m matrix) area {
	a := emptyArea
	for _, p := range [4][2]float64{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		a = a.with(m.apply(p[0], p[1]))
	}
	return a
}

func (t *painter) paint(a area) {
	if len(t.painted) >= maxPainted {
		t.shaded = true
		return
	}
	t.painted = append(t.painted, a)
}

// pathOperator follows the bounds of the path, and remembers what is filled.
func (t *painter) pathOperator(op string, args []token) {
	point := func(i int) { t.path = t.path.with(t.state.ctm.apply(numberAt(args, i), numberAt(args, i+1))) }
	switch op {
	case "m", "l":
		point(0)
	case "c", "v", "y":
		for i := 0; i+1 < len(args); i += 2 {
			point(i)
		}
	case "re":
		x, y, w, h := numberAt(args, 0), numberAt(args, 1), numberAt(args, 2), numberAt(args, 3)
		for _, p := range [4][2]float64{{x, y}, {x + w, y}, {x, y + h}, {x + w, y + h}} {
			t.path = t.path.with(t.state.ctm.apply(p[0], p[1]))
		}
	case "f", "F", "f*", "B", "B*", "b", "b*":
		if !t.state.white {
			t.paint(t.path)
		}
		t.path = emptyArea
	case "S", "s", "n":
		t.path = emptyArea
	}
}

// colour follows the fill colour.
func (t *painter) colour(op string, args []token) bool {
	const nearly = 0.96
	all := func(white func(float64) bool) bool {
		for i := range args {
			if !white(numberAt(args, i)) {
				return false
			}
		}
		return len(args) > 0
	}
	light := func(v float64) bool { return v >= nearly }
	none := func(v float64) bool { return v <= 1-nearly }
	switch op {
	case "g", "rg":
		t.state.white = all(light)
	case "k":
		t.state.white = all(none)
	case "cs":
		t.state.white, t.state.tint = false, t.isTint(stringAt(args, 0))
	case "sc", "scn":
		t.state.white = !t.state.tint && len(args) == 4 && all(none) || !t.state.tint && (len(args) == 1 || len(args) == 3) && args[0].kind == tokenNumber && all(light)
	default:
		return false
	}
	return true
}

// isTint reports whether the numbers of a colour space are not those of light or ink:
// 1 is then any colour.
func (t *painter) isTint(name string) bool {
	space := t.file.array(t.resource("ColorSpace", name))
	if len(space) == 0 {
		return name == "Pattern"
	}
	switch t.file.name(space[0]) {
	case "ICCBased", "CalRGB", "CalGray":
		return false
	}
	return true
}
