package extract

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds on what spans repeat.
const (
	maxColspan  = 50
	maxRowspan  = 200
	maxRepeated = 100 << 10 // bytes of a table
	maxCell     = 1500      // bytes of text in a cell of a data table
)

// table writes a data table as a Markdown table, a listing with line numbers as
// code, and the cells of a layout table as text in order.
func (w *writer) table(n *html.Node) {
	w.flush()
	rows, caption := tableRows(n)
	switch {
	case w.plain:
		for _, r := range rows {
			for _, c := range r.cells {
				w.space()
				w.children(c)
			}
		}
		return
	case w.listing(rows):
		return
	}
	if caption != nil {
		w.children(caption)
		w.flush()
	}
	if isLayout(n, rows) {
		for _, r := range rows {
			for _, c := range r.cells {
				w.flush()
				w.children(c)
			}
			w.flush()
		}
		return
	}
	if s := dataTable(rows, w.room); s != "" {
		if caption != nil {
			w.gap = 1
		}
		w.block(s)
	}
}

type tableRow struct {
	cells  []*html.Node
	header bool // in thead, or of th alone
}

func tableRows(table *html.Node) (rows []tableRow, caption *html.Node) {
	var foot []tableRow // shown last, wherever it is
	var walk func(n *html.Node, head bool, depth int)
	walk = func(n *html.Node, head bool, depth int) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			switch c.DataAtom {
			case atom.Caption:
				caption = c
			case atom.Thead, atom.Tbody, atom.Tfoot, atom.Form:
				if depth >= 4 {
					continue
				}
				before := len(rows)
				walk(c, c.DataAtom == atom.Thead, depth+1)
				if c.DataAtom == atom.Tfoot {
					foot = append(foot, rows[before:]...)
					rows = rows[:before]
				}
			case atom.Tr:
				rows = append(rows, rowOf(c, head))
			}
		}
	}
	walk(table, false, 0)
	return append(rows, foot...), caption
}

func rowOf(tr *html.Node, head bool) tableRow {
	r := tableRow{header: head}
	th := 0
	for c := tr.FirstChild; c != nil; c = c.NextSibling {
		switch c.DataAtom {
		case atom.Th:
			th++
			r.cells = append(r.cells, c)
		case atom.Td:
			r.cells = append(r.cells, c)
		}
	}
	others := len(r.cells) - th
	if th > 0 && r.cells[0].DataAtom == atom.Td && strings.TrimSpace(textOf(r.cells[0])) == "" {
		others-- // the corner of a table with row headers
	}
	r.header = head || th > 0 && others == 0
	return r
}

// roleTable writes a table that is one by its roles, and reports whether n is.
func (w *writer) roleTable(n *html.Node) bool {
	switch attribute(n.Attr, "role") {
	case "table", "grid", "treegrid":
	default:
		return false
	}
	var rows []tableRow
	columns := 0
	for c := range n.Descendants() {
		switch role := attribute(c.Attr, "role"); role {
		case "row":
			rows = append(rows, tableRow{header: true})
		case "cell", "gridcell", "columnheader", "rowheader":
			if len(rows) == 0 {
				return false
			}
			r := &rows[len(rows)-1]
			r.cells = append(r.cells, c)
			r.header = r.header && role == "columnheader"
			columns = max(columns, len(r.cells))
		}
	}
	if columns < 2 {
		return false
	}
	w.flush()
	if s := dataTable(rows, w.room); s != "" {
		w.block(s)
	}
	return true
}

// isLayout reports whether a table only arranges the parts of a page.
func isLayout(n *html.Node, rows []tableRow) bool {
	switch attribute(n.Attr, "role") {
	case "presentation", "none":
		return true
	case "table", "grid":
		return false
	}
	columns, headers := 0, 0
	headed := len(rows) > 1 && rows[0].header && len(rows[0].cells) > 1
	for _, r := range rows {
		columns = max(columns, len(r.cells))
		if r.header {
			headers++
		}
		for _, c := range r.cells {
			if c.DataAtom == atom.Th {
				headers++
			}
			if holdsBlocks(c, headed) || len(textOf(c)) > maxCell && headers == 0 {
				return true
			}
		}
	}
	return columns < 2 && headers == 0 || len(rows) == 1 && headers == 0
}

// holdsBlocks reports whether a cell has parts of a page in it. In a table with a row of
// headers, a small table without any in a cell is a part of it.
func holdsBlocks(cell *html.Node, headed bool) bool {
	for c := range cell.Descendants() {
		switch c.DataAtom {
		case atom.H1, atom.H2, atom.H3, atom.Pre, atom.Article, atom.Section, atom.Blockquote:
			return true
		case atom.Table:
			if size := len(strings.TrimSpace(textOf(c))); size > 0 && (!headed || size > maxCell || findElement(c, "th") != nil) {
				return true
			}
		}
	}
	return false
}

