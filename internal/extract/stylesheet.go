package extract

import (
	"strings"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds on a page's own style sheets: each hiding rule is matched against each
// node, and a rule with ancestors against the ancestors of each node.
const (
	maxSheet     = 256 << 10 // bytes
	maxRules     = 100       // hiding rules
	maxWork      = 20 << 20  // match attempts, about half a second
	ancestorWork = 64        // match attempts that an ancestor counts for
)

// stylesheet holds the hiding rules of the page's own <style> elements.
type stylesheet struct {
	names    map[string]bool // simple selectors that hide: ".class" and "#id"
	hiding   []hidingRule
	work     int  // match attempts left
	coloured bool // the root element or all elements have a background
}

type hidingRule struct {
	selector cascadia.Sel
	work     int
}

func readStylesheets(doc *html.Node) *stylesheet {
	s := &stylesheet{work: maxWork, names: map[string]bool{}}
	room := maxSheet
	for n := range doc.Descendants() {
		if n.DataAtom != atom.Style || n.FirstChild == nil {
			continue
		}
		css := n.FirstChild.Data
		css = css[:min(len(css), room)]
		room -= len(css)
		s.read(dropCSSComments(css), 0)
	}
	return s
}

func (s *stylesheet) hides(n *html.Node) bool {
	if len(s.names) > 0 && s.hidesByName(n) {
		return true
	}
	for _, r := range s.hiding {
		if s.work -= r.work; s.work < 0 {
			return false
		}
		if r.selector.Match(n) {
			return true
		}
	}
	return false
}

func (s *stylesheet) hidesByName(n *html.Node) bool {
	if id := attribute(n.Attr, "id"); id != "" && s.names["#"+id] {
		return true
	}
	for class := range strings.FieldsSeq(attribute(n.Attr, "class")) {
		if s.names["."+class] {
			return true
		}
	}
	return false
}

// read adds the rules of css. Of the conditional blocks it reads those that apply
// to any screen.
func (s *stylesheet) read(css string, depth int) {
	for len(css) > 0 {
		open := strings.IndexByte(css, '{')
		if open < 0 {
			return
		}
		head := css[:open]
		if i := strings.LastIndexAny(head, ";}"); i >= 0 { // @import and stray braces in front
			head = head[i+1:]
		}
		body, rest := block(css[open+1:])
		css = rest
		head = strings.TrimSpace(head)
		switch {
		case !strings.HasPrefix(head, "@"):
			s.rule(head, declarations(body))
		case depth < 4 && alwaysOn(head):
			s.read(body, depth+1)
		}
	}
}

// block splits css after the closing brace that matches an opening brace before
// css.
func block(css string) (body, rest string) {
	depth := 1
	for i := range len(css) {
		switch css[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return css[:i], css[i+1:]
		}
	}
	return css, ""
}

func alwaysOn(atRule string) bool {
	name, query, _ := strings.Cut(strings.ToLower(atRule), " ")
	query = strings.TrimSpace(query)
	switch name {
	case "@layer", "@supports":
		return true
	case "@media":
		return query == "all" || query == "screen" || query == "only screen"
	}
	return false
}

func (s *stylesheet) rule(selectors string, d style) {
	if bg := d["background-color"] + d["background"]; bg != "" {
		for sel := range strings.SplitSeq(strings.ToLower(selectors), ",") {
			sel = strings.TrimSpace(sel)
			s.coloured = s.coloured || sel == "body" || sel == "html" || sel == ":root" || sel == "*"
		}
	}
	if !d.hide() {
		return
	}
	for sel := range strings.SplitSeq(selectors, ",") {
		s.hide(strings.TrimSpace(sel))
	}
}

// hide adds a selector, unless it depends on a state (":hover") or takes time
// quadratic in the size of the page (":has", "~", several ancestors).
func (s *stylesheet) hide(sel string) {
	if oneName().MatchString(sel) {
		s.names[sel] = true // bounded by maxSheet
		return
	}
	ancestors := len(strings.Fields(combinator().ReplaceAllString(sel, "$1"))) - 1
	if len(s.hiding) >= maxRules || strings.ContainsAny(sel, ":~") || ancestors > 1 {
		return
	}
	parsed, err := cascadia.Parse(sel)
	if err != nil {
		return
	}
	s.hiding = append(s.hiding, hidingRule{selector: parsed, work: 1 + ancestors*ancestorWork})
}

var oneName = text.Pattern(`^[.#][A-Za-z_][A-Za-z0-9_-]*$`)

var combinator = text.Pattern(`\s*([>+])\s*`)
