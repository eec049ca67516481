package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// group is text that is judged as one: that of a doubtful element, or the
// doubtful text nodes of a block.
type group struct {
	nodes []*html.Node
	size  int
}

func (g *group) add(n *html.Node, size int) {
	g.nodes = append(g.nodes, n)
	g.size += size
}

// doubtAll makes all text of the page doubtful, block by block and line by line:
// its style sheets were too much to read.
func (w *walker) doubtAll(doc *html.Node) {
	var g *group
	var last *html.Node
	for n := range doc.Descendants() {
		if n.DataAtom == atom.Br {
			last = nil
		}
		if n.Type != html.TextNode || n.Parent.DataAtom == atom.Script || n.Parent.DataAtom == atom.Title {
			continue
		}
		size := letterCount(n.Data)
		if size == 0 {
			continue
		}
		if b := blockOf(n); b != last {
			g, last = &group{}, b
			w.groups = append(w.groups, g)
		}
		g.add(n, size)
	}
}

// blockOf returns the innermost element around n that is not part of a line.
func blockOf(n *html.Node) *html.Node {
	b := n.Parent
	for b != nil && inline[b.Data] {
		b = b.Parent
	}
	return b
}

// maxGroup is the size up to which a group is judged as a whole; a larger one is
// judged block by block.
const maxGroup = 2000

// decide removes the doubtful text that reads as an instruction to a reader that
// is not a person, and panels whose control cannot be seen.
func (w *walker) decide(doc *html.Node) {
	for _, p := range w.panels {
		if !attached(p.control, doc) && !w.buttons[p.control] && attached(p.node, doc) {
			w.kept -= visibleTextSize(p.node)
			w.remove(p.node)
		}
	}
	for _, g := range w.groups {
		for _, part := range g.parts() {
			var b strings.Builder
			for _, n := range part {
				b.WriteString(n.Data)
				b.WriteByte(' ')
			}
			if !readsAsInstruction(b.String()) {
				continue
			}
			for _, n := range part {
				if n.Parent != nil {
					size := letterCount(n.Data)
					w.kept, w.removed = w.kept-size, w.removed+size
					n.Parent.RemoveChild(n)
				}
			}
		}
	}
}

// parts returns the nodes of a small group, or those of a large one by block.
func (g *group) parts() [][]*html.Node {
	if g.size <= maxGroup {
		return [][]*html.Node{g.nodes}
	}
	var out [][]*html.Node
	var last *html.Node
	for _, n := range g.nodes {
		b := blockOf(n)
		if b != last || len(out) == 0 {
			out = append(out, nil)
			last = b
		}
		out[len(out)-1] = append(out[len(out)-1], n)
	}
	return out
}