func dataTable(rows []tableRow, room int) string {
	var b strings.Builder
	spare := maxRepeated
	type span struct {
		text string
		left int
	}
	var spans []span // by column: a cell that goes on below
	written := 0
	for _, r := range rows {
		var cells []string
		fill := func() { // cells of the rows above
			for len(cells) < len(spans) && spans[len(cells)].left > 0 {
				s := &spans[len(cells)]
				s.left--
				cells = append(cells, s.text)
			}
		}
		for _, c := range r.cells {
			fill()
			s := cellText(c)
			cols, down := spanOf(c, "colspan", maxColspan), spanOf(c, "rowspan", maxRowspan)
			if cost := len(s) * (cols*down - 1); cost > spare {
				cols, down = 1, 1
			} else {
				spare -= cost
			}
			for range cols {
				at := len(cells)
				if down > 1 {
					for len(spans) <= at {
						spans = append(spans, span{})
					}
					spans[at] = span{s, down - 1}
				}
				cells = append(cells, s)
			}
		}
		fill()
		if strings.Join(cells, "") == "" {
			continue
		}
		if written == 0 && !r.header { // Markdown has no table without a header
			writeRow(&b, make([]string, len(cells)))
			writeRule(&b, len(cells))
		}
		writeRow(&b, cells)
		if written == 0 && r.header {
			writeRule(&b, len(cells))
		}
		if written++; b.Len() > room {
			break
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

func spanOf(c *html.Node, key string, limit int) int {
	v, err := strconv.Atoi(strings.TrimSpace(attribute(c.Attr, key)))
	if err == nil && v == 0 && key == "rowspan" {
		return limit // to the end of the table
	}
	if err != nil || v < 1 {
		return 1
	}
	return min(v, limit)
}

func writeRow(b *strings.Builder, cells []string) {
	b.WriteByte('|')
	for _, c := range cells {
		b.WriteByte(' ')
		b.WriteString(c)
		b.WriteString(" |")
	}
	b.WriteByte('\n')
}

func writeRule(b *strings.Builder, n int) {
	b.WriteString("|" + strings.Repeat("---|", n) + "\n")
}

// cellText is the text of a cell in one line.
func cellText(c *html.Node) string {
	inner := &writer{plain: true, room: MaxInput}
	inner.cell(c)
	s := text.Squash(string(inner.out) + " " + string(inner.para)) // blocks in inline elements are written to out
	return strings.ReplaceAll(s, "|", "\\|")
}

// cell writes the content of a cell: blocks are separated by spaces, items of a
// list by semicolons.
func (w *writer) cell(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type == html.TextNode:
			w.write(c.Data)
		case c.Type != html.ElementNode:
		case c.DataAtom == atom.Li:
			if w.trimSpace(); len(w.para) > 0 && previousElement(c) != nil {
				w.para = append(w.para, "; "...)
			}
			w.cell(c)
		case isInline(c) || c.Data == formulaTag || c.DataAtom == atom.Br:
			w.element(c)
		default:
			w.space()
			w.cell(c)
			w.space()
		}
	}
}

// listing writes a table of line numbers and code as code.
func (w *writer) listing(rows []tableRow) bool {
	var lines []string
	var code *html.Node
	for _, r := range rows {
		if len(r.cells) != 2 || !isLineNumbers(r.cells[0]) {
			return false
		}
		pre := findElement(r.cells[1], "pre")
		if pre == nil {
			if code = findElement(r.cells[1], "code"); code == nil && !isCodeCell(r.cells[1]) {
				return false
			}
			pre = r.cells[1]
		}
		code = pre
		lines = append(lines, codeText(pre))
	}
	if len(lines) == 0 {
		return false
	}
	w.fence(strings.Join(lines, "\n"), codeLanguage(code))
	return true
}

func isCodeCell(n *html.Node) bool {
	class := strings.ToLower(attribute(n.Attr, "class"))
	return strings.Contains(class, "code") || strings.Contains(class, "blob-code") || strings.Contains(class, "line")
}

// isLineNumbers reports whether a cell holds nothing but numbers.
func isLineNumbers(n *html.Node) bool {
	s := textOf(n)
	if strings.TrimSpace(s) == "" {
		class := strings.ToLower(attribute(n.Attr, "class"))
		return has(n.Attr, "data-line-number") || strings.Contains(class, "gutter") || strings.Contains(class, "lineno") || strings.Contains(class, "blob-num")
	}
	for _, r := range s {
		if (r < '0' || r > '9') && r != ' ' && r != '\n' && r != '\t' && r != '\r' && r != '\u00a0' {
			return false
		}
	}
	return true
}
