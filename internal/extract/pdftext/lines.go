package pdftext

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// cellGap is the widest space between words of a line, in ems: beyond it, the cells of
// a table begin.
const cellGap = 0.95

// text writes a row as text, with raised and lowered words set apart.
func (r row) text(script func(before, s string, raised bool) string) string {
	var out strings.Builder
	end := r.x0
	for i := 0; i < len(r.words); {
		w := r.words[i]
		position := r.script(w)
		spaced := i > 0 && (w.spaced || w.x0-end > spaceBetween(r.words[i-1], w))
		if spaced {
			out.WriteByte(' ')
		}
		if position == 0 {
			out.WriteString(w.s)
			end = max(end, w.x1)
			i++
			continue
		}
		s, j := w.s, i+1 // all that is raised together
		for end = w.x1; j < len(r.words) && r.script(r.words[j]) == position && r.words[j].x0-end < 0.3*r.size; j++ {
			if r.words[j].spaced {
				s += " "
			}
			s += r.words[j].s
			end = max(end, r.words[j].x1)
		}
		before := out.String()
		out.WriteString(script(before, s, position > 0))
		if strings.TrimSpace(before) == "" && j < len(r.words) {
			out.WriteByte(' ') // the mark of a footnote before its text
		}
		i = j
	}
	return composeAccents(strings.Join(strings.Fields(out.String()), " "))
}

// spaceBetween is the gap from which two words are apart.
func spaceBetween(a, b word) float64 {
	last, _ := utf8.DecodeLastRuneInString(a.s)
	first, _ := utf8.DecodeRuneInString(b.s)
	if isWide(last) && isWide(first) {
		return math.Inf(1) // Chinese and Japanese have no spaces
	}
	return gapWithin * min(a.size, b.size)
}

func isWide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303F || r >= 0xFF00 && r <= 0xFFEF
}

// script is 1 for a raised word, -1 for a lowered one, else 0.
func (r row) script(w word) int {
	up := (w.y - r.y) / r.size
	small := w.size <= 0.85*r.size
	switch {
	case small && up > 0.15 || !small && up > 0.25:
		return 1
	case small && up < -0.06 || !small && up < -0.2:
		return -1
	}
	return 0
}

// cells splits a row at wide gaps.
func (r row) cells() []row { return r.cellsApart(cellGap) }

// cellsApart splits a row at gaps of more than width sizes of its letters.
func (r row) cellsApart(width float64) []row {
	var out []row
	start := 0
	end := r.x0
	for i, w := range r.words {
		if i > start && w.x0-end > width*r.size {
			out = append(out, r.part(start, i))
			start = i
		}
		end = max(end, w.x1)
	}
	return append(out, r.part(start, len(r.words)))
}

func (r row) part(from, to int) row {
	p := row{words: r.words[from:to], y: r.y, size: r.size, x0: math.Inf(1), x1: math.Inf(-1)}
	for _, w := range p.words {
		p.x0, p.x1 = min(p.x0, w.x0), max(p.x1, w.x1)
	}
	return p
}

// code writes a row of a fixed-width font with its columns kept. left is the edge of
// the listing.
func (r row) code(left float64) string {
	width := r.size * 0.6
	if letters := 0; len(r.words) > 0 {
		total := 0.0
		for _, w := range r.words {
			letters += utf8.RuneCountInString(w.s)
			total += w.x1 - w.x0
		}
		if total > 0 && letters > 0 {
			width = total / float64(letters)
		}
	}
	var out strings.Builder
	at := 0
	for _, w := range r.words {
		column := int(math.Round((w.x0 - left) / width))
		for ; at < min(column, 200); at++ {
			out.WriteByte(' ')
		}
		out.WriteString(w.s)
		at += utf8.RuneCountInString(w.s)
	}
	return out.String()
}
