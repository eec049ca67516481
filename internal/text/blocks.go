package text

import (
	"bytes"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	mdtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// maxDepth is how deep lists and quotations are looked into. What is nested
// deeper belongs to the block around it.
const maxDepth = 16

// Blocks returns the structure of a Markdown text: its blocks in order, without
// overlap, none of them empty. Every text is Markdown of some kind: one without
// structure is a list of paragraphs. Inline markup is not looked at.
func Blocks(doc string) []evidence.Block {
	src := maskNesting([]byte(doc))
	root := blockParser().Parse(mdtext.NewReader(src))
	w := blockWalker{src: src}
	w.children(root, 0, 0)
	return w.out
}

// The parser's time grows with the square of the nesting, so that it is bounded:
// a line begins with at most maxMarkers list and quotation markers, the last of
// them within maxIndent bytes.
const (
	maxMarkers = 32
	maxIndent  = 96
)

// maskNesting overwrites markers beyond the bounds, so that they are text. The
// length and all other bytes stay as they are.
func maskNesting(src []byte) []byte {
	for line := 0; line < len(src); {
		end := len(src)
		if n := bytes.IndexByte(src[line:], '\n'); n >= 0 {
			end = line + n
		}
		maskLine(src[line:end])
		line = end + 1
	}
	return src
}

func maskLine(line []byte) {
	markers := 0
	for i, c := range line {
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c >= '0' && c <= '9':
		case c == '>' || c == '-' || c == '*' || c == '+' || c == '.' || c == ')':
			if markers++; markers > maxMarkers || i > maxIndent {
				line[i] = 'x'
				return
			}
		default:
			return
		}
	}
}

// blockParser parses block structure alone. It is safe for concurrent use.
var blockParser = sync.OnceValue(func() parser.Parser {
	return parser.NewParser(
		parser.WithBlockParsers(
			util.Prioritized(parser.NewSetextHeadingParser(), 100),
			util.Prioritized(parser.NewThematicBreakParser(), 200),
			util.Prioritized(parser.NewListParser(), 300),
			util.Prioritized(parser.NewListItemParser(), 400),
			util.Prioritized(parser.NewCodeBlockParser(), 500),
			util.Prioritized(parser.NewATXHeadingParser(), 600),
			util.Prioritized(parser.NewFencedCodeBlockParser(), 700),
			util.Prioritized(parser.NewBlockquoteParser(), 800),
			util.Prioritized(parser.NewParagraphParser(), 1000),
		),
		parser.WithParagraphTransformers(
			util.Prioritized(tableLines{}, 200),
			util.Prioritized(rawParagraphs{}, 300),
		),
	)
})

// rawParagraphs replaces each finished paragraph by a rawParagraph.
type rawParagraphs struct{}

// rawParagraph is a paragraph that goldmark does not look for inline markup in, which
// would take longer than finding the blocks.
type rawParagraph struct{ ast.Paragraph }

// IsRaw implements ast.Node.
func (*rawParagraph) IsRaw() bool { return true }

// Transform implements parser.ParagraphTransformer.
func (rawParagraphs) Transform(node *ast.Paragraph, reader mdtext.Reader, pc parser.Context) {
	isOpen := func(b parser.Block) bool { return b.Node == ast.Node(node) }
	if !slices.ContainsFunc(pc.OpenedBlocks(), isOpen) {
		return // it is becoming a heading, whose parser needs it
	}
	raw := &rawParagraph{}
	raw.SetLines(node.Lines())
	parent := node.Parent()
	parent.ReplaceChild(parent, node, raw)
	parser.NewParagraphParser().Close(raw, reader, pc) // goldmark closes only what was not replaced
}

// blockWalker collects blocks from goldmark's tree.
type blockWalker struct {
	src  []byte
	out  []evidence.Block
	path []heading
}

type heading struct {
	level int
	title string
}

func (w *blockWalker) children(n ast.Node, listDepth, depth int) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		w.node(c, listDepth, depth+1)
	}
}

func (w *blockWalker) node(n ast.Node, listDepth, depth int) {
	switch n := n.(type) {
	case *ast.Heading:
		w.heading(n)
	case *ast.FencedCodeBlock:
		w.add(evidence.Block{Kind: evidence.BlockCode, Language: string(n.Language(w.src))}, w.fenced(n))
	case *ast.CodeBlock:
		w.add(evidence.Block{Kind: evidence.BlockCode}, w.lines(n))
	case *east.Table:
		w.add(evidence.Block{Kind: evidence.BlockTable}, w.whole(n))
	case *ast.Blockquote:
		w.add(evidence.Block{Kind: evidence.BlockQuote}, w.whole(n))
	case *ast.List:
		number := n.Start
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			w.item(c, n, number, listDepth+1, depth+1)
			number++
		}
	case *rawParagraph, *ast.Paragraph, *ast.TextBlock:
		w.paragraph(n)
	case *ast.ThematicBreak:
	default:
		w.add(evidence.Block{Kind: evidence.BlockParagraph}, w.whole(n))
	}
}

// item adds a list item's own text as one block, then what is nested in it.
func (w *blockWalker) item(n ast.Node, list *ast.List, number, listDepth, depth int) {
	b := evidence.Block{Kind: evidence.BlockItem, Level: listDepth}
	if list.IsOrdered() {
		b.Number = number
	}
	if depth > maxDepth {
		w.add(b, w.whole(n))
		return
	}
	first := n.FirstChild()
	if first == nil {
		return
	}
	switch first.(type) {
	case *rawParagraph, *ast.Paragraph, *ast.TextBlock:
		w.add(b, w.lines(first))
		first = first.NextSibling()
	}
	for c := first; c != nil; c = c.NextSibling() {
		w.node(c, listDepth, depth+1)
	}
}

