package markup

import (
	"strings"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	rstDirective = text.Pattern(`^\.\. ([A-Za-z][\w:-]*)::(?:\s+(.*))?$`)
	rstTarget    = text.Pattern(`^\.\. (?:_[^:]+:|\|[^|]+\| |\[[^\]]+\] )(.*)$`)
	rstItem      = text.Pattern(`^([-*+•])\s+(\S.*)$`)
	rstNumber    = text.Pattern(`^(?:\(?(\d+|#|[a-zA-Z])[.)])\s+(\S.*)$`)
	rstField     = text.Pattern(`^:([^:]+):(?:\s+(.*))?$`)
	rstOption    = text.Pattern(`^(-{1,2}\w[\w-]*(?:[ =]\S+)?(?:, -{1,2}\w[\w-]*(?:[ =]\S+)?)*)  +(\S.*)$`)
	rstGrid      = text.Pattern(`^\+(?:[-=]+\+)+$`)
	rstSimple    = text.Pattern(`^=+(?: +=+)+$`)
)

// rstAdmonitions are directives whose body is a paragraph with a name.
var rstAdmonitions = map[string]string{
	"note": "Note", "warning": "Warning", "tip": "Tip", "hint": "Hint", "important": "Important", "caution": "Caution", "danger": "Danger",
	"attention": "Attention", "error": "Error", "seealso": "See also", "versionadded": "New in version", "versionchanged": "Changed in version",
	"deprecated": "Deprecated since version", "admonition": "", "topic": "", "sidebar": "", "rubric": "", "centered": "", "versionremoved": "Removed in version",
}

// rstCode are directives whose body is code.
var rstCode = map[string]bool{
	"code": true, "code-block": true, "sourcecode": true, "literalinclude": true, "parsed-literal": true, "prompt": true, "doctest": true, "testcode": true,
	"highlight": false, "math": false,
}

// rstDropped are directives that give nothing to read.
var rstDropped = map[string]bool{
	"toctree": true, "image": true, "include": true, "contents": true, "currentmodule": true, "module": true, "py:module": true, "py:currentmodule": true,
	"automodule": true, "autoclass": true, "autofunction": true, "autodata": true, "autoexception": true, "automethod": true, "index": true,
	"highlight": true, "meta": true, "raw": true, "tabularcolumns": true, "default-domain": true, "only": false, "figure": false, "click": true,
}

// rstReader converts reStructuredText. Nested bodies are converted by readers of
// their own.
type rstReader struct {
	w      *writer
	lines  []string
	at     int
	levels *string // underline characters in the order of their levels
	base   int     // indent of the output
}

func convertRST(body string) string {
	var w writer
	levels := ""
	lines := strings.Split(body, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(expandTabs(lines[i]), " ")
	}
	resolveRST(lines)
	(&rstReader{w: &w, lines: lines, levels: &levels}).run(0)
	return w.String()
}

// maxRSTDepth bounds the nesting of bodies that is read.
const maxRSTDepth = 12

func (r *rstReader) run(depth int) {
	for r.at < len(r.lines) {
		r.block(depth)
	}
}

func (r *rstReader) peek(n int) string {
	if r.at+n >= 0 && r.at+n < len(r.lines) {
		return r.lines[r.at+n]
	}
	return ""
}

