package terminal

import (
	"fmt"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// Bounds of what is rendered: a longer or deeper text is shown as it is written.
const (
	maxMarkdown = 256 << 10 // bytes
	maxNesting  = 20        // blocks in each other
)

// Markdown renders a Markdown text behind indent, without a line end. A screen without a
// width gets it as it is.
func (s Screen) Markdown(md, indent string) string {
	if s.Width == 0 {
		return md
	}
	if len(md) > maxMarkdown {
		return s.Paragraphs(md, indent)
	}
	source := []byte(strings.ToValidUTF8(md, "\uFFFD")) // bytes that are no character have no width
	parser := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough)).Parser()
	r := renderer{s: s, source: source}
	r.blocks(parser.Parse(text.NewReader(source)), indent, 0)
	return strings.TrimRight(r.out.String(), "\n")
}

// renderer writes the blocks of a parsed text.
type renderer struct {
	s      Screen
	source []byte
	out    strings.Builder
	first  string // begins the next line in place of the indent: the mark of a list item
}

// lead returns how the next block begins.
func (r *renderer) lead(indent string) string {
	if r.first == "" {
		return indent
	}
	lead := r.first
	r.first = ""
	return lead
}

// blocks writes the blocks in n, with an empty line between them.
func (r *renderer) blocks(n ast.Node, indent string, depth int) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if c != n.FirstChild() && !tight(n) {
			r.out.WriteString(strings.TrimRight(indent, " ") + "\n")
		}
		r.block(c, indent, depth)
	}
}

// tight reports whether the blocks in n follow each other without an empty line.
func tight(n ast.Node) bool {
	if item, ok := n.(*ast.ListItem); ok {
		n = item.Parent()
	}
	list, ok := n.(*ast.List)
	return ok && list.IsTight
}

func (r *renderer) block(n ast.Node, indent string, depth int) {
	if depth > maxNesting {
		return
	}
	switch n := n.(type) {
	case *ast.Heading:
		r.fill(r.inline(n, bold), indent)
	case *ast.List:
		r.list(n, indent, depth)
	case *ast.Blockquote:
		r.first = r.lead(indent) + "│ "
		r.blocks(n, indent+"│ ", depth+1)
	case *ast.FencedCodeBlock, *ast.CodeBlock, *ast.HTMLBlock:
		r.code(n, indent)
	case *ast.ThematicBreak:
		r.out.WriteString(r.lead(indent) + strings.Repeat("─", max(r.s.Width-Columns(indent), 1)) + "\n")
	case *extast.Table:
		r.table(n, indent)
	default:
		r.fill(r.inline(n, plain), indent)
	}
}

// fill writes lines of inline text; a line break in the source is kept only if it is one.
func (r *renderer) fill(lines [][]span, indent string) {
	for _, spans := range lines {
		r.out.WriteString(r.s.fill(spans, r.lead(indent), indent) + "\n")
	}
}

func (r *renderer) list(n *ast.List, indent string, depth int) {
	number := n.Start
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if c != n.FirstChild() && !n.IsTight {
			r.out.WriteString(strings.TrimRight(indent, " ") + "\n")
		}
		mark := "• "
		if n.IsOrdered() {
			mark = fmt.Sprintf("%d. ", number)
			number++
		}
		r.first = r.lead(indent) + mark
		r.blocks(c, indent+strings.Repeat(" ", Columns(mark)), depth+1)
		if r.first != "" { // an empty item
			r.out.WriteString(strings.TrimRight(r.lead(indent), " ") + "\n")
		}
	}
}

// code writes lines as they are. A line that is too long goes on below, further in.
func (r *renderer) code(n ast.Node, indent string) {
	inner := indent + "    "
	for i := range n.Lines().Len() {
		at := n.Lines().At(i)
		line := strings.TrimRight(strings.ReplaceAll(string(at.Value(r.source)), "\t", "    "), " \n")
		own := line[:len(line)-len(strings.TrimLeft(line, " "))]
		if Columns(inner+line) <= r.s.Width {
			r.out.WriteString(inner + own + r.s.show(line[len(own):], cyan) + "\n")
			continue
		}
		own = own[:min(len(own), r.s.Width/4)]
		r.out.WriteString(r.s.fill([]span{{line, cyan}}, inner+own, inner+own+"    ") + "\n")
	}
	r.first = ""
}

// table writes rows; the header is bold.
func (r *renderer) table(n *extast.Table, indent string) {
	var rows [][]string
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			var words []string
			for _, line := range r.inline(cell, plain) {
				for _, sp := range line {
					words = append(words, sp.text)
				}
			}
			cells = append(cells, strings.Join(words, ""))
		}
		rows = append(rows, cells)
	}
	header, rest, _ := strings.Cut(r.s.Table(rows, indent), "\n")
	r.first = ""
	r.out.WriteString(indent + r.s.show(strings.TrimPrefix(header, indent), bold) + "\n" + rest)
}
