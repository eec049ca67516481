package pdftext

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// tableOf returns how many rows from the first are a table, and its Markdown: one whose
// columns are far apart, or one whose cells are aligned, if that has more rows.
func tableOf(rows []row, script func(string, string, bool) string) (n int, text string) {
	n, text = tableAt(rows, script)
	if m, cells, columns := alignedAt(rows); m > n {
		return m, tableText(cells, columns, script)
	}
	return n, text
}

// Bounds of tables whose columns are near to each other, in sizes of their letters.
const (
	narrowGap = 0.45 // between columns; a space between words is about 0.25
	aligned   = 0.15 // how far edges of cells are apart
	minRows   = 3    // with the header
)

// alignedAt returns how many rows from the first are a table with narrow gaps: each row
// has a cell in each column, and the cells of a column have a common left or right edge,
// or middle. The header may be placed otherwise.
func alignedAt(rows []row) (n int, cells [][]row, columns []gap) {
	for i, r := range rows {
		c := r.cellsApart(narrowGap)
		if len(c) < 2 || i > 0 && (len(c) != len(cells[0]) || rows[i-1].y-r.y > 3*r.size || math.Abs(rows[0].size-r.size) > 0.08*r.size) || r.mono() {
			break
		}
		merged := mergeColumns(columns, c)
		if !inColumns(c, merged) || tooNear(merged, r.size) || i > 1 && !alignedWith(cells[1:], c, r.size) {
			break
		}
		columns = merged
		cells = append(cells, c)
	}
	if len(cells) < minRows || longCells(cells) || counts(cells) {
		return 0, nil, nil
	}
	return len(cells), cells, columns
}

// inColumns reports whether there is one cell in each column.
func inColumns(cells []row, columns []gap) bool {
	if len(cells) != len(columns) {
		return false
	}
	for i, c := range cells {
		if c.x0 < columns[i].lo || c.x1 > columns[i].hi {
			return false
		}
	}
	return true
}

func tooNear(columns []gap, size float64) bool {
	for i := 1; i < len(columns); i++ {
		if columns[i].lo-columns[i-1].hi < narrowGap*size {
			return true
		}
	}
	return false
}

// alignedWith reports whether each cell has an edge or its middle where those above it
// have theirs.
func alignedWith(above [][]row, cells []row, size float64) bool {
	for i, c := range cells {
		left, right, middle := true, true, true
		for _, r := range above {
			near := func(a, b float64) bool { return math.Abs(a-b) <= aligned*size }
			left = left && near(r[i].x0, c.x0)
			right = right && near(r[i].x1, c.x1)
			middle = middle && near((r[i].x0+r[i].x1)/2, (c.x0+c.x1)/2)
		}
		if !left && !right && !middle {
			return false
		}
	}
	return true
}

// counts reports whether the first of two columns only numbers the rows: a list.
func counts(cells [][]row) bool {
	last := math.MinInt
	for _, r := range cells {
		n, err := strconv.Atoi(r[0].words[0].s)
		if err != nil || len(r) != 2 || len(r[0].words) != 1 || last != math.MinInt && n != last+1 {
			return false
		}
		last = n
	}
	return true
}

// tableAt returns how many rows from the first are a table, and its Markdown.
func tableAt(rows []row, script func(string, string, bool) string) (n int, text string) {
	columns := []gap{}
	var cells [][]row
	for _, r := range rows {
		c := r.cells()
		if len(c) < 2 && len(cells) < 2 || n > 0 && (rows[n-1].y-r.y > 3*r.size || math.Abs(rows[0].size-r.size) > 0.08*r.size) {
			break
		}
		merged := mergeColumns(columns, c)
		if len(merged) < 2 || len(cells) > 0 && len(merged) < len(columns) || len(c) < 2 && len(merged) != len(columns) {
			break
		}
		columns = merged
		cells = append(cells, c)
		n++
	}
	for n > 0 && len(cells[n-1]) < 2 {
		n--
	}
	if n < 3 && (n < 2 || len(columns) < 3) || longCells(cells[:n]) {
		return 0, ""
	}
	return n, tableText(cells[:n], columns, script)
}

// longCells reports whether cells are lines of text rather than of a table: a list
// whose numbers stand apart, or columns.
func longCells(cells [][]row) bool {
	marks := 0
	for _, r := range cells {
		if _, ok := bullet(r[0].words[0].s + " x"); ok && len(r[0].words) == 1 {
			marks++
		}
	}
	return marks*2 > len(cells)
}

// mergeColumns widens columns by the cells of a row, and adds new ones.
func mergeColumns(columns []gap, cells []row) []gap {
	all := slices.Clone(columns)
	for _, c := range cells {
		all = append(all, gap{c.x0, c.x1})
	}
	slices.SortFunc(all, func(a, b gap) int {
		if a.lo < b.lo {
			return -1
		}
		return 1
	})
	var out []gap
	for _, g := range all {
		if n := len(out); n > 0 && g.lo < out[n-1].hi {
			out[n-1].hi = max(out[n-1].hi, g.hi)
			continue
		}
		out = append(out, g)
	}
	return out
}

func tableText(cells [][]row, columns []gap, script func(string, string, bool) string) string {
	var lines [][]string
	for _, r := range cells {
		line := make([]string, len(columns))
		for _, c := range r {
			at := slices.IndexFunc(columns, func(g gap) bool { return c.x0 >= g.lo-0.01 && c.x1 <= g.hi+0.01 })
			if at >= 0 {
				line[at] = strings.TrimSpace(line[at] + " " + strings.ReplaceAll(c.text(script), "|", `\|`))
			}
		}
		if line[0] == "" && len(r) == 1 && len(lines) > 1 { // a cell goes on in the next line
			above := lines[len(lines)-1]
			for i := range line {
				above[i] = strings.TrimSpace(above[i] + " " + line[i])
			}
			continue
		}
		lines = append(lines, line)
	}
	var out strings.Builder
	for i, line := range lines {
		out.WriteString("| " + strings.Join(line, " | ") + " |\n")
		if i == 0 {
			out.WriteString("|" + strings.Repeat("---|", len(columns)) + "\n")
		}
	}
	return strings.TrimSuffix(out.String(), "\n")
}
