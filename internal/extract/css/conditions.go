package css

import lex "github.com/tdewolff/parse/v2/css"

// Tri is a truth value of a condition that may depend on what is not known.
type Tri int8

// The values of a Tri.
const (
	No Tri = iota
	Maybe
	Yes
)

func both(a, b Tri) Tri   { return min(a, b) }
func either(a, b Tri) Tri { return max(a, b) }
func negate(a Tri) Tri    { return Yes - a }

// The sizes in CSS pixels at which conditions are evaluated: screens of a desk or
// a lap, and containers of any sort.
var (
	screens    = [][2]float64{{1280, 720}, {1366, 768}, {1536, 864}, {1920, 1080}}
	containers = [][2]float64{{320, 400}, {640, 600}, {960, 700}, {1280, 800}}
)

// condition evaluates a boolean expression of features: it knows not, and, or,
// and brackets, and asks leaf for everything else.
func condition(ts []token, depth int, leaf func([]token) Tri) Tri {
	ts = trim(ts)
	if len(ts) == 0 || depth > maxSelectorDepth {
		return Maybe
	}
	if ts[0].isIdent("not") {
		return negate(condition(ts[1:], depth+1, leaf))
	}
	for _, op := range []struct {
		name string
		join func(a, b Tri) Tri
	}{{"or", either}, {"and", both}} {
		level := 0
		for i, t := range ts {
			switch {
			case t.opens():
				level++
			case t.closes():
				level--
			case level == 0 && i > 0 && t.isIdent(op.name):
				return op.join(condition(ts[:i], depth+1, leaf), condition(ts[i+1:], depth+1, leaf))
			}
		}
	}
	if ts[0].kind == lex.LeftParenthesisToken {
		end := closing(ts[1:])
		inner := ts[1 : 1+end]
		if in := trim(inner); len(in) > 0 && (in[0].kind == lex.LeftParenthesisToken || in[0].isIdent("not") || hasTopLevelOperator(in)) {
			return condition(inner, depth+1, leaf)
		}
		return leaf(trim(inner))
	}
	return leaf(ts)
}

func hasTopLevelOperator(ts []token) bool {
	level := 0
	for _, t := range ts {
		switch {
		case t.opens():
			level++
		case t.closes():
			level--
		case level == 0 && (t.isIdent("and") || t.isIdent("or")):
			return true
		}
	}
	return false
}

// over evaluates a condition at several sizes.
func over(sizes [][2]float64, at func(w, h float64) Tri) Tri {
	least, most := Yes, No
	for _, s := range sizes {
		v := at(s[0], s[1])
		least, most = min(least, v), max(most, v)
	}
	if least == most {
		return least
	}
	return Maybe
}

func mediaQuery(ts []token) Tri {
	return over(screens, func(w, h float64) Tri {
		out := No
		for _, q := range split(ts) {
			out = either(out, oneMediaQuery(q, w, h))
		}
		return out
	})
}

func oneMediaQuery(q []token, w, h float64) Tri {
	if len(q) == 0 {
		return Yes
	}
	if q[0].isIdent("only") {
		q = trim(q[1:])
	}
	return condition(q, 0, func(ts []token) Tri {
		if len(ts) == 1 && ts[0].kind == lex.IdentToken {
			switch ts[0].text {
			case "all", "screen":
				return Yes
			case "print", "speech", "tty", "tv", "projection", "handheld", "braille", "embossed", "aural":
				return No
			}
		}
		return feature(ts, w, h)
	})
}

// feature evaluates a media or container feature.
func feature(ts []token, w, h float64) Tri {
	ts = trim(ts)
	if len(ts) == 0 {
		return Maybe
	}
	for i, t := range ts { // a range: width >= 600px, or 600px <= width
		if t.isDelim("<") || t.isDelim(">") || t.isDelim("=") {
			return rangeFeature(ts, i, w, h)
		}
	}
	if ts[0].kind != lex.IdentToken {
		return Maybe
	}
	name := ts[0].text
	value := trim(ts[1:])
	if len(value) > 0 && value[0].kind == lex.ColonToken {
		value = trim(value[1:])
	}
	if size, ok := sizeOf(name, w, h); ok {
		if len(value) == 0 {
			return Yes
		}
		v, good := lengthOf(value, screenUnits(w, h), true)
		if !good {
			return Maybe
		}
		switch {
		case len(name) > 4 && name[:4] == "min-":
			return tri(size >= v)
		case len(name) > 4 && name[:4] == "max-":
			return tri(size <= v)
		}
		return tri(size == v)
	}
	if len(value) == 0 {
		switch name {
		case "color", "hover", "pointer", "any-hover", "any-pointer", "scripting", "update":
			return Yes
		case "monochrome", "grid", "inverted-colors", "prefers-reduced-motion", "prefers-contrast", "forced-colors", "prefers-reduced-transparency":
			return No
		}
		return Maybe
	}
	if want, ok := screenFeatures[name]; ok {
		return tri(value[0].text == want || value[0].raw == want)
	}
	if name == "orientation" {
		return tri((value[0].text == "landscape") == (w >= h))
	}
	return Maybe
}

