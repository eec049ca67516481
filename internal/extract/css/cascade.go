package css

import (
	"cmp"
	"slices"
	"strings"

	lex "github.com/tdewolff/parse/v2/css"
	"golang.org/x/net/html"
)

// maxWork bounds the steps of matching for a page, and maxTokens those of
// parsing: about a second together.
const (
	maxWork   = 30 << 20
	maxTokens = 4 << 20
)

// Cascade resolves the style sheets of a page. It is for one goroutine.
type Cascade struct {
	sheets  sheets
	match   matcher
	byID    map[string][]int32
	byClass map[string][]int32
	byType  map[string][]int32
	general []int32
	seen    []uint32 // by rule: the element for which it was tried last
	element uint32
	root    Env
	vars    bool // some value uses var()
	inline  map[string][]declaration
}

// New parses the style sheets of a page in order.
func New(texts []string) *Cascade {
	c := &Cascade{
		sheets: sheets{layers: map[string]int{}, keyframes: map[string][]declaration{}, initial: map[string][]token{}, work: maxTokens},
		match:  matcher{work: maxWork},
		byID:   map[string][]int32{}, byClass: map[string][]int32{}, byType: map[string][]int32{},
		inline: map[string][]declaration{},
	}
	for _, t := range texts {
		c.sheets.add(t)
	}
	for i := range c.sheets.rules {
		c.index(int32(i))
	}
	c.seen = make([]uint32, len(c.sheets.rules))
	c.root = Env{values: c.sheets.initial}
	return c
}

// Exhausted reports whether the sheets were too much work: what Style returns may
// lack declarations.
func (c *Cascade) Exhausted() bool { return c.match.work < 0 || c.sheets.cut }

// index files a rule under what the element must have.
func (c *Cascade) index(i int32) {
	keys, ok := keysOf(c.sheets.rules[i].selector.parts[0].compound, 0)
	if !ok {
		c.general = append(c.general, i)
		return
	}
	for _, k := range keys {
		switch k.kind {
		case ofID:
			c.byID[k.name] = append(c.byID[k.name], i)
		case ofClass:
			c.byClass[k.name] = append(c.byClass[k.name], i)
		default:
			c.byType[k.name] = append(c.byType[k.name], i)
		}
	}
}

// keysOf returns simple selectors of which an element must match one.
func keysOf(compound []simple, depth int) ([]simple, bool) {
	var best []simple
	for _, s := range compound {
		var keys []simple
		switch s.kind {
		case ofID, ofClass, ofType:
			keys = []simple{s}
		case ofAny:
			keys = alternatives(s.list, depth)
		}
		if keys != nil && (best == nil || better(keys, best)) {
			best = keys
		}
	}
	return best, best != nil
}

func alternatives(list []selector, depth int) []simple {
	if depth > 4 || len(list) > 32 {
		return nil
	}
	keys := []simple{}
	for _, alt := range list {
		k, ok := keysOf(alt.parts[0].compound, depth+1)
		if !ok || len(keys) > 64 {
			return nil
		}
		keys = append(keys, k...)
	}
	return keys
}

func better(a, b []simple) bool {
	rank := func(keys []simple) int {
		r := 0
		for _, k := range keys {
			r = max(r, map[simpleKind]int{ofID: 0, ofClass: 1, ofType: 2}[k.kind])
		}
		return r
	}
	return rank(a) < rank(b)
}

// Style holds the winning declarations of an element.
type Style struct {
	set  [numProps]winner
	used []Prop
	Env  *Env
	// Ended is set by Frames: the style is that after an animation.
	Ended bool
}

type winner struct {
	value   []token
	short   string
	hi      uint64 // importance, origin, layer, specificity
	order   int32
	present bool
}

// Env holds the custom properties of an element.
type Env struct {
	parent *Env
	values map[string][]token
	depth  int
}

func (e *Env) get(name string) ([]token, bool) {
	for range 600 {
		if e == nil {
			break
		}
		if v, ok := e.values[name]; ok {
			return v, true
		}
		e = e.parent
	}
	return nil, false
}

// Root is the environment of the document.
func (c *Cascade) Root() *Env { return &c.root }

