package extract

import (
	"math"
	"strings"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

// effects judges opacity, filters, masks and clips.
func (c *computation) effects() {
	s := c.s
	if v := c.get(css.Opacity); !v.Empty() {
		if o, ok := v.Length(css.Units{Percent: 1}, true); ok {
			s.opacity *= max(0, min(1, o))
		} else if v.Keyword() == "" {
			c.hide(doubtful)
		}
	}
	for _, f := range c.get(css.Filter).Functions() {
		c.filter(f)
	}
	if s.opacity < minOpacity {
		c.worst, c.fading = hidden, true
	}
	if v := c.get(css.MaskImage); !v.Empty() && v.Keyword() != "none" {
		c.mask(v)
	}
	if v := c.get(css.MaskSize); !v.Empty() {
		for _, l := range v.Lengths(css.Units{Percent: 100}) {
			if l == 0 {
				c.hide(hidden)
			}
		}
	}
	for _, f := range c.get(css.Clip).Functions() {
		c.clip(f)
	}
	v := c.get(css.ClipPath)
	for _, f := range v.Functions() {
		c.clipPath(f)
	}
	if v.IsURL() {
		c.hide(doubtful)
	}
}

func (c *computation) filter(f css.Function) {
	v, ok := f.Arg(0, css.Units{Em: c.s.fontSize, Percent: 1})
	switch f.Name {
	case "opacity":
		if ok {
			c.s.opacity *= max(0, min(1, v))
		}
	case "blur":
		switch {
		case ok && v >= max(3, 0.2*c.s.fontSize):
			c.hide(hidden)
		case ok && v > 1:
			c.hide(doubtful)
		}
	case "brightness":
		if ok && v >= 5 {
			c.hide(hidden)
		}
	case "contrast":
		if ok && v < 0.1 {
			c.hide(hidden)
		}
	case "invert":
		if ok && v > 0.4 && v < 0.6 {
			c.hide(hidden)
		}
	case "url":
		c.hide(doubtful)
	}
}

// mask judges a mask: a gradient shows as much as its most opaque colour.
func (c *computation) mask(v css.Value) {
	img := v.Image(c.s.color)
	most := 0.0
	for _, col := range img.Colors {
		most = max(most, col.A)
	}
	switch {
	case img.Other:
		c.hide(doubtful)
	case len(img.Colors) > 0 && most < minOpacity:
		c.hide(hidden)
	case len(img.Colors) == 0:
		c.hide(doubtful)
	}
}

// clip judges rect() of the old clip property.
func (c *computation) clip(f css.Function) {
	if f.Name != "rect" {
		return
	}
	u := c.s.units()
	top, tok := f.Arg(0, u)
	right, rok := f.Arg(1, u)
	bottom, bok := f.Arg(2, u)
	left, lok := f.Arg(3, u)
	if f.Word(0) == "auto" {
		tok = true
	}
	if f.Word(3) == "auto" {
		lok = true
	}
	if tok && bok && bottom-top <= minBox || rok && lok && right-left <= minBox {
		c.hide(hidden)
	}
}

// A box of this size stands in for the element in shapes.
const shapeWidth, shapeHeight = 600.0, 100.0

func (c *computation) clipPath(f css.Function) {
	x, y := c.s.units(), c.s.units()
	x.Percent, y.Percent = shapeWidth, shapeHeight
	small := func(w, h float64) {
		if w <= minBox || h <= minBox {
			c.hide(hidden)
		}
	}
	switch f.Name {
	case "inset":
		c.inset(f, x, y)
	case "circle", "ellipse":
		c.round(f, x, y)
	case "polygon":
		pts, ok := f.Points(x, y)
		if !ok {
			c.hide(doubtful)
			return
		}
		if visibleArea(pts) <= minBox*minBox {
			c.hide(hidden)
		}
	case "rect":
		t, _ := f.Arg(0, y)
		r, rok := f.Arg(1, x)
		b, bok := f.Arg(2, y)
		l, _ := f.Arg(3, x)
		if rok && bok {
			small(min(r, shapeWidth)-l, min(b, shapeHeight)-t)
		}
	case "xywh":
		left, _ := f.Arg(0, x)
		top, _ := f.Arg(1, y)
		w, wok := f.Arg(2, x)
		h, hok := f.Arg(3, y)
		if wok && hok {
			small(min(left+w, shapeWidth)-max(left, 0), min(top+h, shapeHeight)-max(top, 0))
		}
	case "path", "shape":
		if strings.Count(f.Raw, " ")+strings.Count(f.Raw, ",") < 6 {
			c.hide(hidden) // fewer than three points
		} else {
			c.hide(doubtful)
		}
	default:
		c.hide(doubtful)
	}
}

func (c *computation) inset(f css.Function, x, y css.Units) {
	var v []float64
	for i := range f.Len() {
		u := y
		if i%2 == 1 {
			u = x
		}
		if f.Word(i) == "round" {
			break
		}
		l, ok := f.Arg(i, u)
		if !ok {
			c.hide(doubtful)
			return
		}
		v = append(v, l)
	}
	if len(v) == 0 {
		return
	}
	if len(v) == 1 {
		h, _ := f.Arg(0, x)
		v = []float64{v[0], h, v[0], h}
	}
	if len(v) == 2 {
		v = append(v, v[0])
	}
	if len(v) == 3 {
		v = append(v, v[1])
	}
	if v[0]+v[2] >= shapeHeight-minBox || v[1]+v[3] >= shapeWidth-minBox {
		c.hide(hidden)
	}
}

// round judges circle() and ellipse().
func (c *computation) round(f css.Function, x, y css.Units) {
	if f.Len() == 0 {
		return
	}
	r, ok := f.Arg(0, x)
	if !ok {
		if w := f.Word(0); strings.HasPrefix(w, "closest") || strings.HasPrefix(w, "farthest") || w == "at" {
			return
		}
		c.hide(doubtful)
		return
	}
	if f.Name == "ellipse" {
		if q, ok := f.Arg(1, y); ok {
			r = min(r, q)
		}
	}
	if r <= minBox {
		c.hide(hidden)
		return
	}
	for i := range f.Len() { // its centre
		if f.Word(i) != "at" {
			continue
		}
		cx, xok := f.Arg(i+1, x)
		cy, yok := f.Arg(i+2, y)
		if xok && (cx+r <= 0 || cx-r >= shapeWidth) || yok && (cy+r <= 0 || cy-r >= shapeHeight) {
			c.hide(hidden)
		}
	}
}

// visibleArea is the area of a polygon after moving its points into the box.
func visibleArea(pts [][2]float64) float64 {
	sum := 0.0
	inside := func(p [2]float64) (float64, float64) {
		return max(0, min(shapeWidth, p[0])), max(0, min(shapeHeight, p[1]))
	}
	for i, p := range pts {
		ax, ay := inside(p)
		bx, by := inside(pts[(i+1)%len(pts)])
		sum += ax*by - bx*ay
	}
	return math.Abs(sum) / 2
}

// drawsText reports whether a text-shadow is sharp enough to be read.
func drawsText(v css.Value, s *state) bool {
	if v.Keyword() != "" || v.Has("transparent") {
		return false
	}
	blur := 0.0
	n := 0
	for _, w := range v.Split() {
		if l, ok := w.Length(s.units(), true); ok {
			if n++; n == 3 {
				blur = l
			}
		}
	}
	return blur <= 2
}

// fades reports whether an element that opacity alone hides looks like one that a
// script or an animation fades in.
func (c *computation) fades() bool {
	if !c.fading || c.other || c.st.Ended {
		return false
	}
	return c.shifted || c.st.Set(css.Transition) || c.st.Set(css.AnimationName) || shownByScript(c.n)
}