var screenFeatures = map[string]string{
	"hover": "hover", "any-hover": "hover", "pointer": "fine", "any-pointer": "fine", "scripting": "enabled", "update": "fast",
	"prefers-color-scheme": "light", "prefers-reduced-motion": "no-preference", "prefers-contrast": "no-preference",
	"forced-colors": "none", "inverted-colors": "none", "prefers-reduced-transparency": "no-preference", "prefers-reduced-data": "no-preference",
	"grid": "0", "monochrome": "0", "min-color": "1", "display-mode": "browser", "dynamic-range": "standard",
}

func tri(b bool) Tri {
	if b {
		return Yes
	}
	return No
}

func sizeOf(name string, w, h float64) (float64, bool) {
	if len(name) > 4 && (name[:4] == "min-" || name[:4] == "max-") {
		name = name[4:]
	}
	switch name {
	case "width", "device-width", "inline-size":
		return w, true
	case "height", "device-height", "block-size":
		return h, true
	}
	return 0, false
}

func screenUnits(w, h float64) Units {
	return Units{Em: 16, Rem: 16, VW: w / 100, VH: h / 100, Percent: w}
}

func rangeFeature(ts []token, at int, w, h float64) Tri {
	out := Yes
	left := ts[:at]
	for at < len(ts) {
		op := ts[at].raw
		at++
		orEqual := op == "="
		if at < len(ts) && ts[at].isDelim("=") {
			orEqual = true
			at++
		}
		end := at
		for end < len(ts) && !ts[end].isDelim("<") && !ts[end].isDelim(">") && !ts[end].isDelim("=") {
			end++
		}
		out = both(out, compare(left, ts[at:end], op, orEqual, w, h))
		left, at = ts[at:end], end
	}
	return out
}

func compare(left, right []token, op string, orEqual bool, w, h float64) Tri {
	side := func(ts []token) (float64, bool) {
		ts = trim(ts)
		if len(ts) == 1 && ts[0].kind == lex.IdentToken {
			return sizeOf(ts[0].text, w, h)
		}
		return lengthOf(ts, screenUnits(w, h), true)
	}
	a, ok := side(left)
	b, good := side(right)
	if !ok || !good {
		return Maybe
	}
	return tri(op == "<" && a < b || op == ">" && a > b || orEqual && a == b)
}

func containerQuery(ts []token) Tri {
	ts = trim(ts)
	if len(ts) > 0 && ts[0].kind == lex.IdentToken && ts[0].text != "not" { // the name of a container
		ts = trim(ts[1:])
	}
	return over(containers, func(w, h float64) Tri {
		return condition(ts, 0, func(ts []token) Tri { return feature(ts, w, h) })
	})
}

// supportsQuery takes each property that is known, and all selectors, for
// supported.
func supportsQuery(ts []token) Tri {
	return condition(ts, 0, func(ts []token) Tri {
		ts = trim(ts)
		if len(ts) == 0 {
			return Maybe
		}
		if ts[0].kind == lex.FunctionToken {
			if ts[0].text == "selector" || ts[0].text == "font-tech" || ts[0].text == "font-format" {
				return Yes
			}
			return Maybe
		}
		name, value, ok := nameAndValue(ts)
		if !ok {
			return Maybe
		}
		if commonProperties[name.text] || shorthands[name.text] != nil || len(name.raw) > 2 && name.raw[:2] == "--" {
			return Yes
		}
		if p := propNames[name.text]; p != noProp {
			v := trim(value)
			switch {
			case len(v) == 1 && keywordValues[p] != "" && !valid(p, v):
				return No // a keyword that there is not
			case len(v) > 0 && !valid(p, v):
				return Maybe
			}
			return Yes
		}
		return Maybe
	})
}

var commonProperties = map[string]bool{
	"gap": true, "grid-template-columns": true, "aspect-ratio": true, "object-fit": true, "backdrop-filter": true,
	"-webkit-backdrop-filter": true, "scroll-behavior": true, "accent-color": true, "text-wrap": true, "container-type": true,
	"flex-wrap": true, "grid-area": true, "scroll-snap-type": true, "padding": true, "border": true, "font-variation-settings": true,
	"-webkit-appearance": true, "appearance": true, "user-select": true, "pointer-events": true, "line-clamp": true,
	"-webkit-line-clamp": true, "overflow-wrap": true, "hyphens": true, "touch-action": true, "will-change": true, "float": true,
}
