package css

import (
	"math"
	"strconv"

	lex "github.com/tdewolff/parse/v2/css"
)

// RGBA is a colour in sRGB; each component is 0 to 1.
type RGBA struct{ R, G, B, A float64 }

// Over returns c as it looks on an opaque colour.
func (c RGBA) Over(back RGBA) RGBA {
	mix := func(a, b float64) float64 { return a*c.A + b*(1-c.A) }
	return RGBA{mix(c.R, back.R), mix(c.G, back.G), mix(c.B, back.B), 1}
}

// Contrast is the contrast ratio of WCAG 2 between two opaque colours, from 1.
func (c RGBA) Contrast(d RGBA) float64 {
	a, b := c.luminance(), d.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// Distance is the largest difference of a component.
func (c RGBA) Distance(d RGBA) float64 {
	return max(math.Abs(c.R-d.R), math.Abs(c.G-d.G), math.Abs(c.B-d.B))
}

func (c RGBA) luminance() float64 {
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func gamma(v float64) float64 {
	if v <= 0.0031308 {
		return 12.92 * v
	}
	return 1.055*math.Pow(v, 1/2.4) - 0.055
}

// ColorState says what ParseColor found.
type ColorState int8

// The states.
const (
	Invalid ColorState = iota // not a colour: a browser ignores the declaration
	Unknown                   // a colour of a kind that is not computed
	Known
)

// ParseColor evaluates a colour. current is the value of currentcolor.
func ParseColor(ts []token, current RGBA) (RGBA, ColorState) {
	ts = trim(ts)
	if len(ts) == 0 {
		return RGBA{}, Invalid
	}
	t := ts[0]
	switch {
	case len(ts) == 1 && t.kind == lex.HashToken:
		return hexColor(t.raw)
	case len(ts) == 1 && t.kind == lex.IdentToken:
		return namedColor(t.text, current)
	case t.kind == lex.FunctionToken && closing(ts[1:])+2 >= len(ts):
		return colorFunction(t.text, ts[1:1+closing(ts[1:])], current)
	}
	return RGBA{}, Invalid
}

func hexColor(h string) (RGBA, ColorState) {
	for i := range len(h) {
		if !isHex(h[i]) {
			return RGBA{}, Invalid
		}
	}
	if len(h) == 3 || len(h) == 4 {
		long := make([]byte, 0, 8)
		for i := range len(h) {
			long = append(long, h[i], h[i])
		}
		h = string(long)
	}
	if len(h) == 6 {
		h += "ff"
	}
	if len(h) != 8 {
		return RGBA{}, Invalid
	}
	v, err := strconv.ParseUint(h, 16, 32)
	f := func(shift int) float64 { return float64(v>>shift&255) / 255 }
	return RGBA{f(24), f(16), f(8), f(0)}, known(err == nil)
}

func known(ok bool) ColorState {
	if ok {
		return Known
	}
	return Invalid
}

func namedColor(name string, current RGBA) (RGBA, ColorState) {
	switch name {
	case "transparent":
		return RGBA{}, Known
	case "currentcolor":
		return current, Known
	case "inherit", "initial", "unset", "revert", "revert-layer":
		return RGBA{}, Unknown // resolved by the caller
	}
	if v, ok := colorNames()[name]; ok {
		return RGBA{float64(v>>16) / 255, float64(v>>8&255) / 255, float64(v&255) / 255, 1}, Known
	}
	return RGBA{}, Invalid
}

// components reads the arguments of a colour function: numbers, percentages of
// scale, angles, and none. The alpha is the fourth.
func components(args []token, scale [3]float64) (v [4]float64, ok bool) {
	v[3] = 1
	var parts [][]token
	if list := split(args); len(list) > 1 {
		parts = list
	} else {
		parts = words(args)
	}
	if len(parts) < 3 || len(parts) > 4 {
		return v, false
	}
	for i, p := range parts {
		s := 1.0
		if i < 3 {
			s = scale[i]
		}
		if len(p) == 1 && p[0].isIdent("none") {
			v[i] = 0
			continue
		}
		c := calculation{ts: p, units: Units{Em: 16, Rem: 16, VW: 13.66, VH: 7.68, Percent: s}, numbers: true}
		v[i], ok = c.value(0)
		if !ok {
			return v, false
		}
	}
	v[3] = clamp(v[3])
	return v, true
}

func clamp(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return max(0, min(1, v))
}

// relativeColor evaluates a colour that is made of another as far as it is transparent.
func relativeColor(args []token) (RGBA, ColorState) {
	for i, t := range args {
		if !t.isDelim("/") {
			continue
		}
		alpha := calculation{ts: trim(args[i+1:]), units: Units{Percent: 1}, numbers: true}
		if v, ok := alpha.value(0); ok && v <= 0 {
			return RGBA{}, Known
		}
	}
	return RGBA{}, Unknown
}

func colorFunction(name string, args []token, current RGBA) (RGBA, ColorState) {
	if a := trim(args); len(a) > 0 && a[0].isIdent("from") {
		return relativeColor(a)
	}
	scales := map[string][3]float64{
		"rgb": {255, 255, 255}, "rgba": {255, 255, 255}, "hsl": {360, 100, 100}, "hsla": {360, 100, 100}, "hwb": {360, 100, 100},
		"lab": {100, 125, 125}, "oklab": {1, 0.4, 0.4}, "lch": {100, 150, 360}, "oklch": {1, 0.4, 360},
	}
	switch name {
	case "color-mix":
		return mixed(args, current)
	case "light-dark":
		if list := split(args); len(list) == 2 {
			return ParseColor(list[0], current)
		}
		return RGBA{}, Invalid
	case "color":
		a := trim(args)
		if len(a) < 2 || a[0].kind != lex.IdentToken {
			return RGBA{}, Invalid
		}
		v, ok := components(a[1:], [3]float64{1, 1, 1})
		if a[0].text == "srgb-linear" {
			v[0], v[1], v[2] = gamma(v[0]), gamma(v[1]), gamma(v[2])
		} else if len(a[0].text) > 3 && a[0].text[:3] == "xyz" {
			return fromXYZ(v), known(ok)
		}
		return RGBA{clamp(v[0]), clamp(v[1]), clamp(v[2]), v[3]}, known(ok)
	}
	scale, ok := scales[name]
	if !ok {
		if name == "var" || name == "env" || name == "attr" || name == "if" || name == "contrast-color" || name == "device-cmyk" {
			return RGBA{}, Unknown
		}
		return RGBA{}, Invalid
	}
	v, ok := components(args, scale)
	if !ok {
		return RGBA{}, Invalid
	}
	c := convert(name, v)
	c.A = v[3]
	return c, Known
}

func convert(name string, v [4]float64) RGBA {
	switch name {
	case "rgb", "rgba":
		return RGBA{R: clamp(v[0] / 255), G: clamp(v[1] / 255), B: clamp(v[2] / 255)}
	case "hsl", "hsla":
		return hsl(v[0], clamp(v[1]/100), clamp(v[2]/100))
	case "hwb":
		w, b := clamp(v[1]/100), clamp(v[2]/100)
		if w+b >= 1 {
			g := w / (w + b)
			return RGBA{R: g, G: g, B: g}
		}
		c := hsl(v[0], 1, 0.5)
		f := func(x float64) float64 { return x*(1-w-b) + w }
		return RGBA{R: f(c.R), G: f(c.G), B: f(c.B)}
	case "lch":
		h := v[2] * math.Pi / 180
		return lab(v[0], v[1]*math.Cos(h), v[1]*math.Sin(h))
	case "lab":
		return lab(v[0], v[1], v[2])
	case "oklch":
		h := v[2] * math.Pi / 180
		return oklab(v[0], v[1]*math.Cos(h), v[1]*math.Sin(h))
	}
	return oklab(v[0], v[1], v[2])
}

func hsl(h, s, l float64) RGBA {
	h = math.Mod(math.Mod(h, 360)+360, 360)
	f := func(n float64) float64 {
		k := math.Mod(n+h/30, 12)
		return l - s*min(l, 1-l)*max(-1, min(k-3, 9-k, 1))
	}
	return RGBA{R: f(0), G: f(8), B: f(4)}
}

func oklab(l, a, b float64) RGBA {
	cube := func(x float64) float64 { return x * x * x }
	x, y, z := cube(l+0.3963377774*a+0.2158037573*b), cube(l-0.1055613458*a-0.0638541728*b), cube(l-0.0894841775*a-1.2914855480*b)
	return fromLinear(4.0767416621*x-3.3077115913*y+0.2309699292*z, -1.2684380046*x+2.6097574011*y-0.3413193965*z, -0.0041960863*x-0.7034186147*y+1.7076147010*z)
}

func lab(l, a, b float64) RGBA {
	fy := (l + 16) / 116
	f := func(t float64) float64 {
		if t*t*t > 216.0/24389 {
			return t * t * t
		}
		return (116*t - 16) * 27 / 24389
	}
	return fromXYZ([4]float64{f(fy+a/500) * 0.9505, f(fy), f(fy-b/200) * 1.089})
}

func fromXYZ(v [4]float64) RGBA {
	x, y, z := v[0], v[1], v[2]
	c := fromLinear(3.2406*x-1.5372*y-0.4986*z, -0.9689*x+1.8758*y+0.0415*z, 0.0557*x-0.2040*y+1.0570*z)
	c.A = v[3]
	return c
}

func fromLinear(r, g, b float64) RGBA {
	return RGBA{R: clamp(gamma(r)), G: clamp(gamma(g)), B: clamp(gamma(b))}
}

// mixed evaluates color-mix(), in sRGB whatever space is asked for.
func mixed(args []token, current RGBA) (RGBA, ColorState) {
	list := split(args)
	if len(list) != 3 {
		return RGBA{}, Invalid
	}
	var colors [2]RGBA
	share := [2]float64{-1, -1}
	for i := range colors {
		var color []token
		for _, w := range words(list[i+1]) {
			if len(w) == 1 && w[0].kind == lex.PercentageToken {
				share[i] = w[0].num / 100
			} else {
				color = w
			}
		}
		c, state := ParseColor(color, current)
		if state != Known {
			return c, state
		}
		colors[i] = c
	}
	switch {
	case share[0] < 0 && share[1] < 0:
		share = [2]float64{0.5, 0.5}
	case share[0] < 0:
		share[0] = 1 - share[1]
	case share[1] < 0:
		share[1] = 1 - share[0]
	}
	sum := share[0] + share[1]
	if sum <= 0 {
		return RGBA{}, Invalid
	}
	p, q := share[0]/sum, share[1]/sum
	a := colors[0].A*p + colors[1].A*q
	mix := func(x, y float64) float64 {
		if a == 0 {
			return 0
		}
		return (x*colors[0].A*p + y*colors[1].A*q) / a
	}
	return RGBA{mix(colors[0].R, colors[1].R), mix(colors[0].G, colors[1].G), mix(colors[0].B, colors[1].B), a * min(1, sum)}, Known
}