func (w *blockWalker) heading(n *ast.Heading) {
	sp := w.lines(n)
	if sp.Start >= sp.End {
		return
	}
	for len(w.path) > 0 && w.path[len(w.path)-1].level >= n.Level {
		w.path = w.path[:len(w.path)-1]
	}
	if n.Lines().Len() > 0 && w.src[sp.Start] != '#' { // underlined: the line below belongs to it
		sp.End = w.lineEnd(min(sp.End+1, len(w.src)))
	}
	w.add(evidence.Block{Kind: evidence.BlockHeading, Level: n.Level}, sp)
	title := Squash(strings.Trim(string(n.Lines().Value(w.src)), "# \t\n"))
	w.path = append(w.path, heading{n.Level, title})
}

// paragraph tells formulas and definitions from other paragraphs.
func (w *blockWalker) paragraph(n ast.Node) {
	sp := w.lines(n)
	body := bytes.TrimSpace(w.src[sp.Start:sp.End])
	kind := evidence.BlockParagraph
	_, below, _ := bytes.Cut(body, []byte("\n"))
	second, _, _ := bytes.Cut(below, []byte("\n"))
	switch {
	case bytes.HasPrefix(body, []byte("$$")) && bytes.HasSuffix(body, []byte("$$")) && len(body) > 4:
		kind = evidence.BlockFormula
	case bytes.HasPrefix(bytes.TrimSpace(second), []byte(": ")):
		kind = evidence.BlockDefinition
	}
	w.add(evidence.Block{Kind: kind}, sp)
}

// add keeps a block that is not empty and begins behind the last one.
func (w *blockWalker) add(b evidence.Block, sp evidence.Span) {
	if n := len(w.out); n > 0 {
		sp.Start = max(sp.Start, w.out[n-1].End)
	}
	for sp.Start < sp.End && isBlank(w.src[sp.Start]) && b.Kind != evidence.BlockCode || sp.Start < sp.End && w.src[sp.Start] == '\n' {
		sp.Start++
	}
	for sp.End > sp.Start && isBlank(w.src[sp.End-1]) {
		sp.End--
	}
	if sp.Start >= sp.End {
		return
	}
	if len(w.path) > 0 {
		b.Path = make([]string, len(w.path))
	}
	for i, h := range w.path {
		b.Path[i] = h.title
	}
	b.Start, b.End = sp.Start, sp.End
	w.out = append(w.out, b)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// lines is the range of a leaf's lines, from the start of the first one with its
// markers to the end of the last one.
func (w *blockWalker) lines(n ast.Node) evidence.Span {
	l := n.Lines()
	if l == nil || l.Len() == 0 {
		return evidence.Span{}
	}
	first, last := l.At(0), l.At(l.Len()-1)
	return evidence.Span{Start: w.markerStart(first.Start), End: last.Stop}
}

// markerStart moves from the text of a line back over its markers: #, -, 1., >
// and white space.
func (w *blockWalker) markerStart(at int) int {
	start := w.lineStart(at)
	if bytes.ContainsFunc(w.src[start:at], func(r rune) bool { return !unicode.IsSpace(r) && !strings.ContainsRune("#-*+>.)0123456789", r) }) {
		return at // the line begins with text of another block
	}
	return start
}

func (w *blockWalker) lineStart(at int) int {
	for at > 0 && w.src[at-1] != '\n' {
		at--
	}
	return at
}

func (w *blockWalker) lineEnd(at int) int {
	for at < len(w.src) && w.src[at] != '\n' {
		at++
	}
	return at
}

// fenced is the range of a code block with its fences.
func (w *blockWalker) fenced(n *ast.FencedCodeBlock) evidence.Span {
	l := n.Lines()
	if l.Len() == 0 {
		if n.Info == nil {
			return evidence.Span{} // an empty block
		}
		return evidence.Span{Start: w.lineStart(n.Info.Segment.Start), End: w.lineEnd(n.Info.Segment.Stop)}
	}
	sp := evidence.Span{Start: w.lineStart(l.At(0).Start), End: l.At(l.Len() - 1).Stop}
	if sp.Start > 0 {
		sp.Start = w.lineStart(sp.Start - 1)
	}
	if next := w.lineEnd(sp.End); isFence(string(w.src[sp.End:next])) {
		sp.End = next
	}
	return sp
}

func isFence(line string) bool {
	line = strings.Trim(line, " \t>\r")
	return len(line) >= 3 && (strings.Trim(line, "`") == "" || strings.Trim(line, "~") == "")
}

// whole is the range of whole lines from the first to the last leaf in n.
func (w *blockWalker) whole(n ast.Node) evidence.Span {
	sp := evidence.Span{Start: -1}
	_ = ast.Walk(n, func(c ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering || c.Type() != ast.TypeBlock {
			return ast.WalkContinue, nil
		}
		if l := c.Lines(); l != nil && l.Len() > 0 {
			if sp.Start < 0 || l.At(0).Start < sp.Start {
				sp.Start = l.At(0).Start
			}
			sp.End = max(sp.End, l.At(l.Len()-1).Stop)
		}
		return ast.WalkContinue, nil
	})
	if sp.Start < 0 {
		return evidence.Span{}
	}
	return evidence.Span{Start: w.lineStart(sp.Start), End: w.lineEnd(sp.End)}
}