// Style computes the cascade for n, which inherits custom properties from env.
// With vague, declarations count whose selectors or conditions are not fully
// understood. hasVague reports whether there are any.
func (c *Cascade) Style(n *html.Node, env *Env, out *Style, vague bool) (hasVague bool) {
	for _, p := range out.used {
		out.set[p] = winner{}
	}
	out.used = out.used[:0]
	out.Env, out.Ended = env, false
	var own map[string]winner // custom properties
	apply := func(ds []declaration, hi uint64, order int32) {
		for i := range ds {
			d := &ds[i]
			w := winner{value: d.value, short: d.short, hi: hi, order: order, present: true}
			if d.important {
				w.hi = important(hi)
			}
			if d.custom != "" {
				if own == nil {
					own = map[string]winner{}
				}
				if old, ok := own[d.custom]; !ok || !beats(old, w) {
					own[d.custom] = w
				}
				continue
			}
			old := &out.set[d.prop]
			if !old.present {
				out.used = append(out.used, d.prop)
			} else if beats(*old, w) {
				continue
			}
			*old = w
		}
	}
	for _, i := range c.candidates(n) {
		r := &c.sheets.rules[i]
		if !c.applies(r, n) {
			continue
		}
		if r.vague {
			hasVague = true
			if !vague {
				continue
			}
		}
		apply(r.declarations, uint64(r.layer)<<32|uint64(r.selector.weight), int32(r.order))
	}
	if style, ok := lookup(n, "style"); ok && style != "" {
		apply(c.inlineStyle(style), inlineOrigin, 0)
	}
	if own != nil {
		values := make(map[string][]token, len(own))
		for k, w := range own {
			values[k] = w.value
		}
		out.Env = &Env{parent: env, values: values}
		if env != nil {
			out.Env.depth = env.depth + 1
		}
	}
	return hasVague
}

const inlineOrigin = uint64(1) << 62

// important raises a priority. The order of layers is reversed.
func important(hi uint64) uint64 {
	layer := hi >> 32 & (unlayered<<1 - 1)
	return 1<<63 | hi&inlineOrigin | (unlayered-layer)<<32 | hi&0xFFFFFFFF
}

func beats(a, b winner) bool {
	if c := cmp.Compare(a.hi, b.hi); c != 0 {
		return c > 0
	}
	return a.order > b.order
}

func (c *Cascade) applies(r *rule, n *html.Node) bool {
	if r.scope != nil {
		root := n
		for isElement(root) && !c.match.matchesAny(r.scope, root) {
			root = root.Parent
		}
		if !isElement(root) {
			return false
		}
		c.match.scope = root
		defer func() { c.match.scope = nil }()
	}
	return c.match.matches(&r.selector, n)
}

// candidates returns the rules that n may match, in order.
func (c *Cascade) candidates(n *html.Node) []int32 {
	c.element++
	var out []int32
	add := func(list []int32) {
		for _, i := range list {
			if c.seen[i] != c.element {
				c.seen[i] = c.element
				out = append(out, i)
			}
		}
	}
	if len(c.sheets.rules) == 0 {
		return nil
	}
	add(c.general)
	add(c.byType[lower(n.Data)])
	if id, ok := lookup(n, "id"); ok && id != "" {
		add(c.byID[id])
	}
	if class, ok := lookup(n, "class"); ok {
		for w := range strings.FieldsSeq(class) {
			add(c.byClass[w])
		}
	}
	slices.Sort(out)
	return out
}

// inlineStyle parses a style attribute; pages repeat them.
func (c *Cascade) inlineStyle(s string) []declaration {
	if d, ok := c.inline[s]; ok {
		return d
	}
	d := parseDeclarations(tokenize(s))
	if len(c.inline) < 4096 {
		c.inline[s] = d
	}
	return d
}

// Frames returns the style of the last frame of an animation that keeps it.
func (c *Cascade) Frames(name string, out *Style) bool {
	ds, ok := c.sheets.keyframes[name]
	if !ok {
		return false
	}
	out.Ended = true
	for _, d := range ds {
		if d.prop != noProp {
			if !out.set[d.prop].present {
				out.used = append(out.used, d.prop)
			}
			out.set[d.prop] = winner{value: d.value, short: d.short, present: true}
		}
	}
	return true
}

// Value is the value of a property, with var() replaced.
type Value struct {
	tokens []token
	Opaque bool // it is set, but cannot be understood
}

// Get returns the value of p. Without one, or with one that a browser ignores, it
// is empty.
func (s *Style) Get(p Prop) Value {
	w := &s.set[p]
	if !w.present {
		return Value{}
	}
	v := w.value
	if hasVar(v) {
		sub := substitution{env: s.Env, left: 2048}
		var ok bool
		if v, ok = sub.replace(v, 0); !ok {
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
