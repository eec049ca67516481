package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// dropInvisible takes out of a parsed page what a browser would not show:
// comments, code, closed dialogs, and elements that attributes, inline styles
// or the page's own style sheets hide. Style sheets elsewhere are not fetched.
func dropInvisible(doc *html.Node) {
	sheet := readSheets(doc)
	remove(doc, func(n *html.Node) bool {
		switch n.Type {
		case html.CommentNode:
			return true
		case html.ElementNode:
			return neverText(n) || !isFrame(n) && (hiddenByAttribute(n.Attr) || hiddenByStyle(n, sheet) || sheet.hides(n))
		}
		return false
	})
}

// isFrame is true for what holds the page together. Pages hide the body until a
// script has run or while a dialog is open; what a reader comes for is in it.
func isFrame(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Html, atom.Head, atom.Body:
		return true
	}
	return false
}

// neverText is true for elements whose content is not text of the page. Linked
// data stays: readability takes the date from it and drops it then.
func neverText(n *html.Node) bool {
	if n.DataAtom == atom.Script {
		return !strings.EqualFold(strings.TrimSpace(attribute(n.Attr, "type")), "application/ld+json")
	}
	return noText[strings.ToLower(n.Data)]
}

var noText = map[string]bool{
	"audio": true, "button": true, "canvas": true, "datalist": true, "embed": true, "iframe": true, "noembed": true,
	"noframes": true, "noscript": true, "object": true, "script": true, "select": true, "style": true, "svg": true,
	"template": true, "textarea": true, "video": true,
}

// hiddenByAttribute holds for attributes of an element by themselves.
func hiddenByAttribute(attrs []html.Attribute) bool {
	for _, a := range attrs {
		switch strings.ToLower(a.Key) {
		case "hidden", "popover":
			return true
		case "aria-hidden":
			if strings.EqualFold(strings.TrimSpace(a.Val), "true") {
				return true
			}
		}
	}
	return false
}

// hiddenByStyle judges inline styles, and text in the colour of what is behind it.
func hiddenByStyle(n *html.Node, sheet *sheet) bool {
	if n.DataAtom == atom.Dialog && !has(n.Attr, "open") {
		return true
	}
	style := declarations(attribute(n.Attr, "style"))
	if style.hide() {
		return true
	}
	ink, ok := parseColour(style["color"])
	if n.DataAtom == atom.Font && !ok {
		ink, ok = parseColour(attribute(n.Attr, "color"))
	}
	if !ok {
		return false
	}
	paper, ok := background(n, sheet)
	return ok && ink.near(paper)
}

// maxBehind is how many elements behind a text are asked for their colour.
const maxBehind = 32

// background is the nearest colour behind n that is written inline, or white
// when neither an element nor the page's own style sheet says another.
func background(n *html.Node, sheet *sheet) (colour, bool) {
	for range maxBehind {
		if n == nil {
			break
		}
		d := declarations(attribute(n.Attr, "style"))
		for _, v := range []string{d["background-color"], d["background"], attribute(n.Attr, "bgcolor")} {
			if v == "" {
				continue
			}
			return parseColour(v)
		}
		n = n.Parent
	}
	return colour{255, 255, 255}, !sheet.coloured
}

func attribute(attrs []html.Attribute, key string) string {
	for _, a := range attrs {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(attrs []html.Attribute, key string) bool {
	for _, a := range attrs {
		if a.Key == key {
			return true
		}
	}
	return false
}
