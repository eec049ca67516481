package extract

import (
	"context"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Bounds of documents within a page.
const (
	maxFrames     = 100
	maxFrameDepth = 3
)

// expandFrames puts the documents that a page has in the srcdoc attributes of its iframes
// in their places, as shadow trees: their style sheets hold there only, and what hides an
// iframe hides its document. uncertain is set if one was too much to read as it is.
func expandFrames(ctx context.Context, doc *html.Node) (uncertain bool) {
	left := maxFrames
	return expandFramesIn(ctx, doc, &left, 0)
}

func expandFramesIn(ctx context.Context, doc *html.Node, left *int, depth int) (uncertain bool) {
	var frames []*html.Node
	for n := range doc.Descendants() {
		if n.DataAtom == atom.Iframe && attribute(n.Attr, "srcdoc") != "" {
			frames = append(frames, n)
		}
	}
	for _, n := range frames {
		if *left--; *left < 0 || depth >= maxFrameDepth || ctx.Err() != nil {
			return uncertain
		}
		inner, lossy, err := parse(ctx, attribute(n.Attr, "srcdoc"), true)
		if err != nil {
			continue
		}
		uncertain = lossy || uncertain
		uncertain = expandFramesIn(ctx, inner, left, depth+1) || uncertain
		readFormulas(inner)
		placeFrame(n, inner)
	}
	return uncertain
}

// placeFrame makes an iframe a block with a document in it. The elements html and body
// of the document lose what is particular to those of a page.
func placeFrame(n, doc *html.Node) {
	style := attribute(n.Attr, "style")
	for _, side := range []string{"width", "height"} { // a frame of no size hides its document
		if v := attribute(n.Attr, side); v == "0" || v == "1" {
			style = side + ":" + v + "px;" + style
		}
	}
	overflow := "auto"
	if strings.EqualFold(attribute(n.Attr, "scrolling"), "no") {
		overflow = "hidden"
	}
	n.Attr = append(withoutAttr(withoutAttr(n.Attr, "srcdoc"), "style"),
		html.Attribute{Key: "srcdoc"}, // see isFrame
		html.Attribute{Key: "style", Val: "overflow:" + overflow + "!important;" + style})
	n.Data, n.DataAtom = "div", atom.Div
	for n.FirstChild != nil {
		n.RemoveChild(n.FirstChild)
	}
	root := &html.Node{Type: html.ElementNode, Data: "template", DataAtom: atom.Template, Attr: []html.Attribute{{Key: "shadowrootmode", Val: "open"}}}
	n.AppendChild(root)
	for c := doc.FirstChild; c != nil; c = doc.FirstChild {
		doc.RemoveChild(c)
		if c.Type == html.ElementNode {
			root.AppendChild(c)
		}
	}
	for c := range root.Descendants() {
		switch c.DataAtom {
		case atom.Html, atom.Body:
			c.DataAtom = 0
		case atom.Head:
			c.Data, c.DataAtom = "div", atom.Div
		case atom.Title, atom.Meta:
			c.Data, c.DataAtom, c.FirstChild, c.LastChild = "meta", atom.Meta, nil, nil
		}
	}
}

// isFrame reports whether an element was an iframe, which is part of a line.
func isFrame(n *html.Node) bool { return n.DataAtom == atom.Div && has(n.Attr, "srcdoc") }

// nameFrames ends what placeFrame did to html and body.
func nameFrames(doc *html.Node) {
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.DataAtom == 0 && (n.Data == "html" || n.Data == "body") {
			n.Data, n.DataAtom = "div", atom.Div
		}
	}
}
