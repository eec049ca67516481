package css

import (
	"encoding/base64"
	"net/url"
	"strings"

	lex "github.com/tdewolff/parse/v2/css"
)

// rule is a selector with its declarations.
type rule struct {
	selector     selector
	declarations []declaration
	scope        []selector // of @scope: n or an ancestor must match; nil for none
	layer        int        // order of the cascade layer; unlayered for none
	order        int
	vague        bool // it may not apply: a condition or a selector that is not understood
}

const (
	unlayered = 1 << 14
	maxBlocks = 24 // nested blocks
)

// sheets holds the parsed style sheets of a page.
type sheets struct {
	rules     []rule
	layers    map[string]int
	keyframes map[string]*keyframes
	initial   map[string][]token // of @property
	hasCustom bool
	work      int // tokens left to parse: nested rules can repeat selectors
	cut       bool
}

// context is what surrounds a block.
type context struct {
	nest  []selector
	scope []selector
	layer string
	vague bool
	depth int
}

func (s *sheets) add(text string) {
	s.block(tokenize(text), context{})
}

// block parses a list of rules.
func (s *sheets) block(ts []token, c context) {
	if c.depth > maxBlocks {
		s.cut = true
		return
	}
	for ts = trim(ts); len(ts) > 0; ts = trim(ts) {
		if s.work -= 1; s.work < 0 {
			s.cut = true
			return
		}
		if ts[0].kind == lex.RightBraceToken || ts[0].kind == lex.SemicolonToken {
			ts = ts[1:]
			continue
		}
		head, body, rest, isBlock := statement(ts)
		ts = rest
		switch {
		case len(head) > 0 && head[0].kind == lex.AtKeywordToken:
			s.atRule(head[0].text, trim(head[1:]), body, isBlock, c)
		case isBlock:
			s.rule(head, body, c)
		}
	}
}

// statement splits off the first rule or at-rule.
func statement(ts []token) (head, body, rest []token, isBlock bool) {
	at := ts[0].kind == lex.AtKeywordToken
	depth := 0
	for i, t := range ts {
		switch {
		case t.kind == lex.LeftBraceToken && depth <= 0:
			end := i + 1 + closing(ts[i+1:])
			return ts[:i], ts[i+1 : end], ts[min(len(ts), end+1):], true
		case t.kind == lex.SemicolonToken && depth <= 0 && at:
			return ts[:i], nil, ts[i+1:], false
		case t.opens():
			depth++
		case t.closes():
			depth--
		}
	}
	return ts, nil, nil, false
}

func (s *sheets) atRule(name string, prelude, body []token, isBlock bool, c context) {
	c.depth++
	switch name {
	case "import":
		if data, ok := dataURL(prelude); ok && c.depth < 4 {
			s.block(tokenize(data), c)
		}
		return
	case "layer":
		if !isBlock {
			for _, one := range split(prelude) {
				s.layerOrder(join(c.layer, text(one)))
			}
			return
		}
		c.layer = join(c.layer, text(prelude))
		s.layerOrder(c.layer)
	case "media":
		c = c.when(mediaQuery(prelude))
	case "container":
		c = c.when(containerQuery(prelude))
	case "supports":
		c = c.when(supportsQuery(prelude))
	case "scope":
		c = s.scoped(prelude, c)
	case "starting-style", "layer-order", "font-face", "page", "counter-style", "font-feature-values", "view-transition":
		return
	case "keyframes", "-webkit-keyframes", "-moz-keyframes":
		s.readKeyframes(text(prelude), body)
		return
	case "property":
		s.readProperty(text(prelude), body)
		return
	case "document", "-moz-document":
		c.vague = true
	default:
		c.vague = true
	}
	if !isBlock || c.depth > maxBlocks {
		return
	}
	if c.nest != nil { // a conditional group inside a rule
		s.nested(body, c, c.nest)
		return
	}
	s.block(body, c)
}

// when returns the context inside a condition; the depth of one that is false is
// such that nothing is read.
func (c context) when(cond Tri) context {
	switch cond {
	case No:
		c.depth = maxBlocks + 1
	case Maybe:
		c.vague = true
	}
	return c
}

func (s *sheets) scoped(prelude []token, c context) context {
	if len(prelude) == 0 { // the parent of the style element: not tracked
		c.vague = true
		return c
	}
	if prelude[0].kind == lex.LeftParenthesisToken {
		end := closing(prelude[1:])
		c.scope = selectorParser{nest: c.nest}.parseList(prelude[1:1+end], false)
		if rest := trim(prelude[min(len(prelude), end+2):]); len(rest) > 0 {
			c.vague = true // a lower limit
		}
	}
	return c
}

func (s *sheets) layerOrder(name string) int {
	if name == "" {
		return unlayered
	}
	if n, ok := s.layers[name]; ok {
		return n
	}
	n := min(len(s.layers)+1, unlayered-1)
	s.layers[name] = n
	return n
}

func join(outer, inner string) string {
	if outer == "" {
		if inner == "" {
			return "anonymous"
		}
		return inner
	}
	return outer + "." + inner
}

func text(ts []token) string {
	var b strings.Builder
	for _, t := range trim(ts) {
		b.WriteString(t.raw)
	}
	return b.String()
}

