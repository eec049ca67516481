package markup

import (
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	rfcFooter  = text.Pattern(`^\S.*\[Page [\divxlc]+\]\s*$`)
	rfcHeader  = text.Pattern(`^(?:RFC \d+|Internet-Draft)\s.*\s(?:January|February|March|April|May|June|July|August|September|October|November|December)\s+\d{4}\s*$`)
	rfcTitle   = text.Pattern(`^(?:Request for Comments|Internet-Draft)\b|^RFC: \d+`)
	tocLine    = text.Pattern(`\S\s*(?:\.\s?){4,}\s*\d+\s*$`)
	numbered   = text.Pattern(`^(?:(?:Appendix |APPENDIX )?[A-Z]|\d{1,2})(?:\.\d{1,3})*\.?\s+\S`)
	sectionNum = text.Pattern(`^(?:Appendix |APPENDIX )?((?:[A-Z]|\d{1,2})(?:\.\d{1,3})*)\.?\s+(\S.*)$`)
	plainItem  = text.Pattern(`^(\s*)([-*+o•]|\(?\d{1,2}[.)]|\(?[a-z][.)])\s+(\S.*)$`)
	drawing    = text.Pattern(`[-+|=_]{4,}|\S   +\S.*\S   +\S|^\s*\|.*\|\s*$|[{};]\s*$|^\s*[\w-]+\s+=\s|^\s*[CS]: `)
)

// looksWrapped reports whether body is plain text with hard line breaks and an
// indent of its own, as RFCs have it.
func looksWrapped(body string) bool {
	lines := strings.Split(body, "\n")
	pages, indented, unindented := 0, 0, 0
	for _, l := range lines {
		switch {
		case rfcFooter().MatchString(l):
			pages++
		case strings.HasPrefix(l, "   ") && !isBlank(l):
			indented++
		case !isBlank(l):
			unindented++
		}
	}
	if pages == 1 && slices.ContainsFunc(lines[:min(len(lines), 12)], rfcTitle().MatchString) {
		return true
	}
	return pages > 1 || indented > 40 && indented > 4*unindented
}

// plainReader converts hard-wrapped text by its indents.
type plainReader struct {
	w      writer
	base   int        // indent of prose
	titled bool       // the document's title was written
	rest   [][]string // paragraphs that follow the current one
}

func convertPlain(body string) string {
	lines := withoutContents(unpaged(strings.Split(strings.ReplaceAll(strings.TrimPrefix(body, "\uFEFF"), "\f", "\n"), "\n")))
	r := &plainReader{base: commonIndent(lines)}
	for i := 0; i < len(lines); {
		end := i
		for end < len(lines) && !isBlank(lines[end]) {
			end++
		}
		if end > i {
			r.rest = append(r.rest, lines[i:end])
		}
		i = end + 1
	}
	for len(r.rest) > 0 {
		p := r.rest[0]
		r.rest = r.rest[1:]
		r.paragraph(p)
		r.w.line(0, "")
	}
	return r.w.String()
}

// titlePage is how far into a text its title may stand, in bytes.
const titlePage = 2000

// withoutContents drops a table of contents: the indented lines behind its title.
func withoutContents(lines []string) []string {
	for i, l := range lines {
		if !strings.EqualFold(strings.TrimSpace(l), "table of contents") {
			continue
		}
		end := i + 1
		for end < len(lines) && (isBlank(lines[end]) || indentOf(lines[end]) > 0) {
			end++
		}
		if end < len(lines) && end-i < 400 {
			return append(append([]string{}, lines[:i]...), lines[end:]...)
		}
	}
	return lines
}

// unpaged takes out page footers and headers, with the blank lines around them
// where a paragraph goes on behind the break.
func unpaged(lines []string) []string {
	var out []string
	for i := 0; i < len(lines); i++ {
		l := strings.TrimRight(expandTabs(lines[i]), " ")
		if tocLine().MatchString(l) {
			continue
		}
		if !rfcFooter().MatchString(l) {
			out = append(out, l)
			continue
		}
		j := i + 1
		for j < len(lines) && (isBlank(lines[j]) || rfcHeader().MatchString(lines[j])) {
			j++
		}
		for len(out) > 0 && out[len(out)-1] == "" {
			out = out[:len(out)-1]
		}
		if len(out) == 0 || j >= len(lines) || !goesOn(out[len(out)-1], lines[j]) {
			out = append(out, "")
		}
		i = j - 1
	}
	return out
}

// goesOn reports whether a paragraph that ends with last continues with next.
func goesOn(last, next string) bool {
	last = strings.TrimSpace(last)
	if last == "" || strings.ContainsAny(last[len(last)-1:], ".:!?") || numbered().MatchString(next) || plainItem().MatchString(next) {
		return false
	}
	return len(last) > 40
}

// commonIndent is the indent of prose: the smallest one that a tenth of the lines
// has and, of two that are as frequent, not that of titles.
func commonIndent(lines []string) int {
	counts, all := map[int]int{}, 0
	for _, l := range lines {
		if !isBlank(l) {
			counts[indentOf(l)]++
			all++
		}
	}
	if 2*counts[0] > all {
		return 0
	}
	for n := 1; n < 40; n++ {
		if 10*counts[n] >= all {
			return n
		}
	}
	return 0
}

