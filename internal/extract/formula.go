package extract

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// formulaTag is the element that stands for a formula after readFormulas; its
// text is TeX, or a linear form of MathML.
const formulaTag = "x-formula"

const displayAttr = "x-display"

// readFormulas replaces formulas by elements with their TeX: MathML, and the
// markup of Wikipedia, KaTeX, MathJax and LaTeXML. The TeX that a page hides
// beside a formula is used if it agrees with what is shown.
func readFormulas(doc *html.Node) {
	for n := range doc.Descendants() {
		if name, ok := strings.CutPrefix(n.Data, "mml:"); ok && n.Type == html.ElementNode { // the parser knows no prefixes
			n.Data, n.DataAtom = name, atom.Lookup([]byte(name))
		}
	}
	var found []*html.Node
	collectFormulas(doc, &found)
	for _, n := range found {
		replaceFormula(n)
	}
}

func collectFormulas(n *html.Node, found *[]*html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode && isFormula(c) {
			*found = append(*found, c)
			continue
		}
		collectFormulas(c, found)
	}
}

func isFormula(n *html.Node) bool {
	switch {
	case n.Data == "math" || n.Data == "mjx-container":
		return true
	case n.DataAtom == atom.Script:
		return strings.HasPrefix(strings.TrimSpace(attribute(n.Attr, "type")), "math/tex")
	case n.DataAtom == atom.Img:
		return isFormulaImage(n)
	case n.DataAtom == atom.Span || n.DataAtom == atom.Div:
		class := attribute(n.Attr, "class")
		return hasWord(class, "mwe-math-element") || hasWord(class, "katex")
	}
	return false
}

func isFormulaImage(n *html.Node) bool {
	class, src := strings.ToLower(attribute(n.Attr, "class")), attribute(n.Attr, "src")
	for _, s := range []string{"tex", "math", "formula", "equation"} {
		if strings.Contains(class, s) {
			return true
		}
	}
	return strings.Contains(src, "latex") || strings.Contains(src, "/math/") || strings.Contains(src, "codecogs")
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

func replaceFormula(n *html.Node) {
	tex, display := formulaTeX(n)
	if n.DataAtom == atom.Script {
		for p := previousElement(n); p != nil && strings.HasPrefix(attribute(p.Attr, "class"), "MathJax"); p = previousElement(n) {
			p.Parent.RemoveChild(p)
		}
	}
	if n.DataAtom == atom.Img { // its alt is not shown; aria-hidden does not hide the picture
		n.Attr = withoutAttr(n.Attr, "aria-hidden")
	}
	for n.FirstChild != nil {
		n.RemoveChild(n.FirstChild)
	}
	n.Data, n.DataAtom, n.Namespace = formulaTag, 0, ""
	if display {
		n.Attr = append(n.Attr, html.Attribute{Key: displayAttr})
	}
	if tex != "" {
		n.AppendChild(&html.Node{Type: html.TextNode, Data: tex})
	}
}

func withoutAttr(attrs []html.Attribute, key string) []html.Attribute {
	out := attrs[:0:0]
	for _, a := range attrs {
		if a.Key != key {
			out = append(out, a)
		}
	}
	return out
}

func formulaTeX(n *html.Node) (tex string, display bool) {
	switch n.DataAtom {
	case atom.Script:
		display = strings.Contains(attribute(n.Attr, "type"), "mode=display")
		if n.FirstChild == nil {
			return "", display
		}
		if source := cdata().ReplaceAllString(n.FirstChild.Data, ""); plausibleTeX(source, "") {
			tex = cleanTeX(source)
		}
		return tex, display
	case atom.Img:
		for _, source := range []string{attribute(n.Attr, "alt"), drawnTeX(attribute(n.Attr, "src"))} {
			if tex == "" && plausibleTeX(source, "") {
				tex = cleanTeX(source)
			}
		}
		return tex, false
	}
	math := n
	if n.Data != "math" {
		math = findElement(n, "math")
	}
	display = attribute(n.Attr, "display") == "true" || hasWord(attribute(n.Attr, "class"), "mwe-math-element-block") ||
		n.Parent != nil && hasWord(attribute(n.Parent.Attr, "class"), "katex-display")
	if source := sourceOfMathJax(n); math == nil && source != "" {
		return cleanTeX(source), display
	}
	if math == nil {
		if img := findElement(n, "img"); img != nil && plausibleTeX(attribute(img.Attr, "alt"), "") {
			return cleanTeX(attribute(img.Attr, "alt")), display
		}
		return text.Squash(textOf(n)), display
	}
	display = display || attribute(math.Attr, "display") == "block"
	linear := text.Squash(linearMath(math))
	for _, candidate := range []string{annotation(math), attribute(math.Attr, "alttext")} {
		if candidate != "" && plausibleTeX(candidate, linear) {
			return cleanTeX(candidate), display
		}
	}
	return linear, display
}

// drawnTeX is the TeX in the address of a service that draws it, or "".
func drawnTeX(src string) string {
	u, err := url.Parse(src)
	if err != nil || !strings.HasSuffix(u.Hostname(), "codecogs.com") && !strings.Contains(u.Path, "latex") {
		return ""
	}
	source, err := url.QueryUnescape(strings.ReplaceAll(u.RawQuery, "+", "%2B"))
	if err != nil {
		return ""
	}
	return source
}

// sourceOfMathJax is the TeX that MathJax 3 and 4 write beside what they draw, or "".
func sourceOfMathJax(n *html.Node) string {
	if n.Data != "mjx-container" {
		return ""
	}
	source := attribute(n.Attr, "data-latex")
	for c := range n.Descendants() {
		if source == "" && (c.Data == "mjx-math" || attribute(c.Attr, "data-mml-node") == "math") {
			source = attribute(c.Attr, "data-latex")
		}
	}
	if !plausibleTeX(source, "") {
		return ""
	}
	return source
}

func findElement(n *html.Node, name string) *html.Node {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && c.Data == name {
			return c
		}
	}
	return nil
}

