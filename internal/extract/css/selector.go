package css

import (
	"strings"

	lex "github.com/tdewolff/parse/v2/css"
)

// selector is a complex selector, stored from right to left: a compound and the
// combinator that leads to the next one.
type selector struct {
	parts  []part
	weight uint32 // specificity: ids, classes, types as 10 bits each
	vague  bool   // something in it is not understood and was left out: it may match too much
}

type part struct {
	compound   []simple
	combinator byte // to the part at the left: ' ', '>', '+', '~', or 0 for none
}

type simpleKind byte

const (
	anyElement simpleKind = iota
	ofType
	ofID
	ofClass
	ofAttribute
	ofAny      // :is, :where, and & in nested rules
	ofNone     // :not
	ofHas      // :has
	ofNth      // :nth-child and its relatives
	ofState    // :hover and the like: never
	ofRoot     // :root
	ofScope    // :scope
	ofEmpty    // :empty
	ofLink     // :link
	ofDisabled // :disabled
	ofDefined  // :defined
	ofChecked  // :checked
	ofOpen     // :open
	ofLang     // :lang
)

type simple struct {
	kind   simpleKind
	name   string // type, id, class or attribute
	op     string // of an attribute: "", "=", "~=", "|=", "^=", "$=", "*="
	value  string
	fold   bool // compare the attribute's value without case
	list   []selector
	a, b   int  // of an+b
	last   bool // count from the end
	byType bool
	not    bool // negates ofLink and the like
}

// limits on selectors, so that a hostile sheet is bounded.
const (
	maxSelectorDepth = 8
	maxListLength    = 256
	maxParts         = 64
)

type selectorParser struct {
	nest     []selector // what & means; nil outside nested rules
	implicit bool       // a selector without & is relative to it
	depth    int
}

// parseList parses a selector list. Selectors with pseudo-elements, which match no
// element, are left out.
func (p selectorParser) parseList(ts []token, relative bool) []selector {
	var out []selector
	for _, one := range split(ts) {
		if len(out) >= maxListLength {
			out[len(out)-1].vague = true
			return out
		}
		if s, ok := p.parse(one, relative); ok {
			out = append(out, s)
		}
	}
	return out
}

// parse parses a complex selector. A relative one, as in :has, may start with a
// combinator.
func (p selectorParser) parse(ts []token, relative bool) (selector, bool) {
	ts = trim(ts)
	var s selector
	var parts []part // from left to right; combinator is the one before the part
	if len(ts) == 0 || p.depth > maxSelectorDepth {
		return s, false
	}
	combinator := byte(0)
	if relative || p.implicit {
		combinator = ' '
		if c := combinatorOf(ts[0]); c != 0 {
			combinator, ts = c, trim(ts[1:])
		}
	}
	nested := false
	for len(ts) > 0 && len(parts) < maxParts {
		compound, rest, ok := p.compound(ts, &s)
		if !ok {
			return s, false
		}
		if len(rest) == len(ts) { // a token that starts no compound
			s.vague = true
			rest = rest[1:]
		}
		for _, c := range compound {
			nested = nested || c.kind == ofAny && c.name == "&"
		}
		parts = append(parts, part{compound: compound, combinator: combinator})
		combinator, ts = nextCombinator(rest)
	}
	if len(parts) == 0 {
		return s, false
	}
	if p.implicit && !nested {
		s.weight += heaviest(p.nest)
		parts = append([]part{{compound: []simple{{kind: ofAny, name: "&", list: p.nest}}}}, parts...)
	}
	if !relative {
		parts[0].combinator = 0
	}
	for i := len(parts) - 1; i >= 0; i-- {
		s.parts = append(s.parts, parts[i])
	}
	return s, true
}

func combinatorOf(t token) byte {
	for _, c := range []string{">", "+", "~"} {
		if t.isDelim(c) {
			return c[0]
		}
	}
	return 0
}

func nextCombinator(ts []token) (byte, []token) {
	c := byte(0)
	for len(ts) > 0 {
		if ts[0].kind == lex.WhitespaceToken {
			if c == 0 {
				c = ' '
			}
		} else if x := combinatorOf(ts[0]); x != 0 {
			c = x
		} else {
			break
		}
		ts = ts[1:]
	}
	return c, ts
}

