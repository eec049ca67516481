package css

import (
	"strings"

	lex "github.com/tdewolff/parse/v2/css"
)

// Value is the value of a property, with var() replaced.
type Value struct {
	tokens []token
	Opaque bool // it is set, but cannot be understood
}

// maxSubstitution is the number of tokens that replacing the variables of a value
// may take, and maxSubstitutions that of all values of a page. What takes more is
// opaque.
const (
	maxSubstitution  = 2048
	maxSubstitutions = 4 << 20
)

// Get returns the value of p. Without one, or with one that a browser ignores, it
// is empty.
func (s *Style) Get(p Prop) Value {
	w := &s.set[p]
	if !w.present {
		return Value{}
	}
	v := w.value
	if hasVar(v) {
		most := max(0, min(maxSubstitution, maxSubstitutions-s.substituted))
		sub := substitution{env: s.Env, left: most}
		var ok bool
		v, ok = sub.replace(v, 0)
		s.substituted += most - max(0, sub.left)
		if !ok {
			return Value{Opaque: sub.opaque}
		}
		v = trim(v)
		if w.short == "" && (len(v) == 0 || !valid(p, v)) {
			return Value{}
		}
	}
	if w.short != "" {
		v = expand(w.short, p, v)
	}
	return Value{tokens: v}
}

// Set reports whether a declaration of p applies.
func (s *Style) Set(p Prop) bool { return s.set[p].present }

// Hint sets a property to the value of a presentational attribute, such as those of SVG,
// if no declaration applies. A number is a length in pixels there.
func (s *Style) Hint(name, value string) {
	ts := tokenize(value)
	if p := propNames[name]; (p == FontSize || p == LetterSpacing) && len(ts) == 1 && ts[0].kind == lex.NumberToken {
		ts = tokenize(value + "px")
	}
	if len(ts) == 0 {
		return
	}
	for _, d := range parseDeclaration(token{kind: lex.IdentToken, text: name, raw: name}, ts, nil) {
		if w := &s.set[d.prop]; !w.present {
			s.used = append(s.used, d.prop)
			*w = winner{value: d.value, short: d.short, present: true}
		}
	}
}

// substitution replaces var() within bounds.
type substitution struct {
	env    *Env
	left   int // tokens
	opaque bool
}

func (s *substitution) replace(ts []token, depth int) ([]token, bool) {
	if depth > 16 {
		return nil, false // a cycle
	}
	var out []token
	for i := 0; i < len(ts); i++ {
		t := ts[i]
		if s.left--; s.left < 0 {
			s.opaque = true
			return nil, false
		}
		if t.kind != lex.FunctionToken || t.text != "var" && t.text != "env" && t.text != "attr" && t.text != "if" {
			out = append(out, t)
			continue
		}
		end := i + 1 + closing(ts[i+1:])
		args := ts[i+1 : end]
		i = end
		if t.text == "attr" || t.text == "if" {
			s.opaque = true
			return nil, false
		}
		var fallback []token
		hasFallback := false
		for j, a := range args {
			if a.kind == lex.CommaToken {
				fallback, hasFallback, args = args[j+1:], true, args[:j]
				break
			}
		}
		args = trim(args)
		var v []token
		ok := false
		if len(args) == 1 && t.text == "var" {
			if v, ok = s.env.get(args[0].raw); ok {
				v, ok = s.replace(v, depth+1)
			}
		}
		if !ok && hasFallback {
			v, ok = s.replace(fallback, depth+1)
		}
		if !ok {
			return nil, false
		}
		out = append(out, v...)
	}
	return out, true
}

// Empty reports whether there is no value.
func (v Value) Empty() bool { return len(v.tokens) == 0 }

// Keyword returns the value if it is one identifier, else "".
func (v Value) Keyword() string {
	if len(v.tokens) == 1 && v.tokens[0].kind == lex.IdentToken {
		return v.tokens[0].text
	}
	return ""
}

// Has reports whether an identifier or function of that name is in the value.
func (v Value) Has(name string) bool {
	for _, t := range v.tokens {
		if (t.kind == lex.IdentToken || t.kind == lex.FunctionToken) && t.text == name {
			return true
		}
	}
	return false
}

// Names returns the identifiers and strings of the value as written.
func (v Value) Names() []string {
	var out []string
	for _, t := range v.tokens {
		if t.kind == lex.IdentToken || t.kind == lex.StringToken {
			out = append(out, t.raw)
		}
	}
	return out
}

// Length evaluates the value as a length; numbers allows numbers other than zero.
func (v Value) Length(u Units, numbers bool) (float64, bool) {
	if v.Empty() {
		return 0, false
	}
	return lengthOf(v.tokens, u, numbers)
}

// Lengths evaluates each word of the value.
func (v Value) Lengths(u Units) []float64 {
	var out []float64
	for _, w := range words(v.tokens) {
		l, ok := lengthOf(w, u, true)
		if !ok {
			return nil
		}
		out = append(out, l)
	}
	return out
}

