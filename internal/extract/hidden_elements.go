package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// removeHidden removes from a parsed page what a browser does not show: comments,
// scripts, closed dialogs, and elements hidden by attributes, inline styles or
// the page's own style sheets. External style sheets are not fetched.
func removeHidden(doc *html.Node) {
	sheet := readStylesheets(doc)
	remove(doc, func(n *html.Node) bool {
		switch n.Type {
		case html.CommentNode:
			return true
		case html.ElementNode:
			return neverText(n) || !isRoot(n) && (hiddenByAttribute(n.Attr) || hiddenByStyle(n, sheet) || sheet.hides(n))
		}
		return false
	})
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

// neverText reports whether the content of n is not text of the page. JSON-LD is
// kept, because readability reads the date from it and removes it afterwards.
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

// hiddenByAttribute reports whether an attribute other than style hides an element.
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

// hiddenByStyle reports whether n is a closed dialog, is hidden by its inline
// style, or has text in the colour of its background.
func hiddenByStyle(n *html.Node, sheet *stylesheet) bool {
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

// maxAncestors is how many ancestors are searched for a background colour.
const maxAncestors = 32

// background returns the nearest inline background colour of n or its ancestors.
// Without one it returns white, and false if a style sheet sets a background.
func background(n *html.Node, sheet *stylesheet) (colour, bool) {
	for range maxAncestors {
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

// HiddenBy reports whether an element's own attributes, including its inline
// style, hide its content.
func HiddenBy(attrs []html.Attribute) bool {
	return hiddenByAttribute(attrs) || declarations(attribute(attrs, "style")).hide()
}
