package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

// clipBox is a box that shows only what is within it, and where in it the next text is at
// least, in pixels. Lengths that are not known count as nothing.
type clipBox struct {
	by       *html.Node // nil if there is none
	w, h     float64    // 0 if not known
	x, y     float64
	margin   float64 // that collapses with the next one
	placed   bool    // it is the containing block of positioned elements
	fromX    float64 // x and y of the nearest positioned element in it
	fromY    float64
	flexible bool // it moves what is in it: a slider, or a caption that slides in
}

// hides reports whether text is out of the box.
func (b *clipBox) hides(s *state) bool {
	if b.by == nil || b.flexible {
		return false
	}
	below := b.y
	if s.lineHeight > 3*s.fontSize { // text is in the middle of its line
		below += (s.lineHeight - s.fontSize) / 2
	}
	return b.h > 0 && below >= b.h || b.w > 0 && (b.x >= b.w || s.indent >= b.w && s.nowrap)
}

// clipTo begins a box of a size that hides what is out of it. One of which a control
// beside it shows more is none.
func (c *computation) clipTo(w float64, wok bool, h float64, hok bool) {
	clips := func(p css.Prop) bool { k := c.get(p).Keyword(); return k == "hidden" || k == "clip" }
	if !wok || !clips(css.OverflowX) {
		w = 0
	}
	if !hok || !clips(css.OverflowY) {
		h = 0
	}
	if w == 0 && h == 0 {
		return
	}
	b := clipBox{by: c.n, w: w, h: h, flexible: c.st.Set(css.Transition) || hasControlBelow(c.n) || isMoving(c.n)}
	for i, side := range []css.Prop{css.PaddingLeft, css.PaddingTop} {
		if v, ok := c.length(side, c.s.units()); ok && v > 0 && !c.get(side).Percent() {
			*[]*float64{&b.x, &b.y}[i] += v
		}
	}
	c.s.clip = b
}

// within moves the place of text in the box that clips it.
func (c *computation) within(position string) {
	b := &c.s.clip
	if b.by == nil {
		return
	}
	if b.by == c.n {
		b.placed = position != "" && position != "static"
		return
	}
	u := c.s.units()
	length := func(p css.Prop) float64 {
		v, ok := c.length(p, u)
		if !ok || c.get(p).Percent() {
			return 0
		}
		return v
	}
	switch position {
	case "fixed":
		*b = clipBox{}
		return
	case "absolute":
		if !b.placed {
			*b = clipBox{}
			return
		}
		b.x, b.y, b.margin = b.fromX+c.offset(css.Left, b.w), b.fromY+c.offset(css.Top, b.h), 0
	case "relative":
		b.x, b.y = b.x+length(css.Left), b.y+length(css.Top)
	}
	if c.st.Set(css.Transition) || c.st.Set(css.AnimationName) {
		b.flexible = true
	}
	top := length(css.MarginTop)
	b.x += max(0, length(css.MarginLeft)) + max(0, length(css.PaddingLeft))
	b.y += max(0, top-b.margin)
	b.margin = max(b.margin, top)
	if pad := length(css.PaddingTop); pad > 0 {
		b.y, b.margin = b.y+pad, 0
	}
	if position != "" && position != "static" {
		b.fromX, b.fromY = b.x, b.y
	}
}

// offset is how far an inset moves an element; percent is the size that it is a share of.
func (c *computation) offset(p css.Prop, percent float64) float64 {
	u := c.s.units()
	u.Percent = percent
	v, ok := c.length(p, u)
	if !ok {
		return 0
	}
	return v
}

// isMoving reports whether an element is named as one that shows its parts in turn.
func isMoving(n *html.Node) bool {
	class := strings.ToLower(attribute(n.Attr, "class"))
	for _, word := range []string{"slide", "slider", "carousel", "swiper", "marquee", "ticker", "scroll", "collaps", "expand", "accordion", "tab", "card"} {
		if strings.Contains(class, word) {
			return true
		}
	}
	return false
}

// hasControlBelow reports whether one of the next elements is a control, such as "Read
// more".
func hasControlBelow(n *html.Node) bool {
	tries := 0
	for e := n.NextSibling; e != nil && tries < 2; e = e.NextSibling {
		if e.Type != html.ElementNode {
			continue
		}
		tries++
		if controlIn(e, 3) != nil || e.DataAtom == atom.A {
			return true
		}
	}
	return false
}

// flow moves the place of text below an element of a height.
func (s *state) flow(height float64) {
	if s.clip.by != nil && height > 0 {
		s.clip.y += height
		s.clip.margin = 0
	}
}

