package markup

import (
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// What begins an admonition in Markdown: MkDocs and Material (!!! note "Title", folded
// with ???, content tabs with ===), Docusaurus, MyST and Pandoc (:::note Title), and
// GitHub (> [!NOTE]).
var (
	indentedAdmonition = text.Pattern(`^( *)(!!!|\?\?\?\+?) +([A-Za-z][\w -]*?)?(?: *("|')(.*)("|'))?(?: *\{[^{}]*\})?\s*$`)
	contentTab         = text.Pattern(`^( *)===[!+]{0,2} +"(.+)"\s*$`)
	colonAdmonition    = text.Pattern(`^( *):{3,}\s*(?:\{\.?([A-Za-z][\w-]*)[^{}]*\}|([A-Za-z][\w-]*))(?:\[(.*)\]| +([^{}=]*))?(?: *\{[^{}]*\})?\s*$`)
	colonEnd           = text.Pattern(`^ *:{3,}\s*$`)
	quotedAdmonition   = text.Pattern(`(?i)^( {0,3}(?:> ?)+)\[!([a-z]+)\][-+]?\s*(.*)$`)
	fenceLine          = text.Pattern("^ *(?:[-*+] +|\\d+[.)] +)?(```+|~~~+)")
	mystAdmonition     = text.Pattern("^( *)(`{3,}|~{3,}|:{3,})\\{([a-z]+)\\} *(.*)$")
	startsBlock        = text.Pattern("^(?:[-+*]|\\d{1,9}[.)])\\s|^(?:#{1,6}\\s|>|\\||```|~~~|:::|!!!|\\?\\?\\?|===|\\$\\$|<)")
)

// bodyIndent is how far the body of an indented admonition is indented.
const bodyIndent = 4

// admonitions writes the notes, warnings and tabs of Markdown's dialects as paragraphs
// that begin with their title in bold, as those of AsciiDoc and reStructuredText are
// written, and their indented bodies as blocks in their place. Code is left alone.
func admonitions(s string) string {
	if !strings.Contains(s, "!!!") && !strings.Contains(s, "???") && !strings.Contains(s, ":::") && !strings.Contains(s, "[!") && !strings.Contains(s, "=== \"") && !strings.Contains(s, "```{") {
		return s
	}
	lines := strings.Split(s, "\n")
	r := admonitionReader{out: make([]string, 0, len(lines)), closed: closings(lines)}
	for i, l := range lines {
		r.line(i, l)
	}
	r.flushTitle("")
	return strings.Join(r.out, "\n")
}

// closings counts, for each line, the ends of colon admonitions at and below it. One
// that never ends is text.
func closings(lines []string) []int {
	out := make([]int, len(lines)+1)
	for i := len(lines) - 1; i >= 0; i-- {
		out[i] = out[i+1]
		if colonEnd().MatchString(lines[i]) {
			out[i]++
		}
	}
	return out
}

// admonitionReader rewrites line by line.
type admonitionReader struct {
	out    []string
	open   []int  // indents of the indented admonitions around the line
	colons int    // open colon admonitions
	myst   string // what ends a fenced admonition of MyST around the line
	fence  string // of the code block around the line
	title  string // of an admonition whose body has not begun, with its prefix before it
	prefix string
	closed []int
}

func (r *admonitionReader) line(i int, l string) {
	if strings.TrimSpace(l) == "" {
		if r.title == "" {
			r.out = append(r.out, strings.TrimRight(l, " \t"))
		}
		return
	}
	indented := leadingTabs(l)
	for len(r.open) > 0 && indentOf(indented) < r.open[len(r.open)-1]+bodyIndent {
		r.open = r.open[:len(r.open)-1]
		r.fence = ""
		r.flushTitle("")
	}
	if len(r.open) > 0 {
		l = indented[min(bodyIndent*len(r.open), indentOf(indented)):]
	}
	if r.fence == "" && r.myst == "" && r.beginsMyST(l) {
		return
	}
	if m := fenceLine().FindStringSubmatch(l); m != nil {
		switch {
		case r.fence == "" && r.myst != "" && strings.TrimSpace(l) == r.myst:
			r.flushTitle("")
			r.myst = ""
			r.blank()
			return
		case r.fence == "":
			r.flushTitle("")
			r.fence = m[1]
			r.out = append(r.out, l)
			return
		case strings.HasPrefix(m[1], r.fence):
			r.fence = ""
		}
	} else if r.fence == "" && r.begins(i, l, indentOf(indented)) {
		return
	}
	r.body(l)
}

// begins reports whether a line begins or ends an admonition, and takes account of it.
func (r *admonitionReader) begins(i int, l string, indent int) bool {
	if m := indentedAdmonition().FindStringSubmatch(l); m != nil && (m[3] != "" || m[4] != "") {
		title := m[5]
		if m[4] == "" {
			kind, _, _ := strings.Cut(m[3], " ")
			title = capitalized(kind)
		}
		r.begin(m[1], title)
		r.open = append(r.open, indent)
		return true
	}
	if m := contentTab().FindStringSubmatch(l); m != nil {
		r.begin(m[1], m[2])
		r.open = append(r.open, indent)
		return true
	}
	if colonEnd().MatchString(l) && r.colons > 0 {
		r.flushTitle("")
		r.colons--
		r.blank()
		return true
	}
	if m := colonAdmonition().FindStringSubmatch(l); m != nil && r.closed[i] > r.colons {
		r.begin(m[1], colonTitle(m[2]+m[3], strings.TrimSpace(m[4]+m[5])))
		r.colons++
		return true
	}
	if m := quotedAdmonition().FindStringSubmatch(l); m != nil {
		title := strings.TrimSpace(m[3])
		if title == "" {
			title = capitalized(m[2])
		}
		r.flushTitle("")
		r.prefix, r.title = m[1], title
		return true
	}
	return false
}

// beginsMyST reports whether a line begins a fenced admonition, whose text is Markdown.
func (r *admonitionReader) beginsMyST(l string) bool {
	m := mystAdmonition().FindStringSubmatch(l)
	if m == nil || m[2][0] == ':' || !admonitionKinds[m[3]] {
		return false
	}
	r.begin(m[1], colonTitle(m[3], strings.TrimSpace(m[4])))
	r.myst = m[2]
	return true
}

// admonitionKinds are the words for which a reader sees a title.
var admonitionKinds = map[string]bool{
	"note": true, "tip": true, "info": true, "warning": true, "danger": true, "caution": true, "important": true, "attention": true,
	"hint": true, "error": true, "seealso": true, "admonition": true, "details": true, "dropdown": true, "success": true,
	"example": true, "question": true, "todo": true, "deprecated": true, "bug": true, "abstract": true,
}

// colonTitle is the title of a container with marks at both ends: a word for its kind if
// it has none of its own, and "" for a container that is only layout.
func colonTitle(kind, title string) string {
	kind = strings.TrimPrefix(strings.ToLower(kind), "callout-")
	switch {
	case title != "":
		return title
	case kind == "admonition" || !admonitionKinds[kind]:
		return ""
	}
	return capitalized(kind)
}

func (r *admonitionReader) begin(prefix, title string) {
	r.flushTitle("")
	r.blank()
	r.prefix, r.title = prefix, strings.TrimSpace(title)
}

// body writes a line, behind the title if it is the first one below it.
func (r *admonitionReader) body(l string) {
	if r.title == "" {
		r.out = append(r.out, l)
		return
	}
	rest, quoted := strings.CutPrefix(l, strings.TrimRight(r.prefix, " "))
	rest = strings.TrimSpace(rest)
	switch {
	case strings.Contains(r.prefix, ">") && (!quoted || rest == ""), r.fence != "", startsBlock().MatchString(rest):
		r.flushTitle(r.prefix)
		r.out = append(r.out, l)
	default:
		r.out = append(r.out, r.prefix+bold(r.title)+" "+rest)
		r.title = ""
	}
}

// flushTitle writes a title that no paragraph follows. blank is the line below it.
func (r *admonitionReader) flushTitle(blank string) {
	if r.title != "" {
		r.out = append(r.out, r.prefix+bold(r.title), strings.TrimRight(blank, " "))
		r.title = ""
	}
}

func (r *admonitionReader) blank() {
	if n := len(r.out); n > 0 && strings.TrimSpace(r.out[n-1]) != "" {
		r.out = append(r.out, "")
	}
}

// bold is a title in bold with a mark behind it.
func bold(title string) string {
	if strings.ContainsRune(".:!?…", rune(title[len(title)-1])) {
		return "**" + title + "**"
	}
	return "**" + title + ":**"
}

// capitalized is the word that a dialect shows for a kind of admonition.
func capitalized(kind string) string {
	if kind == "" {
		return ""
	}
	kind = strings.ToLower(kind)
	return strings.ToUpper(kind[:1]) + kind[1:]
}

// leadingTabs is l with each tab before its text as white space to the next multiple
// of four.
func leadingTabs(l string) string {
	col := 0
	for i := range len(l) {
		switch l[i] {
		case ' ':
			col++
		case '\t':
			col += bodyIndent - col%bodyIndent
		default:
			return strings.Repeat(" ", col) + l[i:]
		}
	}
	return ""
}
