package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

// clipBox is a box that shows only what is within it, and where in it the next text is at
// least, in pixels. Lengths that are not known count as nothing.
type clipBox struct {
	by       *html.Node // nil if there is none
	w, h     float64    // 0 if not known
	x, y     float64
	margin   float64 // that collapses with the next one
	placed   bool    // it is the containing block of positioned elements
	inner    bool    // an element in it is the nearest such block
	fromX    float64 // x and y of the nearest positioned element in it
	fromY    float64
	flexible bool  // where its text is is not known: a slider, or a caption that slides in
	lost     *bool // set once something in the flow of the box moves what follows upwards
}

// hides reports whether text is out of the box.
func (b *clipBox) hides(s *state) bool {
	if b.by == nil || b.flexible || *b.lost {
		return false
	}
	below := b.y
	if s.lineHeight > 3*s.fontSize { // text is in the middle of its line
		below += (s.lineHeight - s.fontSize) / 2
	}
	return b.h > 0 && below >= b.h || b.w > 0 && (b.x+min(0, s.indent) >= b.w || s.indent >= b.w && s.nowrap)
}

// The sides of screens that are as large and as small as any, in pixels: text is out of a
// box only if it is on all of them.
const (
	largestScreen  = 10_000
	smallestScreen = 300
)

// smallUnits are the units on the smallest screen.
func (s *state) smallUnits() css.Units {
	u := s.units()
	u.VW, u.VH = smallestScreen/100, smallestScreen/100
	return u
}

// clipTo begins a box of a size that hides what is out of it. One of which a control
// beside it shows more is none, and neither is one that grows.
func (c *computation) clipTo() {
	clips := func(p css.Prop) bool { k := c.get(p).Keyword(); return k == "hidden" || k == "clip" }
	size := func(overflow, size, most, least css.Prop) float64 {
		if !clips(overflow) {
			return 0
		}
		v, _ := c.sizeOn(largestScreen, size, most, least)
		return v
	}
	w := size(css.OverflowX, css.Width, css.MaxWidth, css.MinWidth)
	h := size(css.OverflowY, css.Height, css.MaxHeight, css.MinHeight)
	if w == 0 && h == 0 || isRoot(c.n) || c.st.Set(css.Flex) || c.boxKind() != blockBox {
		return
	}
	b := clipBox{by: c.n, w: w, h: h, lost: new(bool)}
	b.flexible = c.st.Set(css.Transition) || hasControlBelow(c.n) || isMoving(c.n) || c.arranges()
	b.x, b.y = max(0, c.known(css.PaddingLeft)), max(0, c.known(css.PaddingTop))
	c.s.clip = b
}

// size is the width or height of a box; percent is the size that it is a share of.
func (c *computation) size(size, most, least css.Prop, percent float64) (float64, bool) {
	u := c.s.units()
	u.Percent = percent
	return c.sizeIn(u, size, most, least)
}

// sizeOn is a size on a screen of a width and height in pixels.
func (c *computation) sizeOn(screen float64, size, most, least css.Prop) (float64, bool) {
	u := c.s.units()
	u.Percent, u.VW, u.VH = screen, screen/100, screen/100
	return c.sizeIn(u, size, most, least)
}

func (c *computation) sizeIn(u css.Units, size, most, least css.Prop) (float64, bool) {
	v, ok := c.length(size, u)
	if m, good := c.length(most, u); good && (!ok || m < v) {
		v, ok = m, true
	}
	if m, good := c.length(least, u); good && ok && m > v {
		v = m
	}
	return v, ok
}

// within moves the place of text in the box that clips it.
func (c *computation) within(position string) {
	b := &c.s.clip
	switch {
	case b.by == nil:
		return
	case b.by == c.n:
		b.placed = isPositioned(position)
		return
	case position == "fixed", position == "absolute" && !b.placed:
		*b = clipBox{}
		return
	}
	b.flexible = b.flexible || c.moves(position) || c.arranges()
	switch position {
	case "absolute":
		b.x, b.y, b.margin = b.fromX+c.known(css.Left), b.fromY+c.known(css.Top), 0
		if !b.inner { // a share of the box
			b.x, b.y = b.fromX+c.offset(css.Left, b.w), b.fromY+c.offset(css.Top, b.h)
		}
	case "relative":
		b.x, b.y = b.x+c.known(css.Left), b.y+c.known(css.Top)
	}
	c.edges()
	if isPositioned(position) {
		b.fromX, b.fromY, b.inner = b.x, b.y, true
	}
	if c.scrolls() && !b.hides(c.s) {
		*b = clipBox{}
	}
}

// edges moves the place of text by the margins and the padding of an element.
func (c *computation) edges() {
	b, kind := &c.s.clip, c.boxKind()
	if kind == noBox {
		return
	}
	b.x += max(0, c.known(css.PaddingLeft))
	if kind != cellBox {
		b.x += max(0, c.known(css.MarginLeft))
	}
	if kind == inlineBox {
		return // its vertical edges move nothing
	}
	if top := c.known(css.MarginTop); kind == blockBox && top > 0 {
		b.y += max(0, top-b.margin)
		b.margin = max(b.margin, top)
	}
	if pad := c.known(css.PaddingTop); pad > 0 {
		b.y, b.margin = b.y+pad, 0
	}
}

// known is a length that does not depend on another element, or 0.
func (c *computation) known(p css.Prop) float64 {
	v, ok := c.length(p, c.s.smallUnits())
	if !ok || c.get(p).Percent() {
		return 0
	}
	return v
}

// offset is how far an inset moves an element; percent is the size that it is a share of.
func (c *computation) offset(p css.Prop, percent float64) float64 {
	u := c.s.units()
	u.Percent = percent
	v, ok := c.length(p, u)
	if !ok {
		return 0
	}
	return v
}

// isMoving reports whether an element is named as one that shows its parts in turn.
func isMoving(n *html.Node) bool {
	class := strings.ToLower(attribute(n.Attr, "class"))
	for _, word := range []string{"slide", "slider", "carousel", "swiper", "marquee", "ticker", "scroll", "collaps", "expand", "accordion", "tab", "card"} {
		if strings.Contains(class, word) {
			return true
		}
	}
	return false
}

// hasControlBelow reports whether one of the next elements is a control, such as "Read
// more".
func hasControlBelow(n *html.Node) bool {
	tries := 0
	for e := n.NextSibling; e != nil && tries < 2; e = e.NextSibling {
		if e.Type != html.ElementNode {
			continue
		}
		tries++
		if controlIn(e, 3) != nil || e.DataAtom == atom.A {
			return true
		}
	}
	return false
}