// flowHeight is the height that an element has in the flow at least, if its style or its
// kind says so; else 0.
func flowHeight(n *html.Node, s *state, st *css.Style) float64 {
	if s.clip.by == nil || s.clip.by == n {
		return 0
	}
	if n.DataAtom == atom.Br {
		if s.lineHeight > 0 {
			return s.lineHeight
		}
		return s.fontSize
	}
	if k := st.Get(css.Position).Keyword(); k == "absolute" || k == "fixed" {
		return 0
	}
	switch k := st.Get(css.Display).Keyword(); {
	case k == "none" || strings.HasPrefix(k, "inline"), k == "" && isInline(n):
		return 0
	}
	v := st.Get(css.Height)
	if v.Percent() {
		return 0
	}
	h, _ := v.Length(s.units(), false)
	return max(0, h)
}

// cover is an element that covers all of another: its containing block.
type cover struct{ block, by *html.Node }

// note takes account of an element that is positioned, and of columns that are collapsed.
// The walker's style is that of the element.
func (w *walker) note(n *html.Node, s *state) {
	if n.DataAtom == atom.Table {
		w.collapse(n, s)
		return
	}
	position := w.style.Get(css.Position).Keyword()
	if position == "" || position == "static" {
		return
	}
	if position == "absolute" && s.holder != nil && w.coversAll(s) {
		w.covers = append(w.covers, cover{s.holder, n})
	}
	w.placed[n] = true
	s.holder = n
}

// coversAll reports whether an element has a colour of its own behind it, and the size of
// its containing block.
func (w *walker) coversAll(s *state) bool {
	st := &w.style
	if z, ok := st.Get(css.ZIndex).Length(s.units(), true); ok && z < 0 || s.opacity < 0.95 || s.invisible {
		return false
	}
	if col, state := st.Get(css.BackgroundColor).Color(s.color); state != css.Known || col.A < 0.95 {
		return false
	}
	u := css.Units{Percent: 100, Em: s.fontSize}
	is := func(p css.Prop, want float64) bool {
		v, ok := st.Get(p).Length(u, false)
		return ok && (want == 0 && v <= 0 || want > 0 && st.Get(p).Percent() && v >= want)
	}
	return is(css.Top, 0) && is(css.Left, 0) && (is(css.Right, 0) || is(css.Width, 100)) && (is(css.Bottom, 0) || is(css.Height, 100))
}

// uncover drops the text that is covered. Where the page has scripts, one of them may take
// the cover away, so that the text is doubtful.
func (w *walker) uncover() {
	for _, c := range w.covers {
		g := &group{}
		w.covered(c.block, c.by, g)
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

// covered collects the text in n that is below a cover: positioned elements may be above.
func (w *walker) covered(n, by *html.Node, g *group) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c == by || w.placed[c]:
		case c.Type == html.TextNode:
			g.add(c, letterCount(c.Data))
		default:
			w.covered(c, by, g)
		}
	}
}

// maxColumns bounds the columns of a table that are looked at.
const maxColumns = 1000

// collapse finds the cells of a table whose columns are not shown.
func (w *walker) collapse(table *html.Node, s *state) {
	var columns []bool
	any := false
	for n := range table.Descendants() {
		if n.DataAtom != atom.Col && (n.DataAtom != atom.Colgroup || hasColumns(n)) || tableOf(n) != table {
			continue
		}
		gone := w.isCollapsed(n, s) || n.Parent.DataAtom == atom.Colgroup && w.isCollapsed(n.Parent, s)
		any = any || gone
		for range min(spanOf(n, "span", maxColumns), maxColumns-len(columns)) {
			columns = append(columns, gone)
		}
	}
	if !any {
		return
	}
	if w.collapsed == nil {
		w.collapsed = map[*html.Node]bool{}
	}
	below := make([]int, maxColumns+1) // rows that a cell above still takes
	for row := range table.Descendants() {
		if row.DataAtom != atom.Tr || tableOf(row) != table {
			continue
		}
		w.collapseRow(row, columns, below)
	}
}

func (w *walker) collapseRow(row *html.Node, columns []bool, below []int) {
	at := 0
	for c := row.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom != atom.Td && c.DataAtom != atom.Th {
			continue
		}
		for at < maxColumns && below[at] > 0 {
			below[at]--
			at++
		}
		gone, rows := true, spanOf(c, "rowspan", maxColumns)
		for range spanOf(c, "colspan", maxColumns) {
			if at >= maxColumns {
				return
			}
			gone = gone && at < len(columns) && columns[at]
			below[at] = rows - 1
			at++
		}
		if gone {
			w.collapsed[c] = true
		}
	}
	for ; at < maxColumns; at++ {
		below[at] = max(0, below[at]-1)
	}
}

// isCollapsed reports whether a column is not shown. Only visibility hides one.
func (w *walker) isCollapsed(n *html.Node, s *state) bool {
	var st css.Style
	w.cascade.Style(n, s.env, &st, false)
	return st.Get(css.Visibility).Keyword() == "collapse"
}

func hasColumns(group *html.Node) bool {
	for c := group.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom == atom.Col {
			return true
		}
	}
	return false
}

func tableOf(n *html.Node) *html.Node {
	for n = n.Parent; n != nil && n.DataAtom != atom.Table; n = n.Parent {
	}
	return n
}
