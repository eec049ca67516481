package extract

import (
	"context"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

// removeHidden removes from a parsed page what a person cannot see: comments,
// scripts, and text that attributes, inline styles or the page's own style sheets
// hide. It keeps what the page's own controls reveal, such as tabs. External
// style sheets are not fetched. It returns the numbers of bytes of text that were
// kept and removed. If uncertain is set, no text counts as certainly seen.
func removeHidden(ctx context.Context, doc *html.Node, uncertain bool) (kept, removed int) {
	uncertain = expandFrames(ctx, doc) || uncertain
	scopeShadowRoots(doc)
	w := walk(doc)
	w.strikeOut()
	if uncertain || w.cascade.Exhausted() {
		w.doubtAll(doc)
	}
	w.decide(doc)
	nameFrames(doc)
	return w.kept, w.removed
}

// walk judges all elements of a page and drops those that are certainly hidden.
func walk(doc *html.Node) *walker {
	w := &walker{cascade: css.New(styleSheets(doc)), controls: findControls(doc), buttons: map[*html.Node]bool{},
		placed: map[*html.Node]bool{}, covered: map[*html.Node]bool{}}
	w.controls.placeStreamed(doc)
	expandShadowRoots(doc)
	w.cascade.Define(w.controls.elements)
	w.children(doc, newState(w.cascade.Root(), prefersDark(doc)), nil)
	w.detach()
	w.uncover()
	return w
}

// styleSheets returns the page's own style sheets in order.
func styleSheets(doc *html.Node) []string {
	var out []string
	for n := range doc.Descendants() {
		switch n.DataAtom {
		case atom.Style:
			if media := attribute(n.Attr, "media"); n.FirstChild != nil && !strings.EqualFold(strings.TrimSpace(media), "print") {
				s := n.FirstChild.Data
				if media != "" {
					s = "@media " + media + "{" + s + "}"
				}
				out = append(out, s)
			}
		case atom.Link:
			if strings.EqualFold(strings.TrimSpace(attribute(n.Attr, "rel")), "stylesheet") {
				if s, ok := css.DataSheet(attribute(n.Attr, "href")); ok {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

func prefersDark(doc *html.Node) bool {
	for n := range doc.Descendants() {
		if n.DataAtom == atom.Meta && strings.EqualFold(attribute(n.Attr, "name"), "color-scheme") {
			return strings.EqualFold(strings.TrimSpace(attribute(n.Attr, "content")), "dark")
		}
		if n.DataAtom == atom.Body {
			break
		}
	}
	return false
}

// walker computes what is seen, from the root to the leaves.
type walker struct {
	cascade   *css.Cascade
	controls  controls
	style     css.Style
	groups    []*group
	panels    []panel             // hidden elements that a control reveals
	buttons   map[*html.Node]bool // those that are seen, and are no text
	gone      []*html.Node        // to be removed after the walk: selectors count siblings
	struck    []*html.Node        // whose style strikes out their text
	covers    []*html.Node        // positioned elements all of whose flow another element covers
	covered   map[*html.Node]bool // the same
	placed    map[*html.Node]bool // elements above the flow, or not where it would have them
	collapsed map[*html.Node]bool // cells of columns that are not shown
	kept      int
	removed   int
}

// drop removes a node when the walk is over.
func (w *walker) drop(n *html.Node) { w.gone = append(w.gone, n) }

// detach removes what was dropped.
func (w *walker) detach() {
	for _, n := range w.gone {
		n.Parent.RemoveChild(n)
	}
	w.gone = nil
}

// panel is a hidden element that is kept if its control is seen.
type panel struct{ node, control *html.Node }

func (w *walker) children(n *html.Node, s state, g *group) {
	var own *group // of doubtful text in this block
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		switch c.Type {
		case html.CommentNode:
			n.RemoveChild(c)
		case html.TextNode:
			own = w.textNode(c, &s, g, own)
		case html.ElementNode:
			s.flow(w.element(c, &s, g))
		default:
			w.children(c, s, g)
		}
		c = next
	}
}

func (w *walker) textNode(c *html.Node, s *state, g, own *group) *group {
	size := letterCount(c.Data)
	if size == 0 {
		return own
	}
	v := s.text()
	if c.Parent.Namespace == svgSpace && !isDrawnText(c.Parent) {
		v = hidden
	}
	if v == hidden {
		w.removed += size
		w.drop(c)
		return own
	}
	w.kept += size
	switch {
	case g != nil:
		g.add(c, size)
	case v == doubtful:
		if own == nil {
			own = &group{}
			w.groups = append(w.groups, own)
		}
		own.add(c, size)
	}
	return own
}

// element judges an element with its content, and returns the height that its style
// gives it, in pixels.
func (w *walker) element(n *html.Node, parent *state, g *group) (height float64) {
	if neverText(n) {
		if n.DataAtom == atom.Button {
			w.button(n, parent)
		}
		w.drop(n)
		return 0
	}
	if n.DataAtom == atom.Script || n.DataAtom == atom.Title || n.DataAtom == atom.Head {
		return 0
	}
	s, v, height := w.judge(n, parent, g)
	if isRoot(n) {
		v = seen
		s.invisible, s.opacity, s.x, s.y = parent.invisible, parent.opacity, 0, 0
	}
	if s.invisible && !parent.invisible || v == hidden {
		s.closed, height = true, 0
		var control *html.Node
		switch v2 := w.revealed(n, &control); v2 {
		case seen, doubtful:
			v = v2
			s.reveal(parent)
			if control != nil {
				w.panels = append(w.panels, panel{n, control})
			}
		}
	}
	if v == hidden {
		w.removed += visibleTextSize(n)
		w.drop(n)
		return 0
	}
	if n.Namespace == svgSpace {
		v = max(v, doubtful) // where it is drawn is not computed
	}
	if v != seen {
		height = 0
	}
	if v == doubtful && g == nil {
		g = &group{}
		w.groups = append(w.groups, g)
	}
	w.children(n, s, g)
	return height
}

// judge computes how an element is shown, apart from what may reveal it, and notes what it
// does to others.
func (w *walker) judge(n *html.Node, parent *state, g *group) (s state, v verdict, height float64) {
	vague := w.cascade.Style(n, parent.env, &w.style, false)
	w.animate(n, parent)
	if w.style.Get(css.TextDecoration).Has("line-through") {
		w.struck = append(w.struck, n)
	}
	s, v = compute(n, parent, &w.style)
	height = flowHeight(n, parent, &s, &w.style)
	parent.follow(&s, &w.style)
	w.note(n, &s)
	if v == seen && !vague && g == nil && !w.collapsed[n] && w.coversAll(n, parent, &s) {
		w.cover(parent.holder)
	}
	if !w.behindDialog(n) {
		v = max(v, attributeVerdict(n))
	}
	if vague && v != hidden {
		w.cascade.Style(n, parent.env, &w.style, true)
		s2, v2 := compute(n, parent, &w.style)
		parent.follow(&s2, &w.style)
		height = 0 // it is not known
		if v2 != seen || s2.text() > s.text() {
			v = doubtful
		}
	}
	if w.collapsed[n] {
		v = hidden
	}
	return s, v, height
}

// button notes a button that can be seen, as the control of a hidden part.
func (w *walker) button(n *html.Node, parent *state) {
	w.cascade.Style(n, parent.env, &w.style, false)
	s, v := compute(n, parent, &w.style)
	if max(v, attributeVerdict(n)) != hidden && !s.invisible {
		w.buttons[n] = true
	}
}

// reveal undoes what hides an element with all its content.
func (s *state) reveal(parent *state) {
	s.invisible, s.opacity, s.scale = parent.invisible, parent.opacity, parent.scale
	s.x, s.y, s.mx, s.my = parent.x, parent.y, parent.mx, parent.my
	s.clip = parent.clip
}

func (w *walker) remove(n *html.Node) {
	w.removed += visibleTextSize(n)
	n.Parent.RemoveChild(n)
}

func attached(n, doc *html.Node) bool {
	for ; n != nil; n = n.Parent {
		if n == doc {
			return true
		}
	}
	return false
}

// visibleTextSize is about the number of bytes of text in n, without scripts and
// the like.
func visibleTextSize(n *html.Node) int {
	if n.Type == html.ElementNode && neverText(n) {
		return 0
	}
	if n.Type == html.TextNode {
		return letterCount(n.Data)
	}
	sum := 0
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		sum += visibleTextSize(c)
	}
	return sum
}

// letterCount is the number of bytes of s that are not white space.
func letterCount(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] > ' ' {
			n++
		}
	}
	return n
}

// isRoot reports whether n is html, head or body. Pages hide the body until a
// script has run or while a dialog is open, so these are never removed.
func isRoot(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Html, atom.Head, atom.Body:
		return true
	}
	return false
}

// neverText reports whether the content of n is not text of the page. JSON-LD and
// formulas in scripts are kept until they are read.
func neverText(n *html.Node) bool {
	if n.Namespace == svgSpace {
		return !drawnElements[n.Data]
	}
	switch n.DataAtom {
	case atom.Script:
		return !strings.EqualFold(strings.TrimSpace(attribute(n.Attr, "type")), "application/ld+json")
	case atom.Button:
		return !isTextButton(n)
	}
	return noText[n.Data] || noText[strings.ToLower(n.Data)]
}

var noText = map[string]bool{
	"audio": true, "canvas": true, "datalist": true, "embed": true, "iframe": true, "noembed": true,
	"noframes": true, "noscript": true, "object": true, "script": true, "select": true, "style": true, "svg": true,
	"template": true, "textarea": true, "video": true, "progress": true, "meter": true, "rp": true, "param": true,
	"annotation": true, "annotation-xml": true, "applet": true, "frameset": true, "portal": true, "fencedframe": true,
}

// isTextButton reports whether a button is part of the text: the question of an
// accordion.
func isTextButton(n *html.Node) bool {
	if has(n.Attr, "aria-expanded") || attribute(n.Attr, "role") == "tab" {
		return true
	}
	for p, i := n.Parent, 0; p != nil && i < 3; p, i = p.Parent, i+1 {
		switch p.DataAtom {
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Summary, atom.Dt:
			return true
		}
	}
	return false
}

func attribute(attrs []html.Attribute, key string) string {
	for i := range attrs {
		if attrs[i].Key == key {
			return attrs[i].Val
		}
	}
	return ""
}

func has(attrs []html.Attribute, key string) bool {
	for i := range attrs {
		if attrs[i].Key == key {
			return true
		}
	}
	return false
}

// HiddenBy reports whether an element's own attributes, including its inline
// style, hide its content.
func HiddenBy(attrs []html.Attribute) bool {
	if len(attrs) == 0 {
		return false
	}
	n := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div, Attr: attrs}
	c := css.New(nil)
	var style css.Style
	s := newState(c.Root(), false)
	c.Style(n, c.Root(), &style, false)
	s, v := compute(n, &s, &style)
	return max(v, attributeVerdict(n)) == hidden || s.text() == hidden
}
