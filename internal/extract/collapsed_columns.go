package extract

import (
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

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