// paragraph writes lines without a blank one among them, by their indent.
func (r *plainReader) paragraph(lines []string) {
	first := lines[0]
	indent := indentOf(first)
	deeper := indent - r.base
	switch {
	case len(lines) == 1 && indent < max(r.base, 1) && (indent == 0 || deeper < 0) && r.base > 0 && isTitle(first):
		r.heading(first)
	case indent > r.base+8 && len(lines) <= 3 && !r.titled && r.w.b.Len() < titlePage: // centred
		r.titled = true
		r.w.heading(1, strings.Join(strings.Fields(strings.Join(lines, " ")), " "))
	case isDrawing(lines):
		r.w.code(0, "", lines)
	case plainItem().MatchString(first):
		r.items(lines)
	case len(lines) == 1 && len(first) < 60 && !strings.ContainsAny(strings.TrimSpace(first), ".") && r.described(indent) > 0:
		r.term(strings.TrimSpace(first), indent)
	case isHanging(lines):
		r.w.line(0, "")
		r.w.line(0, strings.TrimSpace(first))
		r.w.paragraph(0, ": ", dehyphenate(lines[1:]))
		r.w.line(0, "")
	default:
		r.w.paragraph(0, "", escapeFirst(dehyphenate(lines)))
	}
}

// described counts the paragraphs behind a line that are indented deeper and so
// describe it, up to mostDescribed+1.
func (r *plainReader) described(indent int) int {
	n := 0
	for _, p := range r.rest {
		if indentOf(p[0]) <= indent || plainItem().MatchString(p[0]) {
			break
		}
		if n++; n > mostDescribed {
			break
		}
	}
	return n
}

// mostDescribed is how many paragraphs a term may have; what has more of them is
// a section.
const mostDescribed = 3

// term writes a line that stands above its description.
func (r *plainReader) term(title string, indent int) {
	n := r.described(indent)
	if n > mostDescribed {
		r.w.heading(6, title)
		return
	}
	r.w.line(0, title)
	for i := range n {
		p := r.rest[0]
		r.rest = r.rest[1:]
		switch {
		case isDrawing(p):
			r.w.code(2, "", p)
		case i == 0:
			r.w.paragraph(0, ": ", dehyphenate(p))
		default:
			r.w.paragraph(2, "", escapeFirst(dehyphenate(p)))
		}
		r.w.line(0, "")
	}
}

func escapeFirst(lines []string) []string {
	out := append([]string{}, lines...)
	out[0] = escapeStart(strings.TrimSpace(out[0]))
	return out
}

// isTitle reports whether an unindented line is a section's title.
func isTitle(l string) bool {
	l = strings.TrimSpace(l)
	return numbered().MatchString(l) || len(l) < 60 && !strings.HasSuffix(l, ".") && !strings.HasSuffix(l, ",")
}

func (r *plainReader) heading(l string) {
	l = strings.TrimSpace(l)
	level := 2
	if m := sectionNum().FindStringSubmatch(l); m != nil {
		level = 2 + strings.Count(m[1], ".")
	}
	r.w.heading(level, l)
}

// isDrawing reports whether lines are a figure, a grammar or code.
func isDrawing(lines []string) bool {
	n := 0
	for _, l := range lines {
		if drawing().MatchString(l) {
			n++
		}
	}
	return 2*n > len(lines)
}

// isHanging reports whether the first line stands out to the left of the rest.
func isHanging(lines []string) bool {
	if len(lines) < 2 || len(lines[0]) > 60 {
		return false
	}
	for _, l := range lines[1:] {
		if indentOf(l) <= indentOf(lines[0]) {
			return false
		}
	}
	return true
}

// items writes the items of a list whose lines follow each other.
func (r *plainReader) items(lines []string) {
	for i := 0; i < len(lines); {
		m := plainItem().FindStringSubmatch(lines[i])
		end := i + 1
		for end < len(lines) && (!plainItem().MatchString(lines[end]) || indentOf(lines[end]) > len(m[1])+2) {
			end++
		}
		marker := "- "
		if m[2][0] >= '0' && m[2][0] <= '9' {
			marker = strings.Trim(m[2], "().") + ". "
		}
		r.w.paragraph(0, marker, dehyphenate(append([]string{m[3]}, lines[i+1:end]...)))
		i = end
	}
}

// dehyphenate joins a word that is broken at the end of a line with its rest.
// RFCs break only at hyphens that belong to the word, so that the hyphen stays.
func dehyphenate(lines []string) []string {
	var out []string
	for _, l := range lines {
		l = strings.TrimSpace(l)
		if n := len(out); n > 0 && strings.HasSuffix(out[n-1], "-") && len(out[n-1]) > 1 && isLetter(out[n-1][len(out[n-1])-2]) && l != "" && isLetter(l[0]) {
			word, rest, _ := strings.Cut(l, " ")
			out[n-1] += word
			if rest != "" {
				out = append(out, rest)
			}
			continue
		}
		out = append(out, l)
	}
	return out
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
