package extract

import (
	"context"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// maxFragment is more than twice what a source keeps of a document. The worst markup
// of that size takes about a second.
const maxFragment = 512 << 10 // bytes

// Fragment returns the visible text of a piece of HTML or JATS, such as a post or an
// abstract in the answer of a service, as Markdown: what HTML gives for a page, without
// a search for the main part. Text without markup stays as it is, apart from white
// space around it. At most maxFragment bytes are read. It does not panic.
func Fragment(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return strings.TrimSpace(visible(s))
	}
	return fragment(s, markdown)
}

// Line is Fragment for what stands on one line, such as a title: no heading, list or
// line break is marked.
func Line(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return text.Squash(visible(s))
	}
	return text.Squash(fragment(s, func(n *html.Node) string {
		w := &writer{plain: true, room: MaxInput}
		w.cell(n)
		return string(w.out) + " " + string(w.para)
	}))
}

func fragment(s string, write func(*html.Node) string) (out string) {
	s, _ = text.Cut(s, maxFragment)
	defer func() {
		if recover() != nil { // the parser panics on some malformed markup
			out = strings.TrimSpace(visible(stripped(s).Text))
		}
	}()
	s = jatsTags.Replace(s)
	doc, uncertain, err := parse(context.Background(), s, true)
	if err != nil {
		return strings.TrimSpace(visible(stripped(s).Text))
	}
	body := bodyOf(doc)
	readJATSFormulas(body)
	readFormulas(doc)
	removeHidden(context.Background(), doc, uncertain)
	return strings.TrimSpace(visible(strings.ReplaceAll(write(body), "\u00a0", " ")))
}

// jatsTags replaces elements of JATS, the XML of journals, by those of HTML. A
// prefix of an element's name is replaced with it. MathML loses its own prefix,
// without which an HTML parser does not know it.
var jatsTags = strings.NewReplacer(
	"<jats:title", "<h3", "</jats:title>", "</h3>",
	"<jats:sec", "<div", "</jats:sec>", "</div>",
	"<jats:abstract", "<div", "</jats:abstract>", "</div>",
	"<jats:list-item", "<li", "</jats:list-item>", "</li>",
	`<jats:list list-type="order"`, "<ol", // its end tag ends the list, whichever it is
	"<jats:list", "<ul", "</jats:list>", "</ul></ol>",
	"<jats:disp-formula", "<div", "</jats:disp-formula>", "</div>",
	"<jats:disp-quote", "<blockquote", "</jats:disp-quote>", "</blockquote>",
	"<jats:preformat", "<pre", "</jats:preformat>", "</pre>",
	"<jats:monospace", "<code", "</jats:monospace>", "</code>",
	"<jats:table-wrap", "<div", "</jats:table-wrap>", "</div>",
	"<jats:strike", "<s", "</jats:strike>", "</s>",
	"<jats:break", "<br", "</jats:break>", "",
	"<jats:xref", `<a href="#"`, "</jats:xref>", "</a>",
	"<jats:", "<", "</jats:", "</", "<mml:", "<", "</mml:", "</",
)

// readJATSFormulas replaces formulas that are given as TeX. The same formula in
// MathML beside it is removed.
func readJATSFormulas(root *html.Node) {
	var found []*html.Node
	for n := range root.Descendants() {
		if n.Data == "tex-math" {
			found = append(found, n)
		}
	}
	for _, n := range found {
		tex := bareTeX(textOf(n))
		if n.Parent == nil || tex == "" {
			continue
		}
		for _, c := range otherForms(n) {
			c.Parent.RemoveChild(c)
		}
		for n.FirstChild != nil {
			n.RemoveChild(n.FirstChild)
		}
		n.Data, n.DataAtom, n.Namespace, n.Attr = formulaTag, 0, "", nil
		n.AppendChild(&html.Node{Type: html.TextNode, Data: tex})
	}
}

// otherForms are the siblings of a formula that repeat it.
func otherForms(n *html.Node) []*html.Node {
	var out []*html.Node
	for c := n.Parent.FirstChild; c != nil; c = c.NextSibling {
		if c != n && (c.Data == "math" || c.DataAtom == atom.Img) {
			out = append(out, c)
		}
	}
	return out
}

// bareTeX is a formula without the LaTeX document that publishers put around it.
func bareTeX(s string) string {
	if _, after, ok := strings.Cut(s, `\begin{document}`); ok {
		s, _, _ = strings.Cut(after, `\end{document}`)
	}
	return cleanTeX(text.Squash(s))
}

// fullAddress returns the address of a link whose text is that address cut short,
// such as "https://example.org/a/long/pa...", or an empty string.
func fullAddress(n *html.Node) string {
	shown := text.Squash(textOf(n))
	start, cut := strings.CutSuffix(shown, "...")
	if !cut {
		start, cut = strings.CutSuffix(shown, "…")
	}
	href := strings.TrimSpace(attribute(n.Attr, "href"))
	_, bare, _ := strings.Cut(href, "://")
	if !cut || len(start) < 8 || !strings.HasPrefix(href, "http") || strings.ContainsAny(href, " \t\n") {
		return ""
	}
	if !strings.HasPrefix(href, start) && !strings.HasPrefix(bare, start) && !strings.HasPrefix(strings.TrimPrefix(bare, "www."), start) {
		return ""
	}
	return href
}
