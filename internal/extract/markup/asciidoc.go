package markup

import (
	"strings"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	adocSection   = text.Pattern(`^(={1,6})\s+(\S.*?)(?:\s+=+)?$`)
	adocAttribute = text.Pattern(`^:!?[\w-]+!?:(?:\s|$)`)
	adocBlockAttr = text.Pattern(`^\[([^\]]*)\]\s*$`)
	adocAnchor    = text.Pattern(`^\[\[[^\]]*\]\]\s*$`)
	adocDirective = text.Pattern(`^(?:ifdef|ifndef|ifeval|endif|include|image|toc|:leveloffset)::?[^\[]*\[.*\]\s*$`)
	adocTerm      = text.Pattern(`^(\S.*?)(::{1,3}|;;)(?:\s+(.*))?$`)
	adocItem      = text.Pattern(`^\s*(\*{1,5}|-|\.{1,5}|\d+\.|[a-z]\.)\s+(\S.*)$`)
	adocAdmonish  = text.Pattern(`^(NOTE|TIP|IMPORTANT|WARNING|CAUTION):\s+`)
	adocLang      = text.Pattern(`^source,\s*([\w+#-]+)`)
	adocUnderline = text.Pattern(`^(=+|-+|~+|\^+|\++)$`)
)

// adocLevels are the levels of underlined titles.
const adocLevels = "=-~^+"

// adocReader converts AsciiDoc line by line.
type adocReader struct {
	w     writer
	lines []string
	at    int
	list  []adocList // open lists, outermost first
	attr  string     // of the block that follows
}

// adocList is an open list, known by its marker.
type adocList struct {
	marker string
	width  int // of the Markdown marker
}

func convertAsciiDoc(body string) string {
	r := &adocReader{lines: resolveAdoc(strings.Split(body, "\n"))}
	for r.at < len(r.lines) {
		r.block()
	}
	return r.w.String()
}

// indent is that of what belongs to the innermost item.
func (r *adocReader) indent() int {
	n := 0
	for _, l := range r.list {
		n += l.width
	}
	return n
}

func (r *adocReader) peek(n int) string {
	if r.at+n < len(r.lines) {
		return strings.TrimRight(r.lines[r.at+n], " \t")
	}
	return ""
}

// block reads what begins at the current line.
func (r *adocReader) block() {
	l := r.peek(0)
	switch {
	case isBlank(l):
		r.at++
		r.w.line(0, "")
	case l == "+":
		r.at++
		r.w.line(0, "")
		r.attached()
	case strings.HasPrefix(l, "//") && !strings.HasPrefix(l, "////"), adocAttribute().MatchString(l), adocAnchor().MatchString(l), adocDirective().MatchString(l):
		r.at++
	case adocBlockAttr().MatchString(l):
		r.attr = adocBlockAttr().FindStringSubmatch(l)[1]
		r.at++
	case adocSection().MatchString(l) && indentOf(l) == 0:
		m := adocSection().FindStringSubmatch(l)
		r.list = nil
		r.w.heading(len(m[1]), adocInline(m[2]))
		r.at++
	case r.underlined(l):
		r.list = nil
		r.w.heading(strings.IndexByte(adocLevels, r.peek(1)[0])+1, adocInline(l))
		r.at += 2
	case isDelimiter(l):
		if r.w.blank && !r.joined() {
			r.list = nil
		}
		r.delimited(l)
	case adocItem().MatchString(l):
		r.item(adocItem().FindStringSubmatch(l))
	case adocTerm().MatchString(l) && !strings.HasPrefix(strings.TrimSpace(l), "`::"):
		r.term()
	default:
		r.plain()
	}
}

// joined reports whether the line before is a "+" that attaches this block.
func (r *adocReader) joined() bool { return r.at > 0 && strings.TrimSpace(r.lines[r.at-1]) == "+" }

