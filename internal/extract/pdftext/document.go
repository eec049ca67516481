package pdftext

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// layOut turns the words of pages into Markdown.
func layOut(pages []page, o Options) string {
	dropRunningLines(pages)
	var blocks []block
	for _, p := range pages {
		for _, words := range byDirection(p.words) {
			for _, region := range regions(words, 0) {
				blocks = append(blocks, blocksOf(rowsOf(region), o.Script)...)
			}
			if n := len(blocks); n > 0 && words[0].dir != mainDirection(p.words) {
				blocks[n-1].ends = true
			}
		}
	}
	return write(blocks)
}

// byDirection groups words by the direction that they are read in, that of most of
// the letters first.
func byDirection(words []word) [][]word {
	var groups [4][]word
	for _, w := range words {
		groups[w.dir] = append(groups[w.dir], w)
	}
	out := slices.DeleteFunc(groups[:], func(g []word) bool { return len(g) == 0 })
	slices.SortStableFunc(out, func(a, b []word) int { return cmp.Compare(lettersOf(b), lettersOf(a)) })
	return out
}

func mainDirection(words []word) int { return byDirection(words)[0][0].dir }

func lettersOf(words []word) (n int) {
	for _, w := range words {
		n += len(w.s)
	}
	return n
}

var digits = text.Pattern(`\d+|\b[ivxlc]+\b`)

// place is what the running lines of pages have in common: their text and height, or
// the distance of the number in them from the number of the page.
type place struct {
	text  string
	y     int
	shift int
}

// fewestRunning is the number of pages that must have a line, at two fifths of all.
const fewestRunning = 3

// dropRunningLines removes the headers, footers and page numbers that pages repeat.
func dropRunningLines(pages []page) {
	count := map[place]int{}
	ends := make([][]row, len(pages))
	for i, p := range pages {
		ends[i] = endRows(p.words)
		seen := map[place]bool{}
		for at, r := range ends[i] {
			for _, key := range placesOf(r, i, at) {
				if !seen[key] {
					count[key]++
				}
				seen[key] = true
			}
		}
	}
	for i := range pages {
		for at, r := range ends[i] {
			for _, key := range placesOf(r, i, at) {
				if n := count[key]; n >= fewestRunning && (n*5 >= len(pages)*2 || n >= 8) {
					pages[i].words = slices.DeleteFunc(pages[i].words, func(w word) bool { return slices.Contains(r.words, w) })
				}
			}
		}
	}
}

// endRows are the first and the last two rows of a page.
func endRows(words []word) []row {
	rows := rowsOf(slices.DeleteFunc(slices.Clone(words), func(w word) bool { return w.dir != 0 }))
	if len(rows) < 5 {
		return nil
	}
	return append(slices.Clone(rows[:2]), rows[len(rows)-2:]...)
}

// placesOf are the keys under which a row of page i is counted. at is its number among
// the rows at the ends.
func placesOf(r row, i, at int) []place {
	text := strings.ToLower(r.text(func(_, s string, _ bool) string { return s }))
	out := []place{{text: digits().ReplaceAllString(text, "#"), y: int(math.Round(r.y / 4))}}
	if at == 1 || at == 2 || len(text) > 120 {
		return out
	}
	words := strings.Fields(text)
	for n, word := range []string{words[0], words[len(words)-1]} {
		if number, err := strconv.Atoi(word); err == nil && number < 10_000 {
			out = append(out, place{text: []string{"first", "last"}[n], y: -at, shift: number - i})
		}
	}
	return out
}

