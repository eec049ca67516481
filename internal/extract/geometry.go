package extract

import (
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

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
