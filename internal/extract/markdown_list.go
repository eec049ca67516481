package extract

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func (w *writer) list(n *html.Node) {
	w.flush()
	if len(w.out) > 0 && w.depth > 0 && w.marker == "" && isListItem(n.Parent) {
		w.gap = 1
	}
	number, step, style := 0, 1, ""
	if n.DataAtom == atom.Ol {
		number, step, style = listStart(n)
	}
	first := true
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type == html.TextNode:
			w.write(c.Data)
			continue
		case c.Type != html.ElementNode:
			continue
		case c.DataAtom != atom.Li:
			w.element(c)
			continue
		}
		w.flush()
		marker := "- "
		if n.DataAtom == atom.Ol {
			if v, err := strconv.Atoi(attribute(c.Attr, "value")); err == nil && v > -1<<31 && v < 1<<31 {
				number = v
			}
			marker = ordinal(number, style) + ". "
			number += step
		}
		if !first {
			w.gap = 1
		}
		before := len(w.out)
		w.nested(c, strings.Repeat(" ", len(marker)), marker)
		first = first && len(w.out) == before
	}
	w.flush()
	if w.depth == 0 || !isListItem(n.Parent) {
		w.gap = 2
	}
}

func isListItem(n *html.Node) bool { return n != nil && n.DataAtom == atom.Li }

func listStart(n *html.Node) (number, step int, style string) {
	number, step = 1, 1
	items := 0
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.DataAtom == atom.Li {
			items++
		}
	}
	if has(n.Attr, "reversed") {
		number, step = items, -1
	}
	if v, err := strconv.Atoi(strings.TrimSpace(attribute(n.Attr, "start"))); err == nil && v > -1<<31 && v < 1<<31 {
		number = v
	}
	return number, step, attribute(n.Attr, "type")
}

// ordinal writes the number of a list item in the style of its list.
func ordinal(n int, style string) string {
	if n <= 0 {
		return strconv.Itoa(n)
	}
	switch style {
	case "a", "A":
		s := ""
		for m := n; m > 0; m = (m - 1) / 26 {
			s = string(rune('a'+(m-1)%26)) + s
		}
		if style == "A" {
			s = strings.ToUpper(s)
		}
		return s
	case "i", "I":
		if n >= 4000 {
			break
		}
		s := roman(n)
		if style == "I" {
			s = strings.ToUpper(s)
		}
		return s
	}
	return strconv.Itoa(n)
}

func roman(n int) string {
	var b strings.Builder
	for _, d := range []struct {
		value int
		s     string
	}{{1000, "m"}, {900, "cm"}, {500, "d"}, {400, "cd"}, {100, "c"}, {90, "xc"}, {50, "l"}, {40, "xl"}, {10, "x"}, {9, "ix"}, {5, "v"}, {4, "iv"}, {1, "i"}} {
		for n >= d.value {
			b.WriteString(d.s)
			n -= d.value
		}
	}
	return b.String()
}

// definitions writes terms, and each definition behind ": " if it is a single
// paragraph.
func (w *writer) definitions(n *html.Node) {
	w.flush()
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		switch c.DataAtom {
		case atom.Dt:
			w.flush()
			w.children(c)
			w.flush()
		case atom.Dd:
			if hasBlocks(c) {
				w.element(c)
				continue
			}
			w.gap = 1
			w.nested(c, "  ", ": ")
		case atom.Div:
			w.definitions(c)
		default:
			w.element(c)
		}
	}
	w.flush()
	w.gap = 2
}

// hasBlocks reports whether n holds more than one paragraph.
func hasBlocks(n *html.Node) bool {
	paragraphs := 0
	for c := range n.Descendants() {
		switch c.DataAtom {
		case atom.P:
			paragraphs++
		case atom.Ul, atom.Ol, atom.Dl, atom.Table, atom.Pre, atom.Blockquote, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
			return true
		}
	}
	return paragraphs > 1
}
