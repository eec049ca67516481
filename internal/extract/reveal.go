package extract

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// controls are the elements of a page with which a person shows hidden parts.
type controls struct {
	byID     map[string]*html.Node // by the id of the part
	tab      *html.Node            // a tab of any tab list
	streamed map[string]string     // parts that a script moves into place, both ways, by id
	scripts  bool                  // the page has scripts
	elements bool                  // one of them may define elements
	dialog   bool                  // a dialog is open, behind which pages hide their text
}

func findControls(doc *html.Node) controls {
	c := controls{byID: map[string]*html.Node{}, streamed: map[string]string{}}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.DataAtom == atom.Script {
			c.scripts = c.scripts || isProgram(n)
			c.elements = c.elements || isProgram(n) && (has(n.Attr, "src") || n.FirstChild != nil && strings.Contains(n.FirstChild.Data, "customElements"))
			c.script(n)
			continue
		}
		for i := range n.Attr {
			a := &n.Attr[i]
			switch a.Key {
			case "aria-controls", "data-target", "data-bs-target", "popovertarget", "commandfor", "data-toggle-target":
				for id := range strings.FieldsSeq(a.Val) {
					c.byID[strings.TrimPrefix(id, "#")] = n
				}
			case "href":
				if id, ok := strings.CutPrefix(a.Val, "#"); ok && id != "" && c.byID[id] == nil {
					c.byID[id] = n
				}
			case "role":
				switch a.Val {
				case "tab":
					c.tab = n
				case "dialog", "alertdialog":
					c.dialog = true
				}
			case "aria-modal":
				c.dialog = c.dialog || a.Val == "true"
			case "open":
				c.dialog = c.dialog || n.DataAtom == atom.Dialog
			}
		}
	}
	return c
}

// streamedCall matches $RC("B:0","S:0") and its like: which of the two is the part
// that was streamed differs between them.
var streamedCall = text.Pattern(`\$R[A-Z]\w*\(\s*["']([^"']*)["']\s*,\s*["']([^"']+)["']`)

// script finds the parts that streamed server rendering moves into place.
func (c *controls) script(n *html.Node) {
	if n.FirstChild == nil || !strings.Contains(n.FirstChild.Data, "$R") {
		return
	}
	for _, m := range streamedCall().FindAllStringSubmatch(n.FirstChild.Data, 1000) {
		c.streamed[m[1]], c.streamed[m[2]] = m[2], m[1]
	}
}

// placeStreamed moves the parts that were streamed to the templates that stand for
// them, in place of what was shown until they came.
func (c *controls) placeStreamed(doc *html.Node) {
	if len(c.streamed) == 0 {
		return
	}
	byID := map[string]*html.Node{}
	var places []*html.Node
	for n := range doc.Descendants() {
		id := attribute(n.Attr, "id")
		if id == "" || c.streamed[id] == "" || byID[id] != nil {
			continue
		}
		byID[id] = n
		if n.DataAtom == atom.Template {
			places = append(places, n)
		}
	}
	for _, place := range places {
		part := byID[c.streamed[attribute(place.Attr, "id")]]
		if part == nil || part.DataAtom == atom.Template || attached(place, part) || !attached(place, doc) {
			continue
		}
		removeFallback(place)
		part.Parent.RemoveChild(part)
		part.Attr = withoutAttr(part.Attr, "hidden")
		place.Parent.InsertBefore(part, place)
	}
}

// removeFallback removes what React shows in place of a part: the siblings up to
// the comment that ends it.
func removeFallback(place *html.Node) {
	if p := place.PrevSibling; p == nil || p.Type != html.CommentNode || !strings.HasPrefix(p.Data, "$") {
		return
	}
	for n := place.NextSibling; n != nil && (n.Type != html.CommentNode || n.Data != "/$"); n = place.NextSibling {
		n.Parent.RemoveChild(n)
	}
}

// attributeVerdict judges the attributes that hide an element, other than hidden
// and style.
func attributeVerdict(n *html.Node) verdict {
	switch {
	case n.DataAtom == atom.Dialog && !has(n.Attr, "open"), has(n.Attr, "popover"):
		return hidden
	case strings.EqualFold(strings.TrimSpace(attribute(n.Attr, "aria-hidden")), "true"):
		return hidden
	case n.DataAtom == atom.Input:
		return hidden
	}
	return seen
}

// behindDialog reports whether aria-hidden, which hides nothing from the eye, is set
// on a part of the page because a dialog is open.
func (w *walker) behindDialog(n *html.Node) bool {
	return w.controls.dialog && has(n.Attr, "aria-hidden") && (n.Parent.DataAtom == atom.Body || holdsMainText(n))
}

