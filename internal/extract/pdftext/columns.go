package pdftext

// Bounds of columns.
const (
	minGutter     = 0.8 // ems between columns
	minGutterFew  = 1.5 // where only two rows show it
	maxColumnCuts = 12  // columns within columns
	maxScripts    = 12  // letters of a side of nothing but exponents and indices
)

// band is a part of a region in which a gutter parts two columns.
type band struct {
	top, bottom int // rows, bottom not included
	gutter      gap
	both        int // rows with words on both sides
}

// regions cuts words into regions in reading order: what is above two columns, the
// left one, the right one, what is below.
func regions(words []word, depth int) [][]word {
	rows := rowsOf(words)
	b, found := widestBand(rows, depth)
	if !found || depth >= maxColumnCuts {
		if len(words) == 0 {
			return nil
		}
		return [][]word{words}
	}
	above, below := wordsOf(rows[:b.top]), wordsOf(rows[b.bottom:])
	var left, right []word
	middle := (b.gutter.lo + b.gutter.hi) / 2
	for _, w := range wordsOf(rows[b.top:b.bottom]) {
		if w.x0 >= middle {
			right = append(right, w)
		} else {
			left = append(left, w)
		}
	}
	var out [][]word
	for _, part := range [][]word{above, left, right, below} {
		out = append(out, regions(part, depth+1)...)
	}
	return out
}

func wordsOf(rows []row) (out []word) {
	for _, r := range rows {
		out = append(out, r.words...)
	}
	return out
}

// widestBand returns the band with most rows.
func widestBand(rows []row, depth int) (best band, found bool) {
	known := make([][]gap, len(rows)) // gutters that were looked at from a row above
	for i := range rows {
		for _, g := range gutters(rows[i:min(i+2, len(rows))]) {
			if g.width() < 5 || contained(known[i], g) {
				continue
			}
			b := extend(rows, i, g)
			for j := b.top; j < b.bottom; j++ {
				known[j] = append(known[j], b.gutter)
			}
			b = trimmed(rows, b)
			if areColumns(rows, b, depth) && (!found || b.both > best.both || b.both == best.both && b.gutter.width() > best.gutter.width()) {
				best, found = b, true
			}
		}
	}
	return best, found
}

// gutters are the gaps in the first of two rows, and that between them if they stand
// side by side at different heights.
func gutters(rows []row) []gap {
	out := rows[0].gaps(0.6 * rows[0].size)
	if len(rows) < 2 {
		return out
	}
	a, b := rows[0], rows[1]
	if a.x0 > b.x0 {
		a, b = b, a
	}
	if b.x0-a.x1 >= 0.6*a.size {
		out = append(out, gap{a.x1, b.x0})
	}
	return out
}

func contained(known []gap, g gap) bool {
	for _, k := range known {
		if k.lo >= g.lo-0.1 && k.hi <= g.hi+0.1 {
			return true
		}
	}
	return false
}

// extend finds the rows around row i that leave a gutter free.
func extend(rows []row, i int, g gap) band {
	b := band{top: i, bottom: i + 1, gutter: g}
	least := minGutter * rows[i].size
	grow := func(j int) bool {
		free := rows[j].clear(b.gutter)
		if free.width() < min(least, g.width()) {
			return false
		}
		b.gutter = free
		return true
	}
	for b.bottom < len(rows) && grow(b.bottom) {
		b.bottom++
	}
	for b.top > 0 && grow(b.top-1) {
		b.top--
	}
	return b
}

// trimmed leaves out rows at the top and bottom that are on one side, and stand
// apart from the rows of the columns.
func trimmed(rows []row, b band) band {
	middle := (b.gutter.lo + b.gutter.hi) / 2
	oneSided := func(i int) bool {
		left, right := rows[i].sides(middle)
		return left.words == 0 || right.words == 0
	}
	apart := func(i, j int) bool { return rows[i].y-rows[j].y > 1.9*max(rows[i].size, rows[j].size) }
	last, first := b.bottom, b.top
	for first < last && oneSided(first) {
		first++
	}
	for last > first && oneSided(last-1) {
		last--
	}
	if first == last { // the lines of the columns stand at different heights
		return b
	}
	for j := last; j < b.bottom; j++ {
		if apart(j-1, j) {
			b.bottom = j
			break
		}
	}
	for j := first; j > b.top; j-- {
		if apart(j-1, j) {
			b.top = j
			break
		}
	}
	return b
}

// areColumns reports whether both sides of a gutter are text rather than the cells of
// a table, the numbers of a list or a margin.
func areColumns(rows []row, b band, depth int) bool {
	middle := (b.gutter.lo + b.gutter.hi) / 2
	var leftRows, rightRows, leftProse, rightProse int
	var leftTop, leftEnd, rightTop, rightEnd float64
	body := bodySize(rows[b.top:b.bottom])
	for _, r := range rows[b.top:b.bottom] {
		l, m := r.sides(middle)
		l, m = l.withoutScripts(body), m.withoutScripts(body)
		if l.words > 0 {
			if leftRows == 0 {
				leftTop = r.y
			}
			leftRows++
			leftProse += l.prose()
			leftEnd = r.y
		}
		if m.words > 0 {
			if rightRows == 0 {
				rightTop = r.y
			}
			rightRows++
			rightProse += m.prose()
			rightEnd = r.y
		}
		if l.words > 0 && m.words > 0 {
			b.both++
		}
	}
	if leftRows < 2 || rightRows < 2 {
		return false
	}
	overlap := min(leftTop, rightTop) - max(leftEnd, rightEnd)
	shorter := min(leftTop-leftEnd, rightTop-rightEnd)
	least := minGutter
	if min(leftRows, rightRows) < 3+depth {
		least = minGutterFew
	}
	return overlap >= 0.5*shorter && b.gutter.width() >= least*rows[b.top].size && 3*leftProse >= 2*leftRows && 3*rightProse >= 2*rightRows
}

// bodySize is the size of most letters.
func bodySize(rows []row) float64 {
	weight := map[float64]int{}
	best := 0.0
	for _, r := range rows {
		weight[r.size] += r.letters()
		if n := weight[r.size]; n > weight[best] || n == weight[best] && r.size > best {
			best = r.size
		}
	}
	return best
}