// compound parses simple selectors up to a combinator. ok is false for a
// pseudo-element.
func (p selectorParser) compound(ts []token, s *selector) (out []simple, rest []token, ok bool) {
	const id, class, typ = 1 << 20, 1 << 10, 1
	for len(ts) > 0 {
		t := ts[0]
		switch {
		case t.kind == lex.WhitespaceToken || combinatorOf(t) != 0:
			return out, ts, true
		case t.isDelim("*"):
			out = append(out, simple{kind: anyElement})
		case t.isDelim("&"):
			if p.nest != nil {
				s.weight += heaviest(p.nest)
				out = append(out, simple{kind: ofAny, name: "&", list: p.nest})
			} else {
				out = append(out, simple{kind: ofRoot})
			}
		case t.isDelim("|"): // a namespace: what is before it does not matter
			out = out[:0]
		case t.isDelim(".") && len(ts) > 1 && (ts[1].kind == lex.IdentToken || ts[1].kind == lex.FunctionToken || ts[1].kind == lex.CustomPropertyNameToken):
			out = append(out, simple{kind: ofClass, name: ts[1].raw})
			s.weight += class
			ts = ts[1:]
		case t.kind == lex.HashToken:
			out = append(out, simple{kind: ofID, name: t.raw})
			s.weight += id
		case t.kind == lex.IdentToken:
			out = append(out, simple{kind: ofType, name: t.text})
			s.weight += typ
		case t.kind == lex.LeftBracketToken:
			end := closing(ts[1:])
			if a, good := attributeSelector(ts[1 : 1+end]); good {
				out = append(out, a)
				s.weight += class
			} else {
				s.vague = true
			}
			ts = ts[min(len(ts), end+2)-1:]
		case t.kind == lex.ColonToken && len(ts) > 1 && ts[1].kind == lex.ColonToken:
			return nil, nil, false
		case t.kind == lex.ColonToken && len(ts) > 1:
			var used int
			var good bool
			out, used, good = p.pseudo(ts[1:], out, s)
			if !good {
				return nil, nil, false
			}
			ts = ts[used:]
		default:
			s.vague = true
		}
		ts = ts[1:]
	}
	return out, ts, true
}

func heaviest(list []selector) uint32 {
	w := uint32(0)
	for _, s := range list {
		w = max(w, s.weight)
	}
	return w
}

func attributeSelector(ts []token) (simple, bool) {
	ts = trim(ts)
	for i, t := range ts { // a namespace
		if t.isDelim("|") && i+1 < len(ts) && ts[i+1].kind == lex.IdentToken {
			ts = ts[i+1:]
			break
		}
	}
	if len(ts) == 0 || ts[0].kind != lex.IdentToken && ts[0].kind != lex.CustomPropertyNameToken {
		return simple{}, false
	}
	s := simple{kind: ofAttribute, name: strings.ToLower(ts[0].raw)}
	ts = trim(ts[1:])
	if len(ts) == 0 {
		return s, true
	}
	s.op = ts[0].raw
	ts = trim(ts[1:])
	if len(ts) == 0 {
		return s, false
	}
	s.value = ts[0].raw
	switch ts[0].kind {
	case lex.StringToken, lex.IdentToken, lex.NumberToken, lex.DimensionToken, lex.CustomPropertyNameToken:
	default:
		return s, false
	}
	ts = trim(ts[1:])
	s.fold = len(ts) > 0 && ts[0].isIdent("i")
	return s, true
}

// pseudo parses a pseudo-class after its colon. used is the number of tokens.
func (p selectorParser) pseudo(ts []token, out []simple, s *selector) ([]simple, int, bool) {
	const class = 1 << 10
	t, used := ts[0], 1
	var args []token
	if t.kind == lex.FunctionToken {
		end := closing(ts[1:])
		args = ts[1 : 1+end]
		used = min(len(ts), end+2)
	}
	inner := p
	inner.depth++
	inner.implicit = false
	switch t.text {
	case "before", "after", "first-line", "first-letter":
		return nil, 0, false
	case "is", "where", "matches", "any", "-webkit-any", "-moz-any":
		list := inner.parseList(args, false)
		if t.text != "where" {
			s.weight += heaviest(list)
		}
		s.vague = s.vague || anyVague(list)
		return append(out, simple{kind: ofAny, list: list}), used, true
	case "not":
		list := inner.parseList(args, false)
		if anyVague(list) { // it may match too little: leave it out
			s.vague = true
			return out, used, true
		}
		s.weight += heaviest(list)
		return append(out, simple{kind: ofNone, list: list}), used, true
	case "has":
		list := inner.parseList(args, true)
		s.weight += heaviest(list)
		s.vague = s.vague || anyVague(list)
		return append(out, simple{kind: ofHas, list: list}), used, true
	}
	s.weight += class
	if one, ok := inner.nthClass(t.text, args); ok {
		return append(out, one), used, true
	}
	if kind, ok := plainPseudo[t.text]; ok {
		return append(out, simple{kind: kind.kind, not: kind.not}), used, true
	}
	if t.text == "lang" && len(args) > 0 {
		return append(out, simple{kind: ofLang, value: strings.ToLower(args[0].raw)}), used, true
	}
	s.vague = true // unknown: without it, the selector matches at least as much
	return out, used, true
}