func (r *rstReader) block(depth int) {
	l := r.peek(0)
	switch {
	case l == "":
		r.at++
		r.w.line(0, "")
	case isAdornment(l) && r.peek(1) != "" && isAdornment(r.peek(2)) && r.peek(2)[0] == l[0]:
		r.heading(r.peek(1), l[:1]+l[:1])
		r.at += 3
	case indentOf(l) == 0 && isAdornment(r.peek(1)) && !isAdornment(l) && len(r.peek(1)) >= min(3, utf8.RuneCountInString(l)) && !rstSimple().MatchString(l):
		r.heading(l, r.peek(1)[:1])
		r.at += 2
	case isAdornment(l) && len(l) >= 4 && r.peek(-1) == "" && r.peek(1) == "":
		r.at++ // a transition
	case rstDirective().MatchString(l):
		r.directive(rstDirective().FindStringSubmatch(l), depth)
	case strings.HasPrefix(l, ".. ") || l == "..":
		r.target(l)
	case rstGrid().MatchString(l):
		r.grid()
	case rstSimple().MatchString(l):
		r.simpleTable()
	case strings.HasPrefix(l, ">>> "):
		r.w.code(r.base, "pycon", r.paragraphLines())
	case rstItem().MatchString(l):
		m := rstItem().FindStringSubmatch(l)
		r.item("- ", len(l)-len(m[2]), depth)
	case rstNumber().MatchString(l):
		m := rstNumber().FindStringSubmatch(l)
		number := "1"
		if m[1][0] >= '0' && m[1][0] <= '9' {
			number = m[1]
		}
		r.item(number+". ", len(l)-len(m[2]), depth)
	case rstField().MatchString(l):
		m := rstField().FindStringSubmatch(l)
		lines := append([]string{strings.TrimSpace("**" + rstInline(m[1]) + "** " + rstInline(m[2]))}, r.body(1)...)
		r.w.paragraph(r.base, "", trimBlank(lines))
		r.w.line(0, "")
	case rstOption().MatchString(l):
		m := rstOption().FindStringSubmatch(l)
		r.definition("`"+m[1]+"`", append([]string{m[2]}, dedent(r.body(1))...), depth)
	case indentOf(l) > 0:
		r.w.paragraph(r.base, "> ", rstInlineAll(dedent(r.quoted())))
		r.w.line(0, "")
	case indentOf(r.peek(1)) > 0 && r.peek(1) != "" && !strings.HasSuffix(l, "::"):
		r.definition(rstInline(l), dedent(r.body(1)), depth)
	default:
		r.paragraph()
	}
}

// isAdornment reports whether a line underlines a title.
func isAdornment(l string) bool {
	return len(l) >= 2 && strings.IndexByte("=-~^\"'`#*+:.<>_", l[0]) >= 0 && strings.Trim(l, l[:1]) == ""
}

func (r *rstReader) heading(title, style string) {
	level := strings.Index(*r.levels, " "+style+" ")
	if level < 0 {
		*r.levels += " " + style + " "
		level = strings.Index(*r.levels, " "+style+" ")
	}
	n := 1
	for _, s := range strings.Fields((*r.levels)[:level]) {
		if s != "" {
			n++
		}
	}
	r.w.heading(n, rstInline(strings.TrimSpace(title)))
}

// body reads the indented lines behind the current one, from line at+n on.
func (r *rstReader) body(n int) []string {
	begin := r.at + n
	end := begin
	for end < len(r.lines) && (r.lines[end] == "" || indentOf(r.lines[end]) > 0) {
		end++
	}
	r.at = end
	out := trimBlank(r.lines[min(begin, len(r.lines)):end])
	if end > begin && r.lines[end-1] == "" {
		r.at--
	}
	return out
}

func (r *rstReader) quoted() []string {
	begin := r.at
	for r.at < len(r.lines) && r.lines[r.at] != "" && indentOf(r.lines[r.at]) > 0 {
		r.at++
	}
	return r.lines[begin:r.at]
}

func (r *rstReader) paragraphLines() []string {
	begin := r.at
	for r.at < len(r.lines) && r.lines[r.at] != "" {
		r.at++
	}
	return r.lines[begin:r.at]
}

// paragraph reads lines up to a blank one; "::" at its end announces code.
func (r *rstReader) paragraph() {
	lines := r.paragraphLines()
	last := lines[len(lines)-1]
	if !strings.HasSuffix(last, "::") {
		r.w.paragraph(r.base, "", rstInlineAll(lines))
		r.w.line(0, "")
		return
	}
	lines = append([]string{}, lines...)
	if last == "::" {
		lines = lines[:len(lines)-1]
	} else {
		lines[len(lines)-1] = strings.TrimSuffix(strings.TrimSuffix(last, "::"), " ") + ":"
	}
	if len(lines) > 0 {
		r.w.paragraph(r.base, "", rstInlineAll(lines))
	}
	r.at--
	r.w.code(r.base, "", r.body(1))
}

