package extract

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// shadowAttribute marks the root of a shadow tree, for the scope of its style sheets.
const shadowAttribute = "data-shadow-root"

// shadowRoots are the declarative shadow roots of a page, outer ones first.
func shadowRoots(doc *html.Node) []*html.Node {
	var out []*html.Node
	for n := range doc.Descendants() {
		if n.DataAtom == atom.Template && has(n.Attr, "shadowrootmode") {
			out = append(out, n)
		}
	}
	return out
}

// scopeShadowRoots limits the style sheets in declarative shadow roots to their trees.
// Rules for slotted elements hold for all elements of the tree, so that they hide too
// much rather than too little.
func scopeShadowRoots(doc *html.Node) {
	for i, t := range shadowRoots(doc) {
		number := strconv.Itoa(i)
		t.Attr = append(t.Attr, html.Attribute{Key: shadowAttribute, Val: number})
		for n := range t.Descendants() {
			if n.DataAtom == atom.Style && n.FirstChild != nil && !strings.HasPrefix(n.FirstChild.Data, "@scope ([") {
				sheet := strings.NewReplacer("::slotted(", ":is(", ":host(", ":scope:is(", ":host", ":scope").Replace(n.FirstChild.Data)
				n.FirstChild.Data = "@scope ([" + shadowAttribute + `="` + number + `"]) {` + sheet + "}"
			}
		}
	}
}

// expandShadowRoots puts the content of declarative shadow roots in place. Other
// children of the host are shown in the slots that there are for them.
func expandShadowRoots(doc *html.Node) {
	for _, t := range shadowRoots(doc) {
		host := t.Parent
		if host == nil {
			continue
		}
		attrs := []html.Attribute{{Key: shadowAttribute, Val: attribute(t.Attr, shadowAttribute)}}
		for _, a := range host.Attr { // :host() asks for them
			if a.Key != "style" && a.Key != "id" && a.Key != "class" && a.Key != "hidden" {
				attrs = append(attrs, a)
			}
		}
		t.Data, t.DataAtom, t.Attr = "div", atom.Div, attrs
		slots := map[string]*html.Node{}
		for c := range t.Descendants() {
			if name := attribute(c.Attr, "name"); c.DataAtom == atom.Slot && slots[name] == nil {
				slots[name] = c
			}
		}
		for c := host.FirstChild; c != nil; {
			next := c.NextSibling
			if c != t {
				host.RemoveChild(c)
				if slot := slots[attribute(c.Attr, "slot")]; slot != nil {
					fill(slot, c)
				}
			}
			c = next
		}
	}
}

// fill puts a child of the host into a slot, in place of what is there for want of one.
func fill(slot, child *html.Node) {
	const filled = "data-filled"
	isText := child.Type == html.TextNode && strings.TrimSpace(child.Data) == ""
	if !has(slot.Attr, filled) && !isText {
		for slot.FirstChild != nil {
			slot.RemoveChild(slot.FirstChild)
		}
		slot.Attr = append(slot.Attr, html.Attribute{Key: filled})
	}
	slot.AppendChild(child)
}
