// Package markup turns plain-text markup (AsciiDoc, reStructuredText, Org, RFC
// pages and other hard-wrapped text) into clean Markdown, so that every document
// has the same structure. The conversions read headings, paragraphs, lists,
// definitions, tables and code; what they do not know stays as text.
package markup

import (
	"path"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Format is a kind of markup.
type Format string

// The formats.
const (
	Markdown Format = "markdown"
	AsciiDoc Format = "asciidoc"
	RST      Format = "rst"
	Org      Format = "org"
	Plain    Format = "plain"
	Verbatim Format = "verbatim" // code, logs, data: nothing is converted
)

// Detect tells the format of a text by the ending of its name and, where that
// leaves it open, by what stands in it.
func Detect(name, body string) Format {
	switch ending := strings.ToLower(path.Ext(name)); ending {
	case ".md", ".markdown", ".mdx", ".mkd":
		return Markdown
	case ".adoc", ".asciidoc", ".asc":
		return AsciiDoc
	case ".rst", ".rest":
		return RST
	case ".org":
		return Org
	case "", ".txt", ".text":
	default:
		if !noEnding().MatchString(ending) {
			return Verbatim
		}
	}
	switch {
	case looksRST(body):
		return RST
	case looksWrapped(body):
		return Plain
	}
	return Markdown
}

// noEnding matches what follows the last dot of a name or title and is no ending:
// draft-01.2, notes.v3, Vol. 2 of the letters.
var noEnding = text.Pattern(`^\.v?\d+$|\s|^\.$|^.{12,}`)

var (
	rstMarks     = text.Pattern(`(?m)^\.\. [a-z][\w:-]*::|:(?:ref|doc|class|func|meth|data|attr|mod|option|command|samp|file):` + "`")
	markdownMark = text.Pattern("(?m)^(?:#{1,6} \\S|```|[-*] \\[[ x]\\] )")
)

// looksRST reports whether body uses directives or roles, and no Markdown
// headings or fences.
func looksRST(body string) bool {
	return rstMarks().MatchString(body) && !markdownMark().MatchString(body)
}

// Convert returns body as Markdown. Markdown itself, and what is no markup, is
// returned unchanged.
func Convert(format Format, body string) string {
	body = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(body)
	switch format {
	case AsciiDoc:
		return convertAsciiDoc(body)
	case RST:
		return convertRST(body)
	case Org:
		return convertOrg(body)
	case Plain:
		return convertPlain(body)
	}
	return body
}

// writer collects Markdown lines.
type writer struct {
	b     strings.Builder
	blank bool // the last line was blank, or there is none
}

// line writes one line with an indent of n spaces; a blank one is written once.
func (w *writer) line(n int, s string) {
	s = strings.TrimRight(s, " \t")
	if s == "" {
		if !w.blank && w.b.Len() > 0 {
			w.b.WriteByte('\n')
		}
		w.blank = true
		return
	}
	w.b.WriteString(strings.Repeat(" ", n))
	w.b.WriteString(s)
	w.b.WriteByte('\n')
	w.blank = false
}

// raw writes a line of code, blank or not.
func (w *writer) raw(n int, s string) {
	if s != "" {
		w.b.WriteString(strings.Repeat(" ", n))
	}
	w.b.WriteString(s)
	w.b.WriteByte('\n')
	w.blank = false
}

// code writes a fenced block without the indent that its lines have in common.
func (w *writer) code(n int, language string, lines []string) {
	lines = dedent(trimBlank(lines))
	if len(lines) == 0 {
		return
	}
	fence := "```"
	for _, l := range lines {
		if strings.HasPrefix(strings.TrimSpace(l), "```") {
			fence = "~~~~"
		}
	}
	w.line(0, "")
	w.line(n, fence+language)
	for _, l := range lines {
		w.raw(n, l)
	}
	w.line(n, fence)
	w.line(0, "")
}

func (w *writer) heading(level int, title string) {
	w.line(0, "")
	w.line(0, strings.Repeat("#", min(max(level, 1), 6))+" "+strings.TrimSpace(title))
	w.line(0, "")
}

// paragraph writes lines, with the first one behind a marker.
func (w *writer) paragraph(n int, marker string, lines []string) {
	for i, l := range lines {
		if i == 0 {
			w.line(n, marker+strings.TrimSpace(l))
			n += len(marker)
			continue
		}
		w.line(n, escapeStart(strings.TrimSpace(l)))
	}
}

var blockStart = text.Pattern(`^(?:[-+*]|\d{1,9}[.)])\s|^(?:#{1,6}\s|>|=+$|-+$|` + "```" + `|~~~)`)

// escapeStart keeps a line inside a paragraph from starting a block.
func escapeStart(l string) string {
	if blockStart().MatchString(l) {
		return `\` + l
	}
	return l
}

func (w *writer) String() string { return strings.TrimSpace(w.b.String()) + "\n" }

func trimBlank(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[0]) == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// dedent takes off the indent that all lines but blank ones have in common.
// Tabs count to the next multiple of eight.
func dedent(lines []string) []string {
	common := -1
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.TrimRight(expandTabs(l), " ")
		if out[i] == "" {
			continue
		}
		if n := indentOf(out[i]); common < 0 || n < common {
			common = n
		}
	}
	for i := range out {
		if out[i] != "" {
			out[i] = out[i][common:]
		}
	}
	return out
}

func expandTabs(l string) string {
	if !strings.Contains(l, "\t") {
		return l
	}
	var b strings.Builder
	col := 0
	for _, r := range l {
		if r != '\t' {
			b.WriteRune(r)
			col++
			continue
		}
		n := 8 - col%8
		b.WriteString(strings.Repeat(" ", n))
		col += n
	}
	return b.String()
}

func indentOf(l string) int { return len(l) - len(strings.TrimLeft(l, " ")) }

// isBlank reports whether a line holds nothing but white space.
func isBlank(l string) bool { return strings.TrimSpace(l) == "" }
