package extract

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"

	"github.com/research-mcp/research-mcp/internal/extract/css"
	"github.com/research-mcp/research-mcp/internal/text"
)

// svgSpace is the namespace of drawings within pages.
const svgSpace = "svg"

// drawnElements are the elements of drawings whose text is shown, as the parser spells them.
var drawnElements = map[string]bool{
	"svg": true, "g": true, "a": true, "switch": true, "text": true, "tspan": true, "textPath": true, "foreignObject": true,
}

// shapes are the elements of drawings that may be behind text.
var shapes = map[string]bool{
	"rect": true, "circle": true, "ellipse": true, "polygon": true, "polyline": true, "path": true, "image": true, "use": true,
}

// isDrawnText reports whether text in n, an element of a drawing, is shown: it stands in
// a text element.
func isDrawnText(n *html.Node) bool {
	for ; n != nil && n.Namespace == svgSpace; n = n.Parent {
		if n.Data == "text" {
			return true
		}
	}
	return false
}

// drawing is where text is placed in a drawing. Positions are in its own units.
type drawing struct {
	x, y, w, h float64 // what is shown; w is 0 if it is not known
	dx, dy     float64 // sum of the translations
	turned     bool    // by another transform than a translation: positions are not known
}

// drawingWidth is how wide a drawing of no width is shown, in pixels.
const drawingWidth = 1000.0

// The attributes of drawings that are properties of CSS.
var drawingHints = []string{
	"display", "visibility", "opacity", "font-size", "fill", "fill-opacity", "stroke", "clip-path", "mask", "filter", "letter-spacing", "transform",
	"color", "overflow",
}

// draw computes an element of a drawing: as that of a page, but for its colours and its
// place.
func (c *computation) draw() {
	s := c.s
	for _, name := range drawingHints {
		if v := attribute(c.n.Attr, name); v != "" {
			c.st.Hint(name, v)
		}
	}
	c.text()
	if c.n.Data == "svg" {
		c.placement()
		c.viewBox()
	}
	c.inherited(css.Color, &s.color, &s.unknown)
	c.fill()
	c.box()
	c.effects()
	if s.drawing != nil && c.n.Data != "svg" {
		c.drawingTransforms()
	}
	switch c.n.Data {
	case "text", "tspan":
		c.drawingPlace()
	case "foreignObject": // its text is that of a page, on the drawing
		s.hasFill, s.backImage = false, true
		for _, side := range []string{"width", "height"} {
			if v, ok := pixels(attribute(c.n.Attr, side)); ok && v <= 0 {
				c.hide(hidden)
			}
		}
	}
	if c.worst == hidden && c.fades() {
		c.worst = doubtful
	}
}

// viewBox begins a drawing.
func (c *computation) viewBox() {
	s := c.s
	var d drawing
	d.w, _ = pixels(attribute(c.n.Attr, "width"))
	d.h, _ = pixels(attribute(c.n.Attr, "height"))
	shown := d.w
	if v := strings.Fields(strings.ReplaceAll(attribute(c.n.Attr, "viewBox"), ",", " ")); len(v) == 4 {
		for i, to := range []*float64{&d.x, &d.y, &d.w, &d.h} {
			*to, _ = pixels(v[i])
		}
		if shown == 0 {
			shown = drawingWidth
		}
		if d.w > 0 {
			s.scale *= shown / d.w
		}
	}
	for _, side := range []string{"width", "height"} {
		if v, ok := pixels(attribute(c.n.Attr, side)); ok && v <= minBox {
			c.hide(hidden)
		}
	}
	if v := c.get(css.OverflowX).Keyword(); v == "visible" || v == "auto" {
		d.w = 0
	}
	if d.h <= 0 {
		d.w = 0
	}
	s.drawing = &d
	s.fill, s.hasFill = black, true
	c.shapes()
}

// shapes adds what is drawn behind the text to its background.
func (c *computation) shapes() {
	s := c.s
	for n := range c.n.Descendants() {
		if n.Namespace != svgSpace || !shapes[n.Data] {
			continue
		}
		col, known := css.AttributeColor(attribute(n.Attr, "fill"))
		switch {
		case attribute(n.Attr, "fill") == "none":
		case known && !has(n.Attr, "style") && !has(n.Attr, "class") && n.Data != "image" && n.Data != "use" && len(s.backs) < 16:
			s.backs = append(s.backs[:len(s.backs):len(s.backs)], col.Over(s.backs[0]))
		default:
			s.backImage = true
			return
		}
	}
}

