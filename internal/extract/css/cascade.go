package css

import (
	"cmp"
	"slices"
	"strings"

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
	inline  map[string][]declaration
}

// New parses the style sheets of a page in order.
func New(texts []string) *Cascade {
	c := &Cascade{
		sheets: sheets{layers: map[string]int{}, keyframes: map[string]*keyframes{}, initial: map[string][]token{}, work: maxTokens},
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

// Define sets whether the page's own elements, whose names have a hyphen, match :defined.
func (c *Cascade) Define(defined bool) { c.match.defined = defined }

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
	// Ended is set by Frame: the style is one that an animation keeps.
	Ended bool

	substituted int // tokens that replacing variables took, of all elements so far
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

const (
	inlineOrigin = uint64(1) << 62
	importantBit = uint64(1) << 63
)

// important raises a priority. The order of layers is reversed.
func important(hi uint64) uint64 {
	layer := hi >> 32 & (unlayered<<1 - 1)
	return importantBit | hi&inlineOrigin | (unlayered-layer)<<32 | hi&0xFFFFFFFF
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
