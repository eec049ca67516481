package extract

import (
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

// note takes account of an element that is drawn above the flow, and of columns that are
// collapsed. The walker's style is that of the element.
func (w *walker) note(n *html.Node, s *state) {
	if n.DataAtom == atom.Table {
		w.collapse(n, s)
	}
	if n.DataAtom == atom.Details && !has(n.Attr, "open") {
		s.closed = true
	}
	st := &w.style
	position := st.Get(css.Position).Keyword()
	if !isPositioned(position) && !isLayered(st, s) && !floats(st) {
		return
	}
	w.placed[n] = true
	s.holder = nil
	if isPositioned(position) && holdsAll(n, st, position) {
		s.holder = n
	}
}

// isLayered reports whether an element that is not positioned may be drawn above those
// that are, or elsewhere than in the flow.
func isLayered(st *css.Style, s *state) bool {
	return hasAny(st, css.ZIndex, css.Opacity, css.Transform, css.Translate, css.Scale, css.Rotate, css.Zoom, css.Filter, css.BlendMode,
		css.ClipPath, css.MaskImage, css.OffsetPath, css.Transition, css.AnimationName, css.Contain) || misplaces(st, s)
}

// holdsAll reports whether a positioned element is as high as its content, so that what
// covers the element covers the content, too.
func holdsAll(n *html.Node, st *css.Style, position string) bool {
	if boxKindOf(n, st) != blockBox || hasAny(st, css.Height, css.MaxHeight, css.Flex) {
		return false
	}
	for _, p := range []css.Prop{css.OverflowX, css.OverflowY} {
		switch st.Get(p).Keyword() {
		case "auto", "scroll", "overlay":
			return false
		}
	}
	return (position != "absolute" && position != "fixed") || !hasValue(st, css.Top) || !hasValue(st, css.Bottom)
}

func hasAny(st *css.Style, props ...css.Prop) bool {
	for _, p := range props {
		if hasValue(st, p) {
			return true
		}
	}
	return false
}

// coversAll reports whether an element that is shown covers all of the positioned element
// around it: it has a colour of its own behind it, and the size of its containing block.
// The verdict on it is known.
func (w *walker) coversAll(n *html.Node, parent, s *state) bool {
	st := &w.style
	if st.Get(css.Position).Keyword() != "absolute" || parent.holder == nil || s.closed || s.invisible || s.opacity < parent.opacity {
		return false
	}
	if hasAny(st, css.Transform, css.Translate, css.Scale, css.Rotate, css.Zoom, css.Filter, css.BlendMode, css.Clip, css.ClipPath, css.MaskImage,
		css.OffsetPath, css.Transition, css.AnimationName, css.MaxWidth, css.MaxHeight, css.BackgroundClip) || boxKindOf(n, st) != blockBox {
		return false
	}
	if n.DataAtom == atom.Dialog && !has(n.Attr, "open") || has(n.Attr, "popover") { // aria-hidden does not hide a cover
		return false
	}
	if z, ok := st.Get(css.ZIndex).Length(s.units(), true); ok && z < 0 {
		return false
	}
	if col, state := st.Get(css.BackgroundColor).Color(s.color); state != css.Known || col.A < 0.95 {
		return false
	}
	return spans(st, s, css.Left, css.Right, css.Width, css.MarginLeft, css.MarginRight) &&
		spans(st, s, css.Top, css.Bottom, css.Height, css.MarginTop, css.MarginBottom)
}

// spans reports whether an absolute element reaches from one side of its containing block
// to the other.
func spans(st *css.Style, s *state, from, to, size, marginFrom, marginTo css.Prop) bool {
	u := css.Units{Percent: 100, Em: s.fontSize}
	for _, p := range []css.Prop{marginFrom, marginTo} {
		if v, ok := st.Get(p).Length(u, false); hasValue(st, p) && (!ok || v != 0) {
			return false
		}
	}
	start, ok := st.Get(from).Length(u, false)
	if !ok || start > 0 {
		return false
	}
	if !hasValue(st, size) {
		end, ok := st.Get(to).Length(u, false)
		return ok && end <= 0
	}
	v, ok := st.Get(size).Length(u, false)
	return ok && st.Get(size).Percent() && start == 0 && v >= 100
}

// cover notes that what is in an element is covered, apart from what is above the flow.
func (w *walker) cover(holder *html.Node) {
	if !w.covered[holder] {
		w.covered[holder] = true
		w.covers = append(w.covers, holder)
	}
}

// uncover drops the text that is covered. Where the page has scripts, one of them may take
// the cover away, so that the text is doubtful. No element is visited twice: one in
// another is above the flow of that one.
func (w *walker) uncover() {
	for _, holder := range w.covers {
		g := &group{}
		w.below(holder, g)
		if w.controls.scripts {
			w.groups = append(w.groups, g)
			continue
		}
		for _, n := range g.nodes {
			size := letterCount(n.Data)
			w.kept, w.removed = w.kept-size, w.removed+size
			n.Parent.RemoveChild(n)
		}
	}
}

// below collects the text in the flow of n.
func (w *walker) below(n *html.Node, g *group) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case w.placed[c] || c.DataAtom == atom.Script:
		case c.Type == html.TextNode:
			g.add(c, letterCount(c.Data))
		default:
			w.below(c, g)
		}
	}
}