// fill computes the colour of text in a drawing.
func (c *computation) fill() {
	s := c.s
	if v := c.get(css.Fill); !v.Empty() {
		s.hasFill = true
		if v.Keyword() == "none" {
			s.fill = css.RGBA{}
		} else {
			s.fill = s.color
			c.inherited(css.Fill, &s.fill, &s.unknown)
		}
	}
	if o, ok := c.get(css.FillOpacity).Length(css.Units{Percent: 1}, true); ok {
		s.fill.A *= max(0, min(1, o))
	}
	if v := c.get(css.Stroke); !v.Empty() {
		s.shadow = false
		if col, state := v.Color(s.color); v.Keyword() != "none" && state == css.Known {
			s.shadow = legible(col.Over(s.backs[0]), s.backs[0]) == seen
		}
	}
}

// drawingTransforms applies the transforms of an element within a drawing.
func (c *computation) drawingTransforms() {
	d := *c.s.drawing
	for _, f := range c.get(css.Transform).Functions() {
		arg := func(i int) float64 { v, _ := f.Arg(i, css.Units{Percent: 1}); return finite(v) }
		switch f.Name {
		case "translate":
			d.dx, d.dy = d.dx+arg(0), d.dy+arg(1)
		case "translatex":
			d.dx += arg(0)
		case "translatey":
			d.dy += arg(0)
		default:
			d.turned = true
			x, y := c.s.x, c.s.y
			c.transform(f)
			c.s.x, c.s.y = x, y
		}
	}
	c.s.drawing = &d
}

// drawingPlace hides text that begins outside of what a drawing shows.
func (c *computation) drawingPlace() {
	s, d := c.s, c.s.drawing
	if d == nil || d.w <= 0 || d.turned || has(c.n.Attr, "dx") || has(c.n.Attr, "dy") {
		return
	}
	if x, ok := pixels(first(attribute(c.n.Attr, "x"))); ok {
		x += d.dx
		width := s.fontSize * float64(utf8.RuneCountInString(text.Squash(textOf(c.n))))
		if x-width >= d.x+d.w || x+width <= d.x || x >= d.x+d.w && !c.isAnchored() {
			c.hide(hidden)
		}
	}
	if y, ok := pixels(first(attribute(c.n.Attr, "y"))); ok {
		if y += d.dy; y+s.fontSize <= d.y || y-s.fontSize >= d.y+d.h {
			c.hide(hidden)
		}
	}
}

// isAnchored reports whether an element around n says where the text is anchored.
func (c *computation) isAnchored() bool {
	for n := c.n; n != nil && n.Namespace == svgSpace; n = n.Parent {
		if has(n.Attr, "text-anchor") || has(n.Attr, "style") || has(n.Attr, "class") || has(n.Attr, "direction") {
			return true
		}
	}
	return false
}

// first is the first of a list of coordinates, or "".
func first(list string) string {
	for f := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		return f
	}
	return ""
}

// pixels is a length in user units; ok is false for anything else.
func pixels(s string) (v float64, ok bool) {
	v, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(s), "px"), 64)
	return finite(v), err == nil
}

// drawing writes the texts of a drawing, each on its own line.
func (w *writer) drawing(n *html.Node) {
	var lines []string
	collectDrawn(n, w.room, &lines)
	if w.plain || len(lines) <= 1 {
		w.space()
		w.write(strings.Join(lines, " "))
		w.space()
		return
	}
	w.flush()
	w.block(strings.Join(lines, "\n"))
}

func collectDrawn(n *html.Node, room int, lines *[]string) {
	if n.Namespace == svgSpace && n.Data != "text" {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.Type == html.ElementNode {
				collectDrawn(c, room, lines)
			}
		}
		return
	}
	inner := &writer{plain: true, room: room}
	if n.Namespace == svgSpace {
		inner.drawnText(n)
	} else {
		inner.element(n)
	}
	inner.flush()
	if s := text.Squash(string(inner.out)); s != "" {
		*lines = append(*lines, s)
	}
}

// drawnText writes what is in a text element. A part that is placed by itself is a word
// of its own, unless it is raised or lowered.
func (w *writer) drawnText(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode {
			w.write(c.Data)
			continue
		}
		if c.Type != html.ElementNode {
			continue
		}
		shift := strings.TrimSpace(attribute(c.Attr, "baseline-shift"))
		dy := strings.TrimSpace(attribute(c.Attr, "dy"))
		smaller := has(c.Attr, "font-size") || strings.Contains(attribute(c.Attr, "style"), "font-size")
		switch {
		case shift == "super", smaller && strings.HasPrefix(dy, "-"):
			w.script(c, true)
		case shift == "sub", smaller && dy != "" && dy[0] >= '0' && dy[0] <= '9' && !has(c.Attr, "x"):
			w.script(c, false)
		default:
			if has(c.Attr, "x") || has(c.Attr, "dy") && !smaller && !strings.HasPrefix(dy, "-") {
				w.space()
			}
			w.drawnText(c)
		}
	}
}