// attached keeps the list open for the block behind a "+".
func (r *adocReader) attached() {
	for adocBlockAttr().MatchString(r.peek(0)) || adocDirective().MatchString(r.peek(0)) {
		if m := adocBlockAttr().FindStringSubmatch(r.peek(0)); m != nil {
			r.attr = m[1]
		}
		r.at++
	}
	l := r.peek(0)
	switch {
	case isBlank(l), adocItem().MatchString(l):
	case isDelimiter(l):
		r.delimited(l)
	default:
		r.paragraph(r.indent())
	}
}

func (r *adocReader) underlined(l string) bool {
	next := r.peek(1)
	if indentOf(l) > 0 || len(next) < 3 || !adocUnderline().MatchString(next) || isDelimiter(l) {
		return false
	}
	n := utf8.RuneCountInString(l) - len(next)
	return n >= -3 && n <= 3
}

func isDelimiter(l string) bool {
	if l == "--" || strings.HasPrefix(l, "|===") {
		return true
	}
	return len(l) >= 4 && strings.IndexByte("-.=_*+/", l[0]) >= 0 && strings.Trim(l, l[:1]) == ""
}

// delimited reads a block between two equal delimiter lines.
func (r *adocReader) delimited(delimiter string) {
	begin := r.at + 1
	end := begin
	for end < len(r.lines) && strings.TrimRight(r.lines[end], " \t") != delimiter {
		end++
	}
	body := r.lines[min(begin, len(r.lines)):end]
	attr := r.attr
	r.attr = ""
	r.at = min(end+1, len(r.lines))
	switch {
	case strings.HasPrefix(delimiter, "////"):
	case strings.HasPrefix(delimiter, "|==="):
		r.table(body)
	case delimiter[0] == '-' && delimiter != "--", delimiter[0] == '.':
		lang := ""
		if m := adocLang().FindStringSubmatch(attr); m != nil {
			lang = m[1]
		}
		r.w.code(r.indent(), lang, body)
	case delimiter[0] == '+':
		r.w.code(r.indent(), "", body)
	default: // an open block, an example, a sidebar, a quotation
		inner := strings.Split(strings.TrimSpace(convertAsciiDoc(strings.Join(body, "\n"))), "\n")
		prefix := ""
		if delimiter[0] == '_' {
			prefix = "> "
		}
		for _, l := range inner {
			r.w.line(r.indent(), prefix+l)
		}
		r.w.line(0, "")
	}
}

// table converts cells that begin with "|".
func (r *adocReader) table(body []string) {
	var rows [][]string
	columns := 0
	for _, l := range trimBlank(body) {
		if isBlank(l) {
			continue
		}
		cells := strings.SplitN(l, "|", maxColumns+1)
		if len(cells) == 1 { // goes on with the last cell
			if n := len(rows); n > 0 && len(rows[n-1]) > 0 {
				last := &rows[n-1][len(rows[n-1])-1]
				*last = strings.TrimSpace(*last + " " + adocInline(strings.TrimSpace(l)))
			}
			continue
		}
		var row []string
		for _, c := range cells[1:] {
			row = append(row, adocInline(strings.TrimSpace(c)))
		}
		if columns == 0 {
			columns = len(row)
		}
		if n := len(rows); n > 0 && len(rows[n-1])+len(row) <= columns { // one cell a line
			rows[n-1] = append(rows[n-1], row...)
			continue
		}
		rows = append(rows, row)
	}
	r.w.line(0, "")
	writeTable(&r.w, r.indent(), rows)
}

// maxColumns of a table are told apart; the rest is one cell.
const maxColumns = 100

// writeTable writes rows, the first of them as the header.
func writeTable(w *writer, n int, rows [][]string) {
	columns, cells := 0, 0
	for _, row := range rows {
		columns, cells = max(columns, len(row)), cells+len(row)
	}
	if columns == 0 {
		return
	}
	padded := columns*len(rows) <= 2*cells+maxPadding
	for i, row := range rows {
		var line strings.Builder
		line.WriteByte('|')
		for _, cell := range row {
			line.WriteString(" " + strings.ReplaceAll(cell, "|", `\|`) + " |")
		}
		if padded || i == 0 {
			line.WriteString(strings.Repeat("  |", columns-len(row)))
		}
		w.line(n, line.String())
		if i == 0 {
			w.line(n, "|"+strings.Repeat(" --- |", columns))
		}
	}
	w.line(0, "")
}

