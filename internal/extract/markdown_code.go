package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// code writes a listing as a fenced block.
func (w *writer) code(n *html.Node) {
	w.flush()
	if w.plain {
		w.inlineCode(text.Squash(codeText(n)))
		return
	}
	if t := findElement(n, "table"); t != nil { // line numbers in a table
		if rows, _ := tableRows(t); w.listing(rows) {
			return
		}
	}
	w.fence(codeText(n), codeLanguage(n))
}

func (w *writer) fence(s, language string) {
	s = strings.TrimRight(strings.TrimLeft(s, "\n"), "\n \t")
	if strings.TrimSpace(s) == "" {
		return
	}
	run, longest := 0, 2
	for i := range len(s) {
		if s[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", min(longest+1, 100))
	w.block(fence + language + "\n" + s + "\n" + fence)
}

// codeText is the text of a listing without line numbers.
func codeText(n *html.Node) string {
	var b strings.Builder
	writeCode(n, &b)
	s := strings.ReplaceAll(b.String(), "\r\n", "\n")
	if !strings.Contains(strings.TrimSpace(s), "\n") && strings.Contains(s, "\x00") { // one element a line
		return strings.ReplaceAll(s, "\x00", "\n")
	}
	return strings.ReplaceAll(s, "\x00", "")
}

func writeCode(n *html.Node, b *strings.Builder) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type == html.TextNode:
			b.WriteString(strings.ReplaceAll(c.Data, "\x00", ""))
		case c.Type != html.ElementNode || isGutter(c):
		case c.DataAtom == atom.Br:
			b.WriteByte('\n')
		case c.DataAtom == atom.Button || c.DataAtom == atom.Script || c.DataAtom == atom.Style:
		case c.DataAtom == atom.Div || c.DataAtom == atom.P || c.DataAtom == atom.Li || c.DataAtom == atom.Tr:
			if s := b.String(); s != "" && !strings.HasSuffix(s, "\n") {
				b.WriteByte('\n')
			}
			writeCode(c, b)
			if !strings.HasSuffix(b.String(), "\n") {
				b.WriteByte('\n')
			}
		default:
			writeCode(c, b)
			if class := attribute(c.Attr, "class"); hasWord(class, "line") || hasWord(class, "code-line") {
				b.WriteByte(0)
			}
		}
	}
}

// isGutter reports whether an element of a listing holds its line number.
func isGutter(n *html.Node) bool {
	for w := range strings.FieldsSeq(strings.ToLower(attribute(n.Attr, "class"))) {
		switch w {
		case "ln", "lnt", "lineno", "linenos", "linenumber", "line-number", "line-numbers", "line-numbers-rows", "gutter", "lnum",
			"hljs-ln-numbers", "react-syntax-highlighter-line-number", "linenodiv", "line_number", "no", "num":
			return isLineNumbers(n)
		}
	}
	return has(n.Attr, "data-line-number") && isLineNumbers(n)
}

var languageClass = text.Pattern(`(?i)(?:^|\s)(?:lang(?:uage)?-|highlight-source-|highlight-text-|brush:\s*|sourceCode\s+|highlight-|code-)([a-z0-9+#_.-]{1,24})`)

var notLanguages = map[string]bool{"default": true, "none": true, "plaintext": true, "text": true, "notranslate": true, "wrapper": true, "block": true, "plain": true}

// codeLanguage is the language of a listing by the classes of its elements.
func codeLanguage(n *html.Node) string {
	if c := findElement(n, "code"); c != nil {
		if l := languageOf(c); l != "" {
			return l
		}
	}
	for p, i := n, 0; p != nil && i < 4; p, i = p.Parent, i+1 {
		if l := languageOf(p); l != "" {
			return l
		}
	}
	return ""
}

func languageOf(n *html.Node) string {
	for _, key := range []string{"data-lang", "data-language", "lang"} {
		if v := attribute(n.Attr, key); v != "" && len(v) <= 20 && (key != "lang" || n.DataAtom == atom.Pre) && isName(v) {
			return v
		}
	}
	m := languageClass().FindStringSubmatch(attribute(n.Attr, "class"))
	if m == nil || notLanguages[strings.ToLower(m[1])] {
		return ""
	}
	return m[1]
}

func isName(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '`' || c > '~' {
			return false
		}
	}
	return true
}