// revealed judges an element that is hidden: seen if a control shows it, which is
// then in control, unless the page itself does; doubtful if it looks like a part
// that a script shows.
func (w *walker) revealed(n *html.Node, control **html.Node) verdict {
	if strings.EqualFold(strings.TrimSpace(attribute(n.Attr, "hidden")), "until-found") {
		return seen
	}
	id := attribute(n.Attr, "id")
	if id != "" && w.controls.streamed[id] != "" {
		return seen
	}
	if w.controls.dialog && attribute(n.Attr, "aria-hidden") != "" && holdsMainText(n) {
		return seen
	}
	if by := w.controlOf(n, id); by != nil {
		*control = by
		return seen
	}
	class := strings.ToLower(attribute(n.Attr, "class"))
	for _, word := range []string{"tab", "panel", "pane", "accordion", "collaps", "slide", "carousel", "spoiler", "expand", "toggle"} {
		if strings.Contains(class, word) {
			return doubtful
		}
	}
	if w.controls.scripts && shownByScript(n) || holdsMainText(n) { // shown when its script has run
		return doubtful
	}
	return hidden
}

// isProgram reports whether a script is one that runs, not data.
func isProgram(n *html.Node) bool {
	switch strings.ToLower(strings.TrimSpace(attribute(n.Attr, "type"))) {
	case "", "module", "text/javascript", "application/javascript":
		return true
	}
	return false
}

// shownByScript reports whether an element looks like one that libraries hide until
// they have started, or until it is scrolled to.
func shownByScript(n *html.Node) bool {
	for i := range n.Attr {
		switch a := &n.Attr[i]; a.Key {
		case "v-cloak", "x-cloak", "ng-cloak", "data-aos", "data-animate", "data-animation", "data-scroll", "data-sr-id", "data-w-id", "data-wow-delay":
			return true
		case "class":
			class := strings.ToLower(a.Val)
			for _, word := range []string{"fade", "reveal", "animat", "aos", "wow", "scroll", "appear", "in-view", "inview", "cloak", "elementor-invisible"} {
				if strings.Contains(class, word) {
					return true
				}
			}
		}
	}
	return false
}

func holdsMainText(n *html.Node) bool {
	if n.DataAtom == atom.Main || n.DataAtom == atom.Article || attribute(n.Attr, "role") == "main" {
		return true
	}
	for c := range n.Descendants() {
		if c.DataAtom == atom.Main || c.DataAtom == atom.Article || attribute(c.Attr, "role") == "main" {
			return true
		}
	}
	return false
}

// controlOf returns the control that shows n, or nil.
func (w *walker) controlOf(n *html.Node, id string) *html.Node {
	if id != "" {
		if by := w.controls.byID[id]; by != nil && !attached(by, n) {
			return by
		}
	}
	if attribute(n.Attr, "role") == "tabpanel" && w.controls.tab != nil {
		return w.controls.tab
	}
	for p, i := n.Parent, 0; p != nil && i < 3; p, i = p.Parent, i+1 {
		if p.DataAtom == atom.Details {
			return p
		}
	}
	for e, i := previousElement(n), 0; e != nil && i < 2; e, i = previousElement(e), i+1 {
		if by := controlIn(e, 3); by != nil {
			return by
		}
	}
	return nil
}

func previousElement(n *html.Node) *html.Node {
	for n = n.PrevSibling; n != nil; n = n.PrevSibling {
		if n.Type == html.ElementNode {
			return n
		}
	}
	return nil
}

// controlIn returns n if it is a control, or one that it contains.
func controlIn(n *html.Node, depth int) *html.Node {
	if n.Type != html.ElementNode || depth == 0 {
		return nil
	}
	role := attribute(n.Attr, "role")
	switch {
	case n.DataAtom == atom.Button, n.DataAtom == atom.Summary, role == "button", role == "tab", has(n.Attr, "aria-expanded"):
		if labelled(n) {
			return n
		}
	case n.DataAtom == atom.Label && has(n.Attr, "for"):
		return n
	}
	tries := 0
	for c := n.FirstChild; c != nil && tries < 5; c = c.NextSibling {
		tries++
		if by := controlIn(c, depth-1); by != nil {
			return by
		}
	}
	return nil
}

// labelled reports whether a control has something to click.
func labelled(n *html.Node) bool {
	return has(n.Attr, "aria-label") || has(n.Attr, "title") || n.FirstChild != nil
}