// maxPadding is how many empty cells short rows get beside one for each cell.
const maxPadding = 10_000

// item begins a list item; its marker tells how deep it is nested.
func (r *adocReader) item(m []string) {
	marker, width, md := m[1], 2, "- "
	if strings.HasPrefix(marker, ".") || strings.HasSuffix(marker, ".") {
		width, md = 3, "1. "
		if n := strings.TrimSuffix(marker, "."); n != "" && n[0] >= '0' && n[0] <= '9' {
			md = n + ". "
			width = len(md)
			marker = "1."
		}
	}
	depth := len(r.list)
	for i, l := range r.list {
		if l.marker == marker {
			depth = i
			break
		}
	}
	r.list = append(r.list[:depth:depth], adocList{marker, width})
	lines := []string{adocInline(m[2])}
	r.at++
	lines = append(lines, r.continued()...)
	r.w.paragraph(r.indent()-width, md, lines)
}

// continued reads the lines that go on with the current paragraph.
func (r *adocReader) continued() []string {
	var out []string
	for r.at < len(r.lines) {
		l := r.peek(0)
		if isBlank(l) || l == "+" || isDelimiter(l) || adocItem().MatchString(l) || adocTerm().MatchString(l) && indentOf(l) == 0 || adocBlockAttr().MatchString(l) || adocDirective().MatchString(l) {
			break
		}
		if !strings.HasPrefix(l, "//") {
			out = append(out, adocInline(strings.TrimSpace(l)))
		}
		r.at++
	}
	return out
}

// term reads one or more terms and the first paragraph of their definition.
func (r *adocReader) term() {
	var terms []string
	marker, rest := "::", ""
	for {
		m := adocTerm().FindStringSubmatch(r.peek(0))
		if m == nil || rest != "" || len(terms) > 0 && m[2] != marker {
			break
		}
		terms, marker, rest = append(terms, adocInline(m[1])), m[2], m[3]
		r.at++
		for adocAnchor().MatchString(r.peek(0)) || adocDirective().MatchString(r.peek(0)) {
			r.at++
		}
	}
	depth := len(r.list)
	for i, l := range r.list {
		if l.marker == marker {
			depth = i
			break
		}
	}
	r.list = append(r.list[:depth:depth], adocList{marker, 2})
	n := r.indent() - 2
	r.w.line(0, "")
	r.w.line(n, strings.Join(terms, ", "))
	for isBlank(r.peek(0)) && r.at < len(r.lines)-1 && indentOf(expandTabs(r.peek(1))) > 0 {
		r.at++
	}
	lines := r.continued()
	if rest != "" {
		lines = append([]string{adocInline(rest)}, lines...)
	}
	if len(lines) > 0 {
		r.w.paragraph(n, ": ", lines)
	}
	r.w.line(0, "")
}

// plain reads a paragraph that is not marked: indented, it is literal.
func (r *adocReader) plain() {
	l := expandTabs(r.peek(0))
	if r.attr != "" || indentOf(l) > 0 {
		if isVerbatim(r.attr) || indentOf(l) > 0 {
			var body []string
			for r.at < len(r.lines) && !isBlank(r.peek(0)) && r.peek(0) != "+" {
				body = append(body, r.lines[r.at])
				r.at++
			}
			r.w.code(r.indent(), "", body)
			r.attr = ""
			return
		}
	}
	r.list = nil
	r.paragraph(0)
}

func isVerbatim(attr string) bool {
	for _, v := range []string{"verse", "synopsis", "listing", "literal", "source"} {
		if strings.HasPrefix(attr, v) {
			return true
		}
	}
	return false
}

