package markup

import "strings"

// grid reads a table with drawn cells.
func (r *rstReader) grid() {
	lines := r.paragraphLines()
	var columns []int
	for i, c := range lines[0] {
		if c == '+' {
			columns = append(columns, i)
		}
	}
	var rows [][]string
	row := make([]string, len(columns)-1)
	for _, l := range lines[1:] {
		if strings.HasPrefix(l, "+") {
			rows = append(rows, rstInlineAll(row))
			row = make([]string, len(columns)-1)
			continue
		}
		for c := range row {
			row[c] = strings.TrimSpace(row[c] + " " + strings.Trim(cut(l, columns[c], columns[c+1]), "| "))
		}
	}
	r.w.line(0, "")
	writeTable(r.w, r.base, rows)
}

// cut is the runes of l between two columns.
func cut(l string, from, to int) string {
	runes := []rune(l)
	return string(runes[min(from, len(runes)):min(to, len(runes))])
}

// simpleTable reads a table with columns marked by "=====".
func (r *rstReader) simpleTable() {
	ruler := r.peek(0)
	var columns []int
	for i := range ruler {
		if ruler[i] == '=' && (i == 0 || ruler[i-1] == ' ') {
			columns = append(columns, i)
		}
	}
	columns = append(columns, 1<<20)
	r.at++
	var rows [][]string
	rulers := 1
	for r.at < len(r.lines) {
		l := r.lines[r.at]
		r.at++
		if strings.HasPrefix(l, "=") && strings.Trim(l, "= ") == "" {
			if rulers++; r.peek(0) == "" && rulers > 1 && len(rows) > 0 {
				break
			}
			continue
		}
		if l == "" || strings.Trim(l, "- ") == "" {
			continue
		}
		row := make([]string, len(columns)-1)
		for c := range row {
			row[c] = rstInline(strings.TrimSpace(cut(l, columns[c], columns[c+1])))
		}
		if row[0] == "" && len(rows) > 0 { // goes on with the row above
			for c := range row {
				rows[len(rows)-1][c] = strings.TrimSpace(rows[len(rows)-1][c] + " " + row[c])
			}
			continue
		}
		rows = append(rows, row)
	}
	r.w.line(0, "")
	writeTable(r.w, r.base, rows)
}

// listTable reads a table written as a list of lists.
func (r *rstReader) listTable(body []string) {
	var rows [][]string
	for _, l := range body {
		switch trimmed := strings.TrimSpace(l); {
		case strings.HasPrefix(l, "* - "):
			rows = append(rows, []string{rstInline(l[4:])})
		case strings.HasPrefix(trimmed, "- ") && len(rows) > 0 && indentOf(l) == 2:
			rows[len(rows)-1] = append(rows[len(rows)-1], rstInline(trimmed[2:]))
		case trimmed != "" && len(rows) > 0:
			last := rows[len(rows)-1]
			last[len(last)-1] = strings.TrimSpace(last[len(last)-1] + " " + rstInline(trimmed))
		}
	}
	r.w.line(0, "")
	writeTable(r.w, r.base, rows)
}
