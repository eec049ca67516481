package terminal

import (
	"strings"
	"unicode"
)

// Layout of tables.
const (
	columnGap = "  "
	leastLast = 24 // columns of the last cell, if it is broken into lines
)

// Table returns rows as aligned columns, each behind indent, with a line end. On a
// screen that is too narrow the last cell is broken into lines, or, if too little room is
// left for it or for one of its words, each cell of a row is below the first one. Rows may have different
// lengths; a row of one cell is a line of its own.
func (s Screen) Table(rows [][]string, indent string) string {
	widths := columnWidths(rows)
	before, last := Columns(indent), 0
	for i, w := range widths {
		if i == len(widths)-1 {
			last = w
			break
		}
		before += w + len(columnGap)
	}
	var out strings.Builder
	for _, row := range rows {
		switch {
		case len(row) == 0:
		case len(row) == 1:
			out.WriteString(s.Wrap(row[0], indent, indent+columnGap))
		case s.Width > 0 && s.Width-before < max(min(leastLast, last), longestWord(row[len(row)-1])):
			out.WriteString(s.stacked(row, indent))
		default:
			out.WriteString(s.aligned(row, widths, indent))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// longestWord is the width of the widest word in a cell.
func longestWord(cell string) int {
	n := 0
	for _, w := range words([]span{{text: cell}}) {
		n = max(n, w.width)
	}
	return n
}

// columnWidths is the width of each column. Rows of one cell do not count.
func columnWidths(rows [][]string) []int {
	var out []int
	for _, row := range rows {
		if len(row) < 2 {
			continue
		}
		for i, cell := range row {
			if i == len(out) {
				out = append(out, 0)
			}
			out[i] = max(out[i], Columns(cell))
		}
	}
	return out
}

// aligned is a row in columns, whose last cell may have several lines.
func (s Screen) aligned(row []string, widths []int, indent string) string {
	line := indent
	for i, cell := range row[:len(row)-1] {
		line += cell + strings.Repeat(" ", widths[i]-Columns(cell)) + columnGap
	}
	out := s.Wrap(row[len(row)-1], line, strings.Repeat(" ", Columns(line)))
	return trimEnds(out)
}

// stacked is a row with a line for each cell.
func (s Screen) stacked(row []string, indent string) string {
	lines := make([]string, 0, len(row))
	for i, cell := range row {
		switch {
		case i == 0:
			lines = append(lines, s.Wrap(cell, indent, indent))
		case cell != "":
			lines = append(lines, s.Wrap(cell, indent+columnGap, indent+columnGap))
		}
	}
	return strings.Join(lines, "\n")
}

func trimEnds(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRightFunc(line, unicode.IsSpace)
	}
	return strings.Join(lines, "\n")
}