// Percent reports whether a percentage occurs in the value.
func (v Value) Percent() bool {
	for _, t := range v.tokens {
		if t.kind == lex.PercentageToken {
			return true
		}
	}
	return false
}

// FontSize evaluates the value as a font-size; parent is that of the parent.
func (v Value) FontSize(u Units, parent float64) (float64, bool) {
	if k := v.Keyword(); k != "" {
		switch f := fontSizes[k]; {
		case f > 0:
			return f, true
		case f < 0:
			return -f * parent, true
		}
		return 0, false
	}
	u.Em, u.Percent = parent, parent
	return v.Length(u, false)
}

// Color evaluates the value as a colour.
func (v Value) Color(current RGBA) (RGBA, ColorState) { return ParseColor(v.tokens, current) }

// Image describes the images of a background or mask.
type Image struct {
	Colors []RGBA // of the gradients
	Other  bool   // an image that is not a gradient, or a gradient with unknown colours
}

// Image finds the images in the value.
func (v Value) Image(current RGBA) Image {
	var img Image
	for i, t := range v.tokens {
		switch {
		case t.kind == lex.URLToken:
			img.Other = true
		case t.kind != lex.FunctionToken:
		case strings.HasSuffix(t.text, "gradient"):
			img.gradient(v.tokens[i+1:i+1+closing(v.tokens[i+1:])], current)
		case t.text == "url" || t.text == "image-set" || t.text == "-webkit-image-set" || t.text == "element" || t.text == "paint" ||
			t.text == "cross-fade" || t.text == "image":
			img.Other = true
		}
	}
	return img
}

func (img *Image) gradient(args []token, current RGBA) {
	for _, stop := range split(args) {
		for _, w := range words(stop) {
			switch c, state := ParseColor(w, current); state {
			case Known:
				img.Colors = append(img.Colors, c)
			case Unknown:
				img.Other = true
			}
		}
	}
}

// Function is a function of a value, such as those of transform.
type Function struct {
	Name string
	args [][]token
	Raw  string
}

// Functions returns the functions of the value in order.
func (v Value) Functions() []Function {
	var out []Function
	for i := 0; i < len(v.tokens); i++ {
		t := v.tokens[i]
		if t.kind != lex.FunctionToken {
			continue
		}
		end := i + 1 + closing(v.tokens[i+1:])
		args := v.tokens[i+1 : end]
		list := split(args)
		if len(list) == 1 {
			list = words(args)
		}
		out = append(out, Function{Name: t.text, args: list, Raw: text(args)})
		i = end
	}
	return out
}

// Len is the number of arguments.
func (f Function) Len() int { return len(f.args) }

// Arg evaluates an argument as a length, number or angle in degrees.
func (f Function) Arg(i int, u Units) (float64, bool) {
	if i >= len(f.args) {
		return 0, false
	}
	return lengthOf(f.args[i], u, true)
}

// Word returns an argument as text.
func (f Function) Word(i int) string {
	if i >= len(f.args) {
		return ""
	}
	return text(f.args[i])
}

// Points evaluates each argument as a pair of lengths.
func (f Function) Points(x, y Units) ([][2]float64, bool) {
	var out [][2]float64
	for _, a := range f.args {
		ws := words(a)
		if len(ws) == 1 && (text(a) == "evenodd" || text(a) == "nonzero") {
			continue
		}
		if len(ws) != 2 {
			return nil, false
		}
		p, ok := lengthOf(ws[0], x, true)
		q, good := lengthOf(ws[1], y, true)
		if !ok || !good {
			return nil, false
		}
		out = append(out, [2]float64{p, q})
	}
	return out, true
}

// Value returns an argument as a value.
func (f Function) Value(i int) Value {
	if i >= len(f.args) {
		return Value{}
	}
	return Value{tokens: f.args[i]}
}

// String returns the value as it is written.
func (v Value) String() string { return text(v.tokens) }

// Split returns the words of the value.
func (v Value) Split() []Value {
	var out []Value
	for _, w := range words(v.tokens) {
		out = append(out, Value{tokens: w})
	}
	return out
}

// IsURL reports whether the value contains a URL.
func (v Value) IsURL() bool {
	for _, t := range v.tokens {
		if t.kind == lex.URLToken || t.kind == lex.FunctionToken && t.text == "url" {
			return true
		}
	}
	return false
}

// AttributeColor parses the colour of an attribute such as bgcolor.
func AttributeColor(s string) (RGBA, bool) {
	c, state := ParseColor(tokenize(strings.TrimSpace(s)), RGBA{})
	if state == Known {
		return c, true
	}
	c, state = hexColor(strings.TrimPrefix(strings.TrimSpace(s), "#"))
	return c, state == Known
}

// IsZero reports whether the value is lengths of nothing, such as "0fr" or "0px 0px".
func (v Value) IsZero() bool {
	ws := words(v.tokens)
	for _, w := range ws {
		if len(w) != 1 || w[0].kind != lex.DimensionToken && w[0].kind != lex.NumberToken || w[0].num != 0 {
			return false
		}
	}
	return len(ws) > 0
}
