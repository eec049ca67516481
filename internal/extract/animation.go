package extract

import (
	"golang.org/x/net/html"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

// patience is how long a reader waits for an animation, in seconds.
const patience = 60

// animate applies the frame of an animation that a reader sees: the last one if the
// animation keeps it, the first one while it does not run, and any if all of them hide
// the element. A script may start an animation that is paused.
func (w *walker) animate(n *html.Node, parent *state) {
	a, ok := w.cascade.Animation(&w.style)
	if !ok {
		return
	}
	switch {
	case a.Delay > patience:
		if a.Before {
			w.cascade.Frame(a, css.FirstFrame, &w.style)
		}
	case a.Paused || a.Duration > 10*patience:
		w.cascade.Frame(a, css.FirstFrame, &w.style)
		w.style.Ended = !a.Paused || !w.controls.scripts
	case a.Infinite && a.AtEnd, !a.Infinite && a.After:
		w.cascade.Frame(a, css.LastFrame, &w.style)
	case a.Infinite && a.Duration > 0 && w.alwaysHides(n, parent, a):
		w.cascade.Frame(a, css.LastFrame, &w.style)
	}
}

// alwaysHides reports whether an element is hidden in all frames of an animation. The
// style is that without it, as before.
func (w *walker) alwaysHides(n *html.Node, parent *state, a css.Animation) bool {
	defer w.cascade.Style(n, parent.env, &w.style, false)
	hides := func() bool {
		s, v := compute(n, parent, &w.style)
		return v == hidden || s.text() == hidden
	}
	for _, end := range []int{css.FirstFrame, css.LastFrame} {
		w.cascade.Style(n, parent.env, &w.style, false)
		if w.cascade.Frame(a, end, &w.style); !hides() {
			return false
		}
	}
	for i := range w.cascade.Frames(a) {
		w.cascade.Style(n, parent.env, &w.style, false)
		if w.cascade.Frame(a, i, &w.style); !hides() {
			return false
		}
	}
	return true
}