func annotation(math *html.Node) string {
	for c := range math.Descendants() {
		if c.Data == "annotation" && strings.Contains(attribute(c.Attr, "encoding"), "tex") {
			return textOf(c)
		}
	}
	return ""
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

var (
	cdata     = text.Pattern(`%?\s*(?:<!\[CDATA\[|\]\]>)`)
	plainWord = text.Pattern(`(?:^|[^\\a-zA-Z])([a-zA-Z]{4,})`)
	styleName = text.Pattern(`^\{\\(?:displaystyle|textstyle|scriptstyle) ?(.*)\}$`)
	texMark   = text.Pattern(`[\\^_={}<>+]|^.{1,8}$`)
	texName   = text.Pattern(`\\(?:begin|end|operatorname|mathrm|mathbf|mathit|mathcal|mathbb|mathsf|color|textcolor|href|label|tag)\*?\{[a-zA-Z*]+\}`)
)

// plausibleTeX reports whether tex, which is not shown, is the source of a formula
// of which shown is the visible text: it has no words that are not shown.
func plausibleTeX(tex, shown string) bool {
	if tex == "" || len(tex) > 4000 || readsAsInstruction(tex) {
		return false
	}
	words := plainWord().FindAllStringSubmatch(texName().ReplaceAllString(tex, " "), 40)
	if shown == "" {
		return len(words) <= 2 && texMark().MatchString(tex)
	}
	have := strings.ToLower(strings.Join(strings.Fields(shown), ""))
	for _, w := range words {
		if !strings.Contains(have, strings.ToLower(w[1])) {
			return false
		}
	}
	return true
}

func cleanTeX(tex string) string {
	tex = text.Squash(tex)
	if m := styleName().FindStringSubmatch(tex); m != nil {
		tex = m[1]
	}
	tex = strings.TrimPrefix(tex, "\\displaystyle ")
	return strings.TrimSpace(strings.Trim(tex, "$"))
}

// linearMath writes MathML in a line, in the manner of TeX.
func linearMath(n *html.Node) string {
	var b strings.Builder
	writeMath(n, &b, 0)
	return b.String()
}

// writeMath writes a node of MathML and what is in it.
func writeMath(n *html.Node, b *strings.Builder, depth int) {
	if depth > 200 {
		return
	}
	if n.Type == html.TextNode {
		b.WriteString(strings.Map(func(r rune) rune {
			if r >= 0x2061 && r <= 0x2064 { // invisible operators
				return -1
			}
			return r
		}, text.Squash(n.Data)))
		return
	}
	w := mathWriter{b: b, depth: depth}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode || c.Type == html.TextNode && strings.TrimSpace(c.Data) != "" {
			w.kids = append(w.kids, c)
		}
	}
	switch n.Data {
	case "annotation", "annotation-xml", "mphantom", "mprescripts", "none", "maligngroup", "malignmark":
	case "mmultiscripts":
		writeScripts(w.kids, w.put)
	case "msqrt":
		w.put("\\sqrt{")
		w.putAll()
		w.put("}")
	case "mtr":
		w.putAll()
		w.put("; ")
	case "mtd":
		w.putAll()
		w.put(" ")
	default:
		if form := mathForm(n.Data); form != nil {
			w.put(form...)
			return
		}
		w.putAll()
	}
}

// mathForm is how an element with a fixed number of children is written: text, and
// the indexes of children. It is nil for other elements.
func mathForm(element string) []any {
	switch element {
	case "semantics":
		return []any{0}
	case "msup", "mover":
		return []any{0, "^{", 1, "}"}
	case "msub", "munder":
		return []any{0, "_{", 1, "}"}
	case "msubsup", "munderover":
		return []any{0, "_{", 1, "}^{", 2, "}"}
	case "mfrac":
		return []any{"\\frac{", 0, "}{", 1, "}"}
	case "mroot":
		return []any{"\\sqrt[", 1, "]{", 0, "}"}
	}
	return nil
}

// mathWriter writes the children of an element.
type mathWriter struct {
	b     *strings.Builder
	depth int // of the element
	kids  []*html.Node
}

// put writes texts, and children by their indexes; those that do not exist are left
// out.
func (w mathWriter) put(parts ...any) {
	for _, x := range parts {
		switch x := x.(type) {
		case string:
			w.b.WriteString(x)
		case int:
			if x < len(w.kids) {
				writeMath(w.kids[x], w.b, w.depth+1)
			}
		}
	}
}

func (w mathWriter) putAll() {
	for i := range w.kids {
		w.put(i)
	}
}

// writeScripts writes a base with pairs of scripts behind it, and after
// mprescripts in front of it.
func writeScripts(kids []*html.Node, put func(...any)) {
	split := len(kids)
	for i, k := range kids {
		if k.Data == "mprescripts" {
			split = i
			break
		}
	}
	pairs := func(from, to int) {
		for i := from; i < to; i += 2 {
			if kids[i].Data != "none" {
				put("_{", i, "}")
			}
			if i+1 < to && kids[i+1].Data != "none" {
				put("^{", i+1, "}")
			}
		}
	}
	if split+1 < len(kids) {
		put("{}")
		pairs(split+1, len(kids))
	}
	put(0)
	pairs(1, split)
}
