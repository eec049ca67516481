package pdftext

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// kinds of a block.
type blockKind uint8

const (
	paragraph blockKind = iota
	listItem
	listing
	table
)

// block is a paragraph, a list item, a listing or a table of a region.
type block struct {
	kind  blockKind
	lines []string // of a paragraph or item; what they mean together is joined later
	text  string   // of a listing or table
	size  float64
	bold  bool
	ends  bool // nothing of the next region continues it
}

// blocksOf cuts the rows of a region into blocks.
func blocksOf(rows []row, script func(string, string, bool) string) []block {
	var out []block
	e := edges(rows)
	for i := 0; i < len(rows); {
		if n, text := tableOf(rows[i:], script); n > 0 {
			out = append(out, block{kind: table, text: text, size: rows[i].size, ends: true})
			i += n
			continue
		}
		if n := listingAt(rows[i:]); n > 0 {
			out = append(out, block{kind: listing, text: listingText(rows[i : i+n]), size: rows[i].size, ends: true})
			i += n
			continue
		}
		n := 1
		for i+n < len(rows) && !e.begins(rows[i+n-1], rows[i+n]) && listingAt(rows[i+n:]) == 0 {
			if k, _ := tableOf(rows[i+n:], script); k > 0 {
				break
			}
			n++
		}
		out = append(out, proseBlock(rows[i:i+n], script))
		i += n
	}
	return out
}

func proseBlock(rows []row, script func(string, string, bool) string) block {
	b := block{size: rows[0].size, bold: true}
	for _, r := range rows {
		b.lines = append(b.lines, r.text(script))
		b.bold = b.bold && r.bold()
	}
	if text, ok := bullet(b.lines[0]); ok {
		b.kind, b.lines[0] = listItem, text
	}
	return b
}

var (
	bulletMark = text.Pattern(`^[•◦‣▪▫■□●○·∙➢✓–*-]\s+(\S.*)$`)
	orderMark  = text.Pattern(`^(?:\d{1,3}[.)]|\([a-z0-9]{1,4}\)|[a-z][.)]|\[\d{1,4}\])\s+\S`)
)

// bullet returns the text of a list item with its mark in Markdown.
func bullet(line string) (string, bool) {
	if m := bulletMark().FindStringSubmatch(line); m != nil {
		return "- " + m[1], true
	}
	return line, orderMark().MatchString(line)
}

// margins are what the lines of a region have in common.
type margins struct {
	left, right float64
	leading     float64
	hanging     bool // first lines stand further left than the others
	lines       int
}

func edges(rows []row) margins {
	m := margins{left: math.Inf(1), right: math.Inf(-1), lines: len(rows)}
	var steps []float64
	for i, r := range rows {
		m.left, m.right = min(m.left, r.x0), max(m.right, r.x1)
		if i > 0 && math.Abs(rows[i-1].size-r.size) < 0.1*r.size {
			if step := rows[i-1].y - r.y; step < 2.6*r.size {
				steps = append(steps, step)
			}
		}
	}
	if len(steps) > 0 {
		slices.Sort(steps)
		m.leading = steps[(len(steps)-1)/2]
	}
	inner := 0
	for _, r := range rows {
		if r.x0 > m.left+0.8*r.size && r.x0 < m.left+5*r.size {
			inner++
		}
	}
	m.hanging = inner*2 > len(rows)
	return m
}

// begins reports whether b begins a block after a.
func (m margins) begins(a, b row) bool {
	step := a.y - b.y
	leading := m.leading
	if leading == 0 || leading < 0.8*b.size {
		leading = 1.45 * b.size
	}
	inset := func(r row) bool { return r.x0 > m.left+0.8*r.size }
	first := b.text(func(_, s string, _ bool) string { return s })
	_, marked := bullet(first)
	switch {
	case math.Abs(a.size-b.size) > 0.08*max(a.size, b.size), a.bold() != b.bold():
		return true
	case step > 1.3*leading && step > leading+0.2*b.size, step < 0:
		return true
	case marked:
		return true
	case m.hanging && !inset(b) && m.lines > 3:
		return true
	case !m.hanging && inset(b) && !inset(a) && b.x0-a.x0 < 6*b.size && !centred(a, b):
		_, item := bullet(a.text(func(_, s string, _ bool) string { return s }))
		return !item && m.lines > 2
	}
	return m.shortEnd(a, b)
}

func centred(a, b row) bool { return math.Abs((a.x0+a.x1)-(b.x0+b.x1)) < 0.5*a.size }

// shortEnd reports whether a ends a sentence so early that the next word would have
// found room.
func (m margins) shortEnd(a, b row) bool {
	last := a.words[len(a.words)-1]
	end, _ := utf8.DecodeLastRuneInString(strings.TrimRight(last.s, `)]"'”’»`))
	first := b.words[0]
	return m.lines > 3 && strings.ContainsRune(".!?:。", end) && m.right-a.x1 > (first.x1-first.x0)+2*a.size && a.x1 < m.left+0.8*(m.right-m.left)
}

// listingAt returns how many rows from the first are set in a fixed-width font: two
// at least.
func listingAt(rows []row) int {
	n := 0
	for n < len(rows) && rows[n].mono() && (n == 0 || rows[n-1].y-rows[n].y < 3.5*rows[n].size) {
		n++
	}
	if n < 2 {
		return 0
	}
	return n
}

func listingText(rows []row) string {
	left := math.Inf(1)
	for _, r := range rows {
		left = min(left, r.x0)
	}
	var lines []string
	for i, r := range rows {
		if i > 0 && rows[i-1].y-r.y > 1.9*r.size {
			lines = append(lines, "")
		}
		lines = append(lines, r.code(left))
	}
	return "```\n" + strings.Join(lines, "\n") + "\n```"
}

// startsLower reports whether s goes on with a sentence.
func startsLower(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLower(r)
}
