package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// markdown writes the visible text of n as Markdown: headings, lists, tables,
// code, quotations and formulas. Links and emphasis are replaced by their text,
// so that sentences are indexed and quoted without markup. Nothing is escaped.
func markdown(n *html.Node) string {
	w := &writer{room: 2 * MaxInput}
	w.children(n)
	w.flush()
	return strings.TrimSpace(string(w.out))
}

// maxIndent is the depth to which quotations and lists are nested. Each line is
// prefixed once per level, so a small page with deep nesting would otherwise
// become gigabytes of Markdown.
const maxIndent = 8

// writer writes blocks. Inline text is collected in para until a block ends.
type writer struct {
	out    []byte
	room   int // bytes that may still be written
	para   []byte
	prefix string // of each line
	last   string // the prefix of the last line
	marker string // in place of the end of prefix in the next line
	gap    int    // line breaks before the next block: 2, or 1 within a list
	depth  int
	strike int
	plain  bool // inside a heading or cell: line breaks are spaces
}

// flush ends the paragraph.
func (w *writer) flush() {
	s := strings.TrimSpace(string(w.para))
	w.para = w.para[:0]
	if s != "" {
		w.block(s)
	}
}

// block writes a block of whole lines.
func (w *writer) block(s string) {
	if w.room -= len(s) + 2; w.room < 0 {
		return
	}
	if len(w.out) > 0 {
		w.out = append(w.out, '\n')
		if w.gap != 1 {
			w.out = append(w.out, strings.TrimRight(common(w.last, w.prefix), " ")...)
			w.out = append(w.out, '\n')
		}
	}
	w.gap = 2
	first := true
	for line := range strings.SplitSeq(s, "\n") {
		if !first {
			w.out = append(w.out, '\n')
		}
		switch {
		case first && w.marker != "":
			w.out = append(w.out, w.prefix[:len(w.prefix)-len(w.marker)]...)
			w.out = append(w.out, w.marker...)
			w.marker = ""
		case line == "":
			w.out = append(w.out, strings.TrimRight(w.prefix, " ")...)
		default:
			w.out = append(w.out, w.prefix...)
		}
		w.out = append(w.out, line...)
		first = false
	}
	w.last = w.prefix
}

func common(a, b string) string {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return a[:i]
		}
	}
	return a[:n]
}

// write appends inline text, with runs of white space as one space.
func (w *writer) write(s string) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t', '\n', '\r', '\f':
			w.space()
		default:
			w.para = append(w.para, c)
		}
	}
}

func (w *writer) space() {
	if n := len(w.para); n > 0 && w.para[n-1] != ' ' && w.para[n-1] != '\n' {
		w.para = append(w.para, ' ')
	}
}

func (w *writer) trimSpace() {
	for n := len(w.para); n > 0 && w.para[n-1] == ' '; n-- {
		w.para = w.para[:n-1]
	}
}

func (w *writer) lineBreak() {
	if w.plain {
		w.space()
		return
	}
	w.trimSpace()
	if n := len(w.para); n > 0 && w.para[n-1] != '\n' {
		w.para = append(w.para, '\n')
	}
}

func (w *writer) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch c.Type {
		case html.TextNode:
			w.write(c.Data)
		case html.ElementNode:
			w.element(c)
		case html.DocumentNode:
			w.children(c)
		}
	}
}

func (w *writer) element(n *html.Node) {
	if n.Namespace == svgSpace {
		w.drawing(n)
		return
	}
	switch n.DataAtom {
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		w.heading(n)
	case atom.Ul, atom.Ol, atom.Menu, atom.Dir:
		w.list(n)
	case atom.Pre, atom.Listing, atom.Xmp:
		w.code(n)
	case atom.Blockquote:
		w.nested(n, "> ", "")
	case atom.Table:
		w.table(n)
	case atom.Dl:
		w.definitions(n)
	case atom.Br:
		w.lineBreak()
	case atom.Head, atom.Img, atom.Picture, atom.Source, atom.Script, atom.Style, atom.Template, atom.Rt, atom.Rp, atom.Title, atom.Colgroup:
	default:
		if n.Data == formulaTag {
			w.formula(n)
			return
		}
		if isInline(n) {
			w.inline(n)
			return
		}
		if !w.plain && w.roleTable(n) {
			return
		}
		w.flush()
		w.children(n)
		w.flush()
	}
}

func isInline(n *html.Node) bool { return inline[n.Data] || !knownBlock[n.Data] }