func (r *adocReader) paragraph(n int) {
	verbatim := isVerbatim(r.attr)
	r.attr = ""
	if strings.HasPrefix(r.peek(0), ".") && len(r.peek(0)) > 1 && r.peek(0)[1] != '.' && r.peek(0)[1] != ' ' { // a block's title
		r.w.line(n, "**"+adocInline(r.peek(0)[1:])+"**")
		r.at++
		return
	}
	begin := r.at
	lines := r.continued()
	if r.at == begin { // a line that looks like another block's start: it is text here
		lines = []string{adocInline(strings.TrimSpace(r.peek(0)))}
		r.at++
	}
	if verbatim {
		r.w.code(n, "", lines)
		return
	}
	if len(lines) > 0 {
		lines[0] = adocAdmonish().ReplaceAllStringFunc(lines[0], func(s string) string {
			s = strings.TrimSpace(s)
			return "**" + s[:1] + strings.ToLower(s[1:]) + "** "
		})
	}
	if len(lines) > 0 {
		lines[0] = escapeStart(lines[0])
	}
	r.w.paragraph(n, "", lines)
}

var (
	adocLinkgit = text.Pattern(`linkgit:([\w.-]+)\[(\d+)\]`)
	adocXref    = text.Pattern(`<<[^,>]+,([^>]+)>>`)
	adocXrefID  = text.Pattern(`<<([\w-]+)>>`)
	adocLink    = text.Pattern(`(?:link:|xref:)?((?:https?://|mailto:)[^\s\[\]]+)\[([^\]]*)\]`)
	adocLocal   = text.Pattern(`(?:link|xref):([^\s\[\]]+)\[([^\]]*)\]`)
	adocInlineA = text.Pattern(`\[\[[\w:-]+\]\]`)
	adocAttrRef = text.Pattern(`\{(\w+)\}`)
	adocPass    = text.Pattern("`\\+([^`+]+)\\+`|\\+\\+([^+]+)\\+\\+|\\bpass:\\w*\\[([^\\]]*)\\]")
	adocStrike  = text.Pattern(`\[line-through\]#([^#]+)#`)
)

var adocNames = map[string]string{
	"plus": "+", "caret": "^", "tilde": "~", "litdd": "--", "asterisk": "*", "startsb": "[", "endsb": "]", "apostrophe": "'",
	"backtick": "`", "backslash": `\`, "amp": "&", "lt": "<", "gt": ">", "nbsp": " ", "empty": "", "sp": " ", "zwsp": "", "vbar": "|", "cpp": "C++",
}

// adocInline converts the inline markup that would otherwise stand in the text.
func adocInline(s string) string {
	if !strings.ContainsAny(s, "<[{+:") {
		return s
	}
	s = adocLinkgit().ReplaceAllString(s, "$1($2)")
	s = adocXref().ReplaceAllString(s, "$1")
	s = adocXrefID().ReplaceAllString(s, "$1")
	s = adocLink().ReplaceAllStringFunc(s, func(m string) string {
		p := adocLink().FindStringSubmatch(m)
		if p[2] == "" {
			return p[1]
		}
		return "[" + p[2] + "](" + p[1] + ")"
	})
	s = adocLocal().ReplaceAllStringFunc(s, func(m string) string {
		p := adocLocal().FindStringSubmatch(m)
		if p[2] == "" {
			return p[1]
		}
		return p[2]
	})
	s = adocInlineA().ReplaceAllString(s, "")
	s = adocStrike().ReplaceAllString(s, "~~$1~~")
	s = adocPass().ReplaceAllStringFunc(s, func(m string) string {
		p := adocPass().FindStringSubmatch(m)
		if p[1] != "" {
			return "`" + p[1] + "`"
		}
		return p[2] + p[3]
	})
	return adocAttrRef().ReplaceAllStringFunc(s, func(m string) string {
		if v, ok := adocNames[strings.Trim(m, "{}")]; ok {
			return v
		}
		return m
	})
}