func (s *sheets) rule(head, body []token, c context) {
	p := selectorParser{nest: c.nest, implicit: c.nest != nil}
	if c.scope != nil && c.nest == nil {
		p.nest = c.scope
	}
	list := p.parseList(head, false)
	s.work -= len(head)
	if len(list) == 0 {
		return
	}
	s.nested(body, c, list)
}

// nested parses the body of a rule: declarations and nested rules.
func (s *sheets) nested(body []token, c context, list []selector) {
	var decls []declaration
	flush := func() {
		s.emit(list, decls, c)
		decls = nil
	}
	inner := c
	inner.nest = list
	inner.depth++
	for ts := trim(body); len(ts) > 0; ts = trim(ts) {
		if s.work--; s.work < 0 {
			s.cut = true
			break
		}
		if ts[0].kind == lex.SemicolonToken || ts[0].kind == lex.RightBraceToken {
			ts = ts[1:]
			continue
		}
		if end, ok := declarationEnd(ts); ok {
			if name, value, good := nameAndValue(ts[:end]); good {
				decls = parseDeclaration(name, value, decls)
			}
			ts = ts[end:]
			continue
		}
		head, block, rest, isBlock := statement(ts)
		ts = rest
		if inner.depth > maxBlocks {
			s.cut = true
			continue
		}
		switch {
		case len(head) > 0 && head[0].kind == lex.AtKeywordToken:
			s.atRule(head[0].text, trim(head[1:]), block, isBlock, inner)
		case isBlock:
			s.rule(head, block, inner)
		}
	}
	flush()
}

// declarationEnd returns the end of the declaration that ts starts with; ok is
// false if ts starts with a nested rule.
func declarationEnd(ts []token) (int, bool) {
	if ts[0].kind == lex.AtKeywordToken {
		return 0, false
	}
	custom := strings.HasPrefix(ts[0].raw, "--")
	depth := 0
	for i, t := range ts {
		switch {
		case t.kind == lex.SemicolonToken && depth == 0, t.kind == lex.RightBraceToken && depth == 0:
			return i, true
		case t.kind == lex.LeftBraceToken && depth == 0 && !custom:
			return 0, false
		case t.opens():
			depth++
		case t.closes() && depth > 0:
			depth--
		}
	}
	return len(ts), true
}

func nameAndValue(ts []token) (token, []token, bool) {
	if len(ts) < 2 {
		return token{}, nil, false
	}
	if ts[0].kind == lex.DelimToken { // the *display hack, which browsers drop
		return token{}, nil, false
	}
	if ts[0].kind == lex.CustomPropertyNameToken || ts[0].kind == lex.IdentToken {
		rest := trim(ts[1:])
		if len(rest) > 0 && rest[0].kind == lex.ColonToken {
			return ts[0], rest[1:], true
		}
	}
	return token{}, nil, false
}

func (s *sheets) emit(list []selector, decls []declaration, c context) {
	if len(decls) == 0 {
		return
	}
	for _, d := range decls {
		s.hasCustom = s.hasCustom || d.custom != ""
	}
	layer := s.layerOrder(c.layer)
	for _, one := range list {
		if len(s.rules) >= maxRules {
			s.cut = true
			return
		}
		s.rules = append(s.rules, rule{
			selector: one, declarations: decls, scope: c.scope, layer: layer,
			order: len(s.rules), vague: c.vague || one.vague,
		})
	}
}

// maxRules bounds the memory for rules: more do not fit in a page that is read.
const maxRules = 400_000

func (s *sheets) readProperty(name string, body []token) {
	for ts := trim(body); len(ts) > 0; ts = trim(ts) {
		if ts[0].kind == lex.SemicolonToken {
			ts = ts[1:]
			continue
		}
		end, ok := declarationEnd(ts)
		if !ok || end == 0 {
			return
		}
		if n, v, good := nameAndValue(ts[:end]); good && n.text == "initial-value" {
			s.initial[name] = trim(v)
			s.hasCustom = true
		}
		ts = ts[end:]
	}
}

// parseDeclarations parses a list of declarations, as in a style attribute.
func parseDeclarations(ts []token) []declaration {
	var out []declaration
	for ts = trim(ts); len(ts) > 0; ts = trim(ts) {
		if ts[0].kind == lex.SemicolonToken || ts[0].kind == lex.RightBraceToken {
			ts = ts[1:]
			continue
		}
		end, ok := declarationEnd(ts)
		if !ok {
			_, _, ts, _ = statement(ts)
			continue
		}
		if name, value, good := nameAndValue(ts[:end]); good {
			out = parseDeclaration(name, value, out)
		}
		ts = ts[max(1, end):]
	}
	return out
}

// dataURL returns the style sheet of an @import or link that carries it itself.
func dataURL(ts []token) (string, bool) {
	for _, t := range ts {
		if t.kind == lex.URLToken || t.kind == lex.StringToken {
			return DataSheet(t.raw)
		}
	}
	return "", false
}

// DataSheet returns the content of a data: URL of a style sheet.
func DataSheet(address string) (string, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(address), "data:")
	if !ok {
		return "", false
	}
	media, data, ok := strings.Cut(rest, ",")
	if !ok {
		return "", false
	}
	if strings.HasSuffix(media, ";base64") {
		raw, err := base64.StdEncoding.DecodeString(data)
		return string(raw), err == nil
	}
	if plain, err := url.PathUnescape(data); err == nil {
		data = plain
	}
	return data, true
}