// write joins blocks, and makes headings of those that are larger than the text.
func write(blocks []block) string {
	v := vocabulary{}
	for _, b := range blocks {
		for i, line := range b.lines {
			if i+1 < len(b.lines) && strings.HasSuffix(line, "-") { // it may be divided here
				line = line[:max(0, strings.LastIndexByte(line, ' '))]
			}
			v.add(line)
		}
	}
	blocks = continued(blocks)
	body, levels := headingSizes(blocks)
	bold := mostlyBold(blocks)
	var out strings.Builder
	for i, b := range blocks {
		text := b.text
		if text == "" {
			text = v.join(b.lines)
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		if level := headingLevel(b, text, body, levels); level > 0 && (level <= len(levels) || !bold) {
			text = strings.Repeat("#", level) + " " + text
		}
		switch {
		case out.Len() == 0:
		case b.kind == listItem && i > 0 && blocks[i-1].kind == listItem:
			out.WriteString("\n")
		default:
			out.WriteString("\n\n")
		}
		out.WriteString(text)
	}
	return out.String()
}

// maxNotes is the number of footnotes that may stand between the parts of a paragraph.
const maxNotes = 6

// continued joins a paragraph that goes on in the next column or page, over the
// footnotes between its parts.
func continued(blocks []block) []block {
	var out []block
	for _, b := range blocks {
		at := len(out) - 1
		for n := 0; at > 0 && n < maxNotes && out[at].size < 0.95*b.size && out[at].kind == paragraph; n++ {
			at--
		}
		if at >= 0 && goesOn(out[at], b) {
			out[at].lines = append(slices.Clone(out[at].lines), b.lines...)
			continue
		}
		out = append(out, b)
	}
	return out
}

func goesOn(a, b block) bool {
	if a.ends || a.kind == table || a.kind == listing || b.kind != paragraph || math.Abs(a.size-b.size) > 0.03*a.size || a.bold != b.bold {
		return false
	}
	last := a.lines[len(a.lines)-1]
	end, _ := utf8.DecodeLastRuneInString(last)
	if len(a.lines) < 2 && a.kind == paragraph && end != '-' && end != '\u00AD' && len(last) < 40 {
		return false // a caption or label
	}
	return (unicode.IsLetter(end) || end == ',' || end == '-' || end == '‐' || end == '\u00AD') && startsLower(b.lines[0])
}

// headingSizes returns the size of most of the text, and the larger sizes, largest
// first.
func headingSizes(blocks []block) (body float64, levels []float64) {
	weight := map[float64]int{}
	for _, b := range blocks {
		n := len(b.text)
		for _, line := range b.lines {
			n += len(line)
		}
		weight[rounded(b.size)] += n
	}
	most := 0
	for size, n := range weight {
		if n > most || n == most && size < body {
			body, most = size, n
		}
	}
	for size := range weight {
		if size >= 1.12*body {
			levels = append(levels, size)
		}
	}
	slices.SortFunc(levels, func(a, b float64) int { return cmp.Compare(b, a) })
	return body, levels
}

// mostlyBold reports whether bold type marks nothing, because most of the text has it.
func mostlyBold(blocks []block) bool {
	bold, all := 0, 0
	for _, b := range blocks {
		for _, line := range b.lines {
			all += len(line)
			if b.bold {
				bold += len(line)
			}
		}
	}
	return bold*2 > all
}

// rounded is a size to a quarter of a point.
func rounded(size float64) float64 { return math.Round(size*4) / 4 }

// Bounds of a heading.
const (
	maxHeading      = 250 // bytes
	maxHeadingLines = 4
	maxBoldHeading  = 90 // of the size of the text
	deepest         = 4
)

var numbered = text.Pattern(`^(?:\d{1,2}(?:\.\d{1,2})*\.?|[A-Z]\.|[IVX]+\.)\s+\pL`)

// headingLevel returns the level of a block that is a heading, else 0.
func headingLevel(b block, text string, body float64, levels []float64) int {
	if b.kind == table || b.kind == listing || len(text) > maxHeading || len(b.lines) > maxHeadingLines || !strings.ContainsFunc(text, unicode.IsLetter) {
		return 0
	}
	if i := slices.Index(levels, rounded(b.size)); i >= 0 {
		return min(i+1, deepest)
	}
	end, _ := utf8.DecodeLastRuneInString(text)
	if b.bold && b.size >= 0.97*body && len(b.lines) == 1 && len(text) <= maxBoldHeading && (numbered().MatchString(text) || b.kind == paragraph && !strings.ContainsRune(".,;:", end) && startsUpper(text)) {
		return min(len(levels)+1, deepest)
	}
	return 0
}

func startsUpper(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsUpper(r)
}
