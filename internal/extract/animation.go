package extract

import (
	"golang.org/x/net/html"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

// patience is how long a reader waits for an animation, in seconds.
const patience = 60

// animate applies the frame of an animation that a reader sees: the last one if the
// animation keeps it, the first one while it does not run, and any if all of them hide
// the element. A script may start an animation that is paused. Where it is not clear which
// frame is seen, none is applied.
func (w *walker) animate(n *html.Node, parent *state) {
	a, ok := w.cascade.Animation(&w.style)
	if !ok {
		return
	}
	switch {
	case a.Infinite && !a.Paused && a.Duration > 0 && a.Delay <= patience && w.alwaysHides(n, parent, a):
		w.cascade.Frame(a, css.LastFrame, &w.style)
	case a.Unclear:
	case a.Delay > patience:
		if a.Before {
			w.cascade.Frame(a, css.FirstFrame, &w.style)
		}
	case a.Paused:
		if a.Delay == 0 || a.Before {
			w.cascade.Frame(a, css.FirstFrame, &w.style)
			w.style.Ended = !w.controls.scripts
		}
	case a.Duration > 10*patience && !a.Between && !a.AtEnd:
		w.cascade.Frame(a, css.FirstFrame, &w.style)
	case !a.Infinite && a.After && a.Delay+a.Count*a.Duration <= patience:
		w.cascade.Frame(a, css.LastFrame, &w.style)
	}
}

// alwaysHides reports whether an element is hidden in all frames of an animation, and
// between them. The style is that without it, as before.
func (w *walker) alwaysHides(n *html.Node, parent *state, a css.Animation) bool {
	defer w.cascade.Style(n, parent.env, &w.style, false)
	frames := []int{css.LastFrame, css.FirstFrame}
	if a.AtEnd && !a.Unclear { // its first frame is never seen
		frames = frames[:1]
	}
	for i := range w.cascade.Frames(a) {
		frames = append(frames, i)
	}
	var path route
	for _, frame := range frames {
		w.cascade.Style(n, parent.env, &w.style, false)
		w.cascade.Frame(a, frame, &w.style)
		s, v := compute(n, parent, &w.style)
		if v != hidden && s.text() != hidden {
			return false
		}
		path.add(&s, &w.style)
	}
	return a.AtEnd || !path.crosses
}

// route is the way of an element from frame to frame of an animation.
type route struct {
	crosses          bool // it may be seen on the way
	frames           int
	shape            string // what places and clips it otherwise than by lengths
	minX, maxX, minY float64
	maxY             float64
}

func (r *route) add(s *state, st *css.Style) {
	shape := ""
	for _, p := range []css.Prop{css.Clip, css.ClipPath, css.Rotate, css.MarginLeft, css.MarginRight, css.MarginTop, css.MarginBottom} {
		shape += st.Get(p).String() + ";"
	}
	for _, p := range []css.Prop{css.Translate, css.Left, css.Right, css.Top, css.Bottom} {
		if v := st.Get(p); v.Percent() {
			shape += v.String() + ";"
		}
	}
	for _, f := range st.Get(css.Transform).Functions() {
		switch f.Name {
		case "translatex", "translatey", "translate", "translate3d", "scale", "scalex", "scaley", "scale3d":
			if !f.Value(0).Percent() && !f.Value(1).Percent() {
				continue
			}
		}
		shape += f.Name + f.Raw + ";"
	}
	x, y := s.x+s.mx, s.y+s.my
	if r.frames == 0 {
		r.shape, r.minX, r.maxX, r.minY, r.maxY = shape, x, x, y, y
	}
	r.frames++
	r.minX, r.maxX, r.minY, r.maxY = min(r.minX, x), max(r.maxX, x), min(r.minY, y), max(r.maxY, y)
	r.crosses = r.crosses || shape != r.shape || r.minX < 0 && r.maxX > 0 || r.minY < 0 && r.maxY > 0
}
