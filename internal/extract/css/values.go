package css

import (
	"math"

	lex "github.com/tdewolff/parse/v2/css"
)

// Units are the sizes of relative units in CSS pixels. Percent is the length of
// 100 %.
type Units struct{ Em, Rem, VW, VH, Percent float64 }

func (u Units) defaults() Units {
	if u.Em == 0 {
		u.Em = 16
	}
	if u.Rem == 0 {
		u.Rem = 16
	}
	if u.VW == 0 {
		u.VW, u.VH = 13.66, 7.68
	}
	return u
}

// of returns the length of one unit, or false for a unit that is not a length.
func (u Units) of(unit string) (float64, bool) {
	switch unit {
	case "px":
		return 1, true
	case "em":
		return u.Em, true
	case "rem":
		return u.Rem, true
	case "%":
		return u.Percent / 100, true
	case "vw", "svw", "lvw", "dvw", "vi", "cqw", "cqi", "vmax", "cqmax":
		return u.VW, true
	case "vh", "svh", "lvh", "dvh", "vb", "cqh", "cqb", "vmin", "cqmin":
		return u.VH, true
	case "pt":
		return 96.0 / 72, true
	case "pc":
		return 16, true
	case "in":
		return 96, true
	case "cm":
		return 96 / 2.54, true
	case "mm":
		return 96 / 25.4, true
	case "q":
		return 96 / 101.6, true
	case "ex", "ch", "rex", "rch", "cap", "rcap":
		return u.Em / 2, true
	case "ic", "lh", "rlh", "ric":
		return u.Em * 1.2, true
	}
	return 0, false
}

// lengthOf evaluates a length, number or percentage, calc() and its relatives
// included. A number other than zero is a length only if numbers is set.
func lengthOf(ts []token, u Units, numbers bool) (float64, bool) {
	c := calculation{ts: trim(ts), units: u.defaults(), numbers: numbers}
	v, ok := c.value(0)
	return v, ok && len(trim(c.ts)) == 0
}

// calculation evaluates an expression from left to right.
type calculation struct {
	ts      []token
	units   Units
	numbers bool
	inside  bool // calc(): numbers are factors
}

func (c *calculation) space() { c.ts = trim(c.ts) }

func (c *calculation) value(depth int) (float64, bool) {
	c.space()
	if len(c.ts) == 0 || depth > 24 {
		return 0, false
	}
	t := c.ts[0]
	c.ts = c.ts[1:]
	switch t.kind {
	case lex.NumberToken:
		return t.num, t.num == 0 || c.numbers || c.inside
	case lex.PercentageToken, lex.DimensionToken:
		unit := t.text
		if t.kind == lex.PercentageToken {
			unit = "%"
		}
		f, ok := c.units.of(unit)
		if !ok {
			f, ok = angle(unit)
		}
		return t.num * f, ok
	case lex.IdentToken:
		switch t.text {
		case "infinity":
			return 1e9, c.inside
		case "-infinity":
			return -1e9, c.inside
		case "pi":
			return math.Pi, c.inside
		case "e":
			return math.E, c.inside
		}
		return 0, false
	case lex.LeftParenthesisToken, lex.FunctionToken:
		end := closing(c.ts)
		args := c.ts[:end]
		c.ts = c.ts[min(len(c.ts), end+1):]
		return c.call(t, args, depth)
	}
	return 0, false
}

// angle returns a unit of angles in degrees.
func angle(unit string) (float64, bool) {
	switch unit {
	case "deg":
		return 1, true
	case "rad":
		return 180 / math.Pi, true
	case "grad":
		return 0.9, true
	case "turn":
		return 360, true
	case "s":
		return 1000, true
	case "ms":
		return 1, true
	}
	return 0, false
}

func (c *calculation) call(f token, args []token, depth int) (float64, bool) {
	sub := func(ts []token) (float64, bool) {
		inner := calculation{ts: ts, units: c.units, inside: true}
		v, ok := inner.sum(depth + 1)
		return v, ok && len(trim(inner.ts)) == 0
	}
	name := f.text
	if f.kind == lex.LeftParenthesisToken || name == "-webkit-calc" || name == "-moz-calc" {
		name = "calc"
	}
	var vs []float64
	for _, a := range split(args) {
		if name == "round" && len(a) == 1 && a[0].kind == lex.IdentToken {
			continue // a rounding strategy
		}
		v, ok := sub(a)
		if !ok {
			return 0, false
		}
		vs = append(vs, v)
	}
	return apply(name, vs)
}

func apply(name string, vs []float64) (float64, bool) {
	one := len(vs) == 1
	switch {
	case len(vs) == 0:
		return 0, false
	case name == "calc" && one:
		return vs[0], true
	case name == "min":
		v := vs[0]
		for _, x := range vs {
			v = math.Min(v, x)
		}
		return v, true
	case name == "max":
		v := vs[0]
		for _, x := range vs {
			v = math.Max(v, x)
		}
		return v, true
	case name == "clamp" && len(vs) == 3:
		return math.Max(vs[0], math.Min(vs[1], vs[2])), true
	case name == "abs" && one:
		return math.Abs(vs[0]), true
	case name == "sign" && one:
		return sign(vs[0]), true
	case name == "sqrt" && one:
		return math.Sqrt(vs[0]), vs[0] >= 0
	case name == "exp" && one:
		return math.Exp(math.Min(vs[0], 50)), true
	case name == "pow" && len(vs) == 2:
		v := math.Pow(vs[0], vs[1])
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case name == "hypot":
		v := 0.0
		for _, x := range vs {
			v = math.Hypot(v, x)
		}
		return v, true
	case (name == "round" || name == "mod" || name == "rem") && len(vs) == 2 && vs[1] != 0:
		if name == "round" {
			return math.Round(vs[0]/vs[1]) * vs[1], true
		}
		return math.Mod(vs[0], vs[1]), true
	case name == "sin" && one:
		return math.Sin(vs[0] * math.Pi / 180), true
	case name == "cos" && one:
		return math.Cos(vs[0] * math.Pi / 180), true
	}
	return 0, false
}

func sign(v float64) float64 {
	switch {
	case v > 0:
		return 1
	case v < 0:
		return -1
	}
	return 0
}

func (c *calculation) sum(depth int) (float64, bool) {
	v, ok := c.product(depth)
	for ok {
		c.space()
		if len(c.ts) == 0 {
			break
		}
		op := c.ts[0]
		switch {
		case op.isDelim("+") || op.isDelim("-"):
			c.ts = c.ts[1:]
			var w float64
			w, ok = c.product(depth)
			if op.raw == "-" {
				w = -w
			}
			v += w
		default:
			return v, true
		}
	}
	return v, ok
}

func (c *calculation) product(depth int) (float64, bool) {
	v, ok := c.value(depth)
	for ok {
		c.space()
		if len(c.ts) == 0 || !c.ts[0].isDelim("*") && !c.ts[0].isDelim("/") {
			break
		}
		op := c.ts[0].raw
		c.ts = c.ts[1:]
		var w float64
		w, ok = c.value(depth)
		switch {
		case op == "*":
			v *= w
		case w == 0:
			v = sign(v) * 1e9
		default:
			v /= w
		}
	}
	return v, ok
}

// fontSizes are the keywords of font-size in pixels.
var fontSizes = map[string]float64{
	"xx-small": 9, "x-small": 10, "small": 13, "medium": 16, "large": 18, "x-large": 24, "xx-large": 32, "xxx-large": 48,
	"smaller": -0.83, "larger": -1.2, "math": -1, // factors of the parent's size
}