// item reads a list item with all that is indented below it.
func (r *rstReader) item(marker string, width, depth int) {
	first := r.peek(0)[width:]
	begin := r.at + 1
	end := begin
	for end < len(r.lines) && (r.lines[end] == "" || indentOf(r.lines[end]) >= min(width, 2)) {
		end++
	}
	rest := dedent(r.lines[begin:end])
	r.at = end
	if end > begin && r.lines[end-1] == "" {
		r.at--
		rest = trimBlankEnd(rest)
	}
	r.nested(marker, append([]string{first}, rest...), depth)
}

func trimBlankEnd(lines []string) []string {
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// nested writes lines, converted, behind a marker.
func (r *rstReader) nested(marker string, lines []string, depth int) {
	var inner writer
	sub := rstReader{w: &inner, lines: lines, levels: r.levels}
	if depth < maxRSTDepth {
		sub.run(depth + 1)
	} else {
		inner.paragraph(0, "", rstInlineAll(lines))
	}
	for i, l := range strings.Split(strings.TrimRight(inner.String(), "\n"), "\n") {
		switch {
		case i == 0:
			r.w.line(r.base, marker+l)
		case l == "":
			r.w.line(0, "")
		default:
			r.w.raw(r.base+len(marker), l)
		}
	}
}

func (r *rstReader) definition(term string, body []string, depth int) {
	r.w.line(0, "")
	r.w.line(r.base, term)
	r.nested(": ", body, depth)
	r.w.line(0, "")
}

// directive reads ".. name:: argument" with its options and body.
func (r *rstReader) directive(m []string, depth int) {
	name, argument := m[1], m[2]
	body := dedent(r.body(1))
	header := ""
	for len(body) > 0 && rstField().MatchString(body[0]) { // options
		if option := rstField().FindStringSubmatch(body[0]); option[1] == "header" {
			header = option[2]
		}
		body = body[1:]
	}
	body = trimBlank(body)
	title, admonition := rstAdmonitions[name]
	switch {
	case rstCode[name]:
		r.w.code(r.base, argument, body)
	case name == "math":
		r.w.line(0, "")
		r.w.line(r.base, "$$")
		for _, l := range append([]string{argument}, body...) {
			if l != "" {
				r.w.line(r.base, l)
			}
		}
		r.w.line(r.base, "$$")
		r.w.line(0, "")
	case name == "rubric":
		r.w.line(0, "")
		r.w.line(r.base, "**"+rstInline(argument)+"**")
		r.w.line(0, "")
	case admonition:
		text := []string{strings.TrimSpace(argument)}
		if strings.HasPrefix(name, "version") || name == "deprecated" {
			text = []string{title + " " + argument + ":"}
		} else if title != "" {
			text = []string{strings.TrimSpace("**" + title + "** " + argument)}
		}
		if len(body) > 0 && body[0] != "" && !rstItem().MatchString(body[0]) {
			text[0] = strings.TrimSpace(text[0] + " " + body[0])
			body = body[1:]
		}
		r.w.line(0, "")
		r.nested("", append(text, body...), depth)
		r.w.line(0, "")
	case name == "list-table":
		r.listTable(body)
	case name == "csv-table" && r.csvTable(header, body):
	case name == "csv-table" || name == "table" || name == "figure" || name == "only" || name == "container" || name == "tab" || name == "tabs" || name == "group-tab":
		r.w.line(0, "")
		r.nested("", append([]string{argument, ""}, body...), depth)
		r.w.line(0, "")
	case rstDropped[name]:
	case len(body) > 0: // describes an object: an entry of its own
		r.w.heading(min(6, 2+len(strings.Fields(*r.levels))), "`"+strings.Trim(argument, "`")+"`")
		r.nested("", body, depth)
		r.w.line(0, "")
	case argument != "":
		r.w.line(0, "")
		r.w.line(r.base, "`"+argument+"`")
		r.w.line(0, "")
	}
}

// target reads a comment, a substitution or a hyperlink target; footnotes stay.
func (r *rstReader) target(l string) {
	footnote := strings.HasPrefix(l, ".. [")
	text := ""
	if m := rstTarget().FindStringSubmatch(l); m != nil && footnote {
		text = m[1]
	}
	body := dedent(r.body(1))
	if footnote {
		r.w.paragraph(r.base, "", rstInlineAll(append([]string{text}, body...)))
		r.w.line(0, "")
	}
}
