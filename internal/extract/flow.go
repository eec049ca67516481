package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

// boxKind says which of its edges move the content of an element.
type boxKind int8

const (
	blockBox  boxKind = iota // all
	cellBox                  // its padding: a cell of a table
	inlineBox                // the left ones: a part of a line
	noBox                    // none: rows of a table, and what is not shown
)

func (c *computation) boxKind() boxKind { return boxKindOf(c.n, c.st) }

func boxKindOf(n *html.Node, st *css.Style) boxKind {
	k := st.Get(css.Display).Keyword()
	switch {
	case k == "table-cell", k == "" && (n.DataAtom == atom.Td || n.DataAtom == atom.Th):
		return cellBox
	case k == "none", k == "contents", strings.HasPrefix(k, "table-"):
		return noBox
	case k == "":
		switch n.DataAtom {
		case atom.Tr, atom.Tbody, atom.Thead, atom.Tfoot, atom.Caption, atom.Colgroup, atom.Col:
			return noBox
		}
	}
	if position := st.Get(css.Position).Keyword(); position == "absolute" || position == "fixed" || floats(st) {
		return blockBox
	}
	if k == "inline" || k == "" && isInline(n) && !isFrame(n) || strings.HasPrefix(k, "ruby") || k == "math" {
		return inlineBox
	}
	return blockBox
}

// hasValue reports whether a property has a value other than that by which nothing happens.
// One that is not understood counts.
func hasValue(st *css.Style, p css.Prop) bool {
	v := st.Get(p)
	switch v.Keyword() {
	case "none", "auto", "normal", "initial", "unset":
		return false
	}
	return v.Opaque || !v.Empty()
}

func floats(st *css.Style) bool { return hasValue(st, css.Float) }

func isPositioned(position string) bool { return position != "" && position != "static" }

// arranges reports whether an element, or what it is in, places its content otherwise than
// from the top left corner downwards.
func (c *computation) arranges() bool {
	return c.s.turned || hasValue(c.st, css.Align) || hasValue(c.st, css.Columns)
}

// moves reports whether it is not known where an element is drawn.
func (c *computation) moves(position string) bool {
	for _, p := range []css.Prop{css.Transform, css.Translate, css.Scale, css.Rotate, css.Zoom, css.OffsetPath, css.Transition, css.AnimationName} {
		if hasValue(c.st, p) {
			return true
		}
	}
	if misplaces(c.st, c.s) {
		return true
	}
	switch position {
	case "sticky", "-webkit-sticky":
		return true
	case "absolute", "relative":
		for _, p := range []css.Prop{css.Top, css.Left} {
			if v := c.st.Get(p); v.Opaque || v.Percent() && (position == "relative" || c.s.clip.inner) {
				return true
			}
		}
		if hasValue(c.st, css.Bottom) && !hasValue(c.st, css.Top) || hasValue(c.st, css.Right) && !hasValue(c.st, css.Left) {
			return true
		}
	}
	f := c.st.Get(css.Float).Keyword()
	return floats(c.st) && f != "left" && f != "inline-start"
}

// misplaces reports whether an element has a margin that moves it, and what follows, back.
func misplaces(st *css.Style, s *state) bool {
	for _, p := range []css.Prop{css.MarginTop, css.MarginBottom, css.MarginLeft, css.MarginRight} {
		v := st.Get(p)
		if l, ok := v.Length(s.units(), false); v.Opaque || ok && l < 0 || !ok && !v.Empty() && v.Keyword() == "" {
			return true
		}
	}
	return false
}

// scrolls reports whether a reader can scroll what is in the element.
func (c *computation) scrolls() bool {
	for _, p := range []css.Prop{css.OverflowX, css.OverflowY} {
		switch c.get(p).Keyword() {
		case "scroll", "auto", "overlay":
			return true
		}
	}
	return false
}

// stacks reports whether the blocks in an element are one below the other.
func (c *computation) stacks() bool {
	if c.arranges() {
		return false
	}
	switch v := c.get(css.Display); v.Keyword() {
	case "block", "list-item", "flow", "flow-root", "inline-block", "inline", "table-cell":
		return true
	case "":
		switch c.n.DataAtom {
		case atom.Table, atom.Tr, atom.Tbody, atom.Thead, atom.Tfoot, atom.Colgroup:
			return false
		}
		return !v.Opaque
	}
	return false
}

// flow moves the place of text below an element of a height.
func (s *state) flow(height float64) {
	if s.clip.by != nil && height > 0 {
		s.clip.y += height
		s.clip.margin = 0
	}
}

// follow takes account of a margin of an element in s that moves what follows it back.
func (s *state) follow(element *state, st *css.Style) {
	position := st.Get(css.Position).Keyword()
	if s.clip.by != nil && position != "absolute" && position != "fixed" && misplaces(st, element) {
		*s.clip.lost = true
	}
}

// flowHeight is the height that an element has in the flow at least, if its style or its
// kind says so; else 0. The parent's state is as it was before the element.
func flowHeight(n *html.Node, parent, s *state, st *css.Style) float64 {
	if parent.clip.by == nil || !parent.stacks {
		return 0
	}
	position := st.Get(css.Position).Keyword()
	if position == "absolute" || position == "fixed" || floats(st) {
		return 0
	}
	if n.DataAtom == atom.Br {
		if s.lineHeight > 0 {
			return s.lineHeight
		}
		return s.fontSize
	}
	if s.clip.by == n || isFrame(n) || !isStacked(n, st) || hasValue(st, css.Transition) || hasValue(st, css.AnimationName) || hasValue(st, css.Zoom) {
		return 0
	}
	height := 0.0
	for i, p := range []css.Prop{css.Height, css.MaxHeight} {
		v := st.Get(p)
		if i > 0 && !hasValue(st, p) {
			continue
		}
		h, ok := v.Length(s.smallUnits(), false)
		if !ok || v.Percent() {
			return 0
		}
		if i == 0 || h < height {
			height = h
		}
	}
	return max(0, height)
}

// isStacked reports whether an element is a block that has the width of its parent to
// itself.
func isStacked(n *html.Node, st *css.Style) bool {
	switch v := st.Get(css.Display); v.Keyword() {
	case "block", "list-item", "flow", "flow-root", "flex", "grid", "table", "-webkit-box", "-webkit-flex":
		return true
	case "":
		switch n.DataAtom {
		case atom.Button, atom.Option, atom.Optgroup:
			return false
		}
		return !v.Opaque && boxKindOf(n, st) == blockBox
	}
	return false
}
