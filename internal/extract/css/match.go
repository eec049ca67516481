package css

import (
	"strings"

	"golang.org/x/net/html"
)

// matcher matches selectors against elements and counts its work.
type matcher struct {
	work    int // steps left; below zero nothing matches
	scope   *html.Node
	defined bool // scripts have defined the page's own elements
}

func (m *matcher) step() bool {
	m.work--
	return m.work >= 0
}

// matches reports whether n matches any selector of list.
func (m *matcher) matchesAny(list []selector, n *html.Node) bool {
	for i := range list {
		if m.matches(&list[i], n) {
			return true
		}
	}
	return false
}

func (m *matcher) matches(s *selector, n *html.Node) bool { return m.from(s.parts, n, nil) }

// from matches parts, which are right to left, ending at n. anchor is the element
// that the combinator of the leftmost part leads to, for :has.
func (m *matcher) from(parts []part, n, anchor *html.Node) bool {
	if !m.step() || !m.compound(parts[0].compound, n) {
		return false
	}
	combinator := parts[0].combinator
	rest := parts[1:]
	if combinator == 0 {
		return true
	}
	accept := func(c *html.Node) bool {
		if len(rest) == 0 {
			return c == anchor
		}
		return m.from(rest, c, anchor)
	}
	switch combinator {
	case '>':
		p := n.Parent
		return isElement(p) && accept(p)
	case '+':
		p := previous(n)
		return p != nil && accept(p)
	case '~':
		for p := previous(n); p != nil; p = previous(p) {
			if accept(p) {
				return true
			}
			if !m.step() {
				return false
			}
		}
	default:
		for p := n.Parent; isElement(p); p = p.Parent {
			if accept(p) {
				return true
			}
			if !m.step() {
				return false
			}
		}
	}
	return false
}

func isElement(n *html.Node) bool { return n != nil && n.Type == html.ElementNode }

func previous(n *html.Node) *html.Node {
	for p := n.PrevSibling; p != nil; p = p.PrevSibling {
		if p.Type == html.ElementNode {
			return p
		}
	}
	return nil
}

func (m *matcher) compound(list []simple, n *html.Node) bool {
	for i := range list {
		if !m.simple(&list[i], n) {
			return false
		}
	}
	return true
}

func (m *matcher) simple(s *simple, n *html.Node) bool {
	switch s.kind {
	case anyElement:
		return true
	case ofType:
		return n.Data == s.name || lower(n.Data) == s.name
	case ofID:
		return attr(n, "id") == s.name
	case ofClass:
		return hasClass(n, s.name)
	case ofAttribute:
		return s.attribute(n)
	case ofAny:
		return m.matchesAny(s.list, n)
	case ofNone:
		return !m.matchesAny(s.list, n)
	case ofHas:
		return m.has(s.list, n)
	case ofNth:
		return m.nth(s, n)
	case ofState:
		return false
	case ofRoot:
		return n.Parent != nil && n.Parent.Type == html.DocumentNode
	case ofScope:
		return n == m.scope || m.scope == nil && n.Parent != nil && n.Parent.Type == html.DocumentNode
	case ofEmpty:
		return isEmpty(n)
	case ofLink:
		_, ok := lookup(n, "href")
		return ok
	case ofDefined:
		return m.defined || !strings.Contains(n.Data, "-")
	case ofDisabled:
		_, ok := lookup(n, "disabled")
		return ok != s.not
	case ofChecked:
		_, a := lookup(n, "checked")
		_, b := lookup(n, "selected")
		return a || b
	case ofOpen:
		_, ok := lookup(n, "open")
		return ok
	case ofLang:
		return m.lang(s.value, n)
	}
	return false
}

func (m *matcher) lang(value string, n *html.Node) bool {
	for ; isElement(n) && m.step(); n = n.Parent {
		if v, ok := lookup(n, "lang"); ok {
			v = strings.ToLower(v)
			return v == value || strings.HasPrefix(v, value+"-")
		}
	}
	return false
}

// has tries the relative selectors at every element that they can lead to.
func (m *matcher) has(list []selector, n *html.Node) bool {
	for i := range list {
		parts := list[i].parts
		switch parts[len(parts)-1].combinator {
		case '+', '~':
			for s := n.NextSibling; s != nil; s = s.NextSibling {
				if s.Type == html.ElementNode && (m.from(parts, s, n) || len(parts) > 1 && m.below(parts, s, n)) {
					return true
				}
				if !m.step() {
					return false
				}
			}
		default:
			if m.below(parts, n, n) {
				return true
			}
		}
	}
	return false
}

func (m *matcher) below(parts []part, n, anchor *html.Node) bool {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && m.from(parts, d, anchor) {
			return true
		}
		if !m.step() {
			return false
		}
	}
	return false
}

func (m *matcher) nth(s *simple, n *html.Node) bool {
	if s.list != nil && !m.matchesAny(s.list, n) {
		return false
	}
	at := 1
	next := func(x *html.Node) *html.Node {
		if s.last {
			return x.NextSibling
		}
		return x.PrevSibling
	}
	for x := next(n); x != nil; x = next(x) {
		if x.Type != html.ElementNode || s.byType && x.Data != n.Data {
			continue
		}
		if s.list != nil && !m.matchesAny(s.list, x) {
			continue
		}
		if at++; !m.step() {
			return false
		}
		if s.a == 0 && at > s.b {
			return false
		}
	}
	if s.a == 0 {
		return at == s.b
	}
	d := at - s.b
	return d%s.a == 0 && d/s.a >= 0
}

func isEmpty(n *html.Node) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode || c.Type == html.TextNode && c.Data != "" {
			return false
		}
	}
	return true
}

func (s *simple) attribute(n *html.Node) bool {
	v, ok := lookup(n, s.name)
	if !ok {
		return false
	}
	want := s.value
	if s.fold {
		v, want = strings.ToLower(v), strings.ToLower(want)
	}
	switch s.op {
	case "":
		return true
	case "=":
		return v == want
	case "~=":
		for w := range strings.FieldsSeq(v) {
			if w == want {
				return true
			}
		}
		return false
	case "|=":
		return v == want || strings.HasPrefix(v, want+"-")
	case "^=":
		return want != "" && strings.HasPrefix(v, want)
	case "$=":
		return want != "" && strings.HasSuffix(v, want)
	case "*=":
		return want != "" && strings.Contains(v, want)
	}
	return false
}

func lookup(n *html.Node, key string) (string, bool) {
	for i := range n.Attr {
		if n.Attr[i].Key == key {
			return n.Attr[i].Val, true
		}
	}
	return "", false
}

func attr(n *html.Node, key string) string {
	v, _ := lookup(n, key)
	return v
}

func hasClass(n *html.Node, name string) bool {
	v, ok := lookup(n, "class")
	if !ok || len(v) < len(name) {
		return false
	}
	for w := range strings.FieldsSeq(v) {
		if w == name {
			return true
		}
	}
	return false
}