func anyVague(list []selector) bool {
	for _, s := range list {
		if s.vague {
			return true
		}
	}
	return false
}

var plainPseudo = map[string]struct {
	kind simpleKind
	not  bool
}{
	"root": {kind: ofRoot}, "scope": {kind: ofScope}, "empty": {kind: ofEmpty},
	"link": {kind: ofLink}, "any-link": {kind: ofLink}, "-webkit-any-link": {kind: ofLink},
	"disabled": {kind: ofDisabled}, "enabled": {kind: ofDisabled, not: true}, "checked": {kind: ofChecked},
	"open": {kind: ofOpen}, "defined": {kind: ofDefined},
	"hover": {kind: ofState}, "focus": {kind: ofState}, "active": {kind: ofState}, "focus-within": {kind: ofState},
	"focus-visible": {kind: ofState}, "visited": {kind: ofState}, "target": {kind: ofState}, "target-within": {kind: ofState},
	"fullscreen": {kind: ofState}, "modal": {kind: ofState}, "popover-open": {kind: ofState}, "host": {kind: ofState},
	"autofill": {kind: ofState}, "-webkit-autofill": {kind: ofState}, "current": {kind: ofState}, "past": {kind: ofState},
	"playing": {kind: ofState}, "user-invalid": {kind: ofState}, "user-valid": {kind: ofState}, "buffering": {kind: ofState},
}

var nthKinds = map[string]simple{
	"nth-child": {}, "nth-last-child": {last: true}, "nth-of-type": {byType: true}, "nth-last-of-type": {last: true, byType: true},
}

// nthClass parses :nth-child() and the pseudo-classes that are short for it.
func (p selectorParser) nthClass(name string, args []token) (simple, bool) {
	one := simple{kind: ofNth, b: 1}
	switch name {
	case "first-child":
		return one, true
	case "last-child":
		one.last = true
		return one, true
	case "first-of-type":
		one.byType = true
		return one, true
	case "last-of-type":
		one.byType, one.last = true, true
		return one, true
	case "only-child", "only-of-type":
		one.byType = name == "only-of-type"
		last := one
		last.last = true
		return simple{kind: ofAny, list: []selector{{parts: []part{{compound: []simple{one, last}}}}}}, true
	}
	kind, ok := nthKinds[name]
	if !ok {
		return simple{}, false
	}
	kind.kind = ofNth
	for i, t := range args {
		if t.isIdent("of") {
			kind.list = p.parseList(args[i+1:], false)
			args = args[:i]
			break
		}
	}
	var text strings.Builder
	for _, t := range args {
		switch t.kind {
		case lex.WhitespaceToken:
		case lex.NumberToken, lex.DimensionToken:
			text.WriteString(strings.ToLower(t.raw))
		default:
			text.WriteString(t.raw)
		}
	}
	kind.a, kind.b, ok = parseNth(strings.ToLower(text.String()))
	return kind, ok
}

// parseNth parses an+b.
func parseNth(s string) (a, b int, ok bool) {
	switch s {
	case "odd":
		return 2, 1, true
	case "even":
		return 2, 0, true
	}
	before, after, has := strings.Cut(s, "n")
	if !has {
		b, ok = atoi(s)
		return 0, b, ok
	}
	switch before {
	case "", "+":
		a = 1
	case "-":
		a = -1
	default:
		if a, ok = atoi(before); !ok {
			return 0, 0, false
		}
	}
	if after == "" {
		return a, 0, true
	}
	b, ok = atoi(after)
	return a, b, ok
}

func atoi(s string) (int, bool) {
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimLeft(s, "+-")
	if s == "" || len(s) > 7 {
		return 0, false
	}
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}