var knownBlock = map[string]bool{
	"address": true, "article": true, "aside": true, "body": true, "button": true, "center": true, "details": true, "dialog": true,
	"dd": true, "div": true, "dt": true, "fieldset": true, "figcaption": true, "figure": true, "footer": true, "form": true,
	"header": true, "hgroup": true, "hr": true, "html": true, "legend": true, "li": true, "main": true, "nav": true, "p": true,
	"search": true, "section": true, "summary": true, "tbody": true, "td": true, "tfoot": true, "th": true, "thead": true,
	"tr": true, "caption": true, "option": true, "optgroup": true, "plaintext": true, "noscript": true, "blockquote": true,
	"dir": true, "dl": true, "h1": true, "h2": true, "h3": true, "h4": true, "h5": true, "h6": true, "listing": true, "menu": true,
	"ol": true, "pre": true, "table": true, "ul": true, "xmp": true,
}

func (w *writer) inline(n *html.Node) {
	switch n.DataAtom {
	case atom.Code, atom.Kbd, atom.Samp, atom.Tt:
		w.inlineCode(text.Squash(textOf(n)))
	case atom.Sup, atom.Sub:
		w.script(n, n.DataAtom == atom.Sup)
	case atom.S, atom.Del, atom.Strike:
		w.struck(n)
	case atom.Q:
		w.para = append(w.para, "“"...)
		w.children(n)
		w.para = append(w.para, "”"...)
	case atom.A:
		if full := fullAddress(n); full != "" {
			w.write(full)
		} else if !isPermalink(n) && !isNoteLink(n) {
			w.children(n)
		}
	case atom.Wbr:
	default:
		if hasWord(attribute(n.Attr, "class"), "mw-editsection") {
			return
		}
		if raised, lowered := styledScript(n); raised || lowered {
			w.script(n, raised)
			return
		}
		w.children(n)
	}
}

func (w *writer) inlineCode(s string) {
	if s == "" {
		return
	}
	fence := "`"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	w.para = append(w.para, fence+s+fence...)
}

// struck marks text that the page strikes out.
func (w *writer) struck(n *html.Node) {
	if w.strike > 0 {
		w.children(n)
		return
	}
	w.strike++
	start := len(w.para)
	w.children(n)
	w.strike--
	if start > len(w.para) {
		return // it held blocks, which were written
	}
	inner := string(w.para[start:])
	w.para = w.para[:start]
	if trimmed := strings.TrimSpace(inner); trimmed != "" {
		if inner[0] == ' ' {
			w.space()
		}
		w.para = append(w.para, "~~"+trimmed+"~~"...)
		if inner[len(inner)-1] == ' ' {
			w.space()
		}
	}
}

// isPermalink reports whether a link is only a mark beside a heading.
func isPermalink(n *html.Node) bool {
	if n.FirstChild == nil {
		return true
	}
	s := strings.TrimSpace(textOf(n))
	switch s {
	case "¶", "#", "§", "🔗", "🔗︎", "":
		return strings.HasPrefix(attribute(n.Attr, "href"), "#") || s == ""
	}
	return false
}

// isNoteLink reports whether a link leads to a footnote, or back from it.
func isNoteLink(n *html.Node) bool {
	for _, key := range []string{"role", "epub:type", "class"} {
		switch v := attribute(n.Attr, key); {
		case hasWord(v, "doc-noteref"), hasWord(v, "doc-backlink"), hasWord(v, "noteref"), hasWord(v, "footnote-ref"), hasWord(v, "footnote-back"):
			return true
		}
	}
	return false
}

// formula writes $…$, or a block of its own.
func (w *writer) formula(n *html.Node) {
	tex := textOf(n)
	if tex == "" {
		return
	}
	if !has(n.Attr, displayAttr) || w.plain {
		w.para = append(w.para, "$"+tex+"$"...)
		return
	}
	w.flush()
	w.block("$$\n" + tex + "\n$$")
}

func (w *writer) heading(n *html.Node) {
	w.flush()
	plain := w.plain
	w.plain = true
	inner := &writer{plain: true, room: w.room}
	inner.children(n)
	s := strings.TrimSpace(string(inner.para))
	if len(inner.out) > 0 { // blocks in a heading
		s = text.Squash(string(inner.out) + " " + s)
	}
	w.plain = plain
	if s == "" {
		return
	}
	level := int(n.Data[1] - '0')
	w.block(strings.Repeat("#", level) + " " + s)
}

// nested writes the blocks of n behind a prefix. marker replaces it in the first
// line.
func (w *writer) nested(n *html.Node, prefix, marker string) {
	w.flush()
	if w.depth >= maxIndent {
		w.children(n)
		w.flush()
		return
	}
	outer, outerMarker := w.prefix, w.marker
	if outerMarker != "" && marker != "" { // a list that begins an item
		marker = outerMarker + marker
	} else if outerMarker != "" {
		marker = outerMarker + prefix
	}
	w.prefix += prefix
	w.marker = marker
	w.depth++
	w.children(n)
	w.flush()
	w.depth--
	w.prefix = outer
	if w.marker != "" { // nothing was written
		w.marker = outerMarker
	}
}
