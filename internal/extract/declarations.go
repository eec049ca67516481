package extract

import (
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// style maps CSS property names to values, both in lower case.
type style map[string]string

func declarations(s string) style {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	out := style{}
	for d := range strings.SplitSeq(dropCSSComments(s), ";") {
		name, value, ok := strings.Cut(d, ":")
		if !ok {
			continue
		}
		value = strings.ToLower(strings.TrimSpace(value))
		value = strings.TrimSpace(strings.TrimSuffix(value, "!important"))
		out[strings.ToLower(strings.TrimSpace(name))] = value
	}
	return out
}

var cssComment = text.Pattern(`(?s)/\*.*?(\*/|$)`)

func dropCSSComments(s string) string {
	if !strings.Contains(s, "/*") {
		return s
	}
	return cssComment().ReplaceAllString(s, "")
}

// Offsets in CSS pixels beyond which an element counts as off-screen. Smaller
// ones are layout; negative margins as wide as a column are common.
const (
	offScreen  = -200.0
	farMargins = -900.0
)

var (
	zeroScale    = text.Pattern(`scale[xy3d]*\(\s*0*\.?0*\s*[,)]`)
	farTranslate = text.Pattern(`translate[xy3d]*\([^)]*-\s*\d{3,}(px|%|vw|vh|em|rem)`)
	zeroClip     = text.Pattern(`^(inset\(\s*(100|[5-9]\d)%|circle\(\s*0|polygon\(\s*0(px|%)?\s+0(px|%)?\s*,\s*0(px|%)?\s+0)`)
	zeroRect     = text.Pattern(`^rect\(\s*[01](px)?[\s,]+[01](px)?[\s,]+[01](px)?[\s,]+[01](px)?\s*\)`)
	zeroFilter   = text.Pattern(`opacity\(\s*0(\.0*)?%?\s*\)`)
)

// hide reports whether these declarations alone make text unreadable.
func (s style) hide() bool {
	if len(s) == 0 {
		return false
	}
	switch {
	case s["display"] == "none",
		s["visibility"] == "hidden", s["visibility"] == "collapse",
		s["content-visibility"] == "hidden",
		zeroScale().MatchString(s["transform"]), farTranslate().MatchString(s["transform"]), s["scale"] == "0",
		zeroClip().MatchString(s["clip-path"]), zeroRect().MatchString(s["clip"]),
		zeroFilter().MatchString(s["filter"]):
		return true
	}
	if v, ok := number(s["opacity"]); ok && v <= 0.05 {
		return true
	}
	if v, ok := pixels(s["font-size"]); ok && v < 2 {
		return true
	}
	return s.outside() || s.boxedIn() || s.colourless()
}

func (s style) outside() bool {
	below := func(limit float64, names ...string) bool {
		for _, name := range names {
			if v, ok := pixels(s[name]); ok && v <= limit {
				return true
			}
		}
		return false
	}
	if below(offScreen, "text-indent") || below(farMargins, "margin-left", "margin-top", "margin-right", "margin-bottom") {
		return true
	}
	p := s["position"]
	return (p == "absolute" || p == "fixed" || p == "relative") && below(offScreen, "left", "top", "right", "bottom")
}

func (s style) boxedIn() bool {
	if o := s["overflow"]; o != "hidden" && o != "clip" {
		return false
	}
	for _, name := range []string{"width", "height", "max-width", "max-height"} {
		if v, ok := pixels(s[name]); ok && v <= 1 {
			return true
		}
	}
	return false
}

// colourless reports whether text is transparent, or has the background colour of
// the same declarations.
func (s style) colourless() bool {
	ink := s["color"]
	if ink == "transparent" || s["-webkit-text-fill-color"] == "transparent" && s["background-clip"]+s["-webkit-background-clip"] == "" {
		return true
	}
	if alpha := alphaOf(ink); alpha >= 0 && alpha <= 0.05 {
		return true
	}
	fore, ok := parseColour(ink)
	if !ok {
		return false
	}
	for _, name := range []string{"background-color", "background"} {
		if back, ok := parseColour(s[name]); ok && fore.near(back) {
			return true
		}
	}
	return false
}

var length = text.Pattern(`^([-+]?\d*\.?\d+)\s*(px|pt|pc|em|rem|ex|ch|vw|vh|cm|mm|in|%)?$`)

// pixels converts a length to approximate CSS pixels: an em is 16 px, a positive
// percentage is relative to the font size, a negative one to a box of 200 px.
func pixels(s string) (float64, bool) {
	m := length().FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return 0, false
	}
	factor := map[string]float64{"": 1, "px": 1, "pt": 1.33, "pc": 16, "em": 16, "rem": 16, "ex": 8, "ch": 8,
		"vw": 10, "vh": 10, "cm": 38, "mm": 3.8, "in": 96, "%": 2}[m[2]]
	if m[2] == "%" && v > 0 {
		factor = 0.16
	}
	return v * factor, true
}

func number(s string) (float64, bool) {
	percent := strings.HasSuffix(s, "%")
	v, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
	if percent {
		v /= 100
	}
	return v, err == nil
}

// colour is red, green and blue, 0 to 255.
type colour [3]int

// near reports whether two colours are hard to tell apart.
func (c colour) near(d colour) bool {
	sum := 0
	for i := range c {
		sum += max(c[i]-d[i], d[i]-c[i])
	}
	return sum <= 24
}

var (
	hexColour = text.Pattern(`#([0-9a-f]{3,8})\b`)
	rgbColour = text.Pattern(`rgba?\(\s*(\d{1,3})\s*[,\s]\s*(\d{1,3})\s*[,\s]\s*(\d{1,3})\s*(?:[,/]\s*([\d.]+%?)\s*)?\)`)
	hslWhite  = text.Pattern(`hsla?\([^)]*[,\s]100%\s*[,/)]`)
	colourful = map[string]colour{
		"white": {255, 255, 255}, "black": {}, "snow": {255, 250, 250}, "ivory": {255, 255, 240},
		"whitesmoke": {245, 245, 245}, "ghostwhite": {248, 248, 255}, "floralwhite": {255, 250, 240},
		"red": {255, 0, 0}, "green": {0, 128, 0}, "blue": {0, 0, 255}, "yellow": {255, 255, 0},
		"gray": {128, 128, 128}, "grey": {128, 128, 128},
	}
)

// parseColour finds a colour in a value such as "#fff" or "url(x) white".
func parseColour(s string) (colour, bool) {
	s = strings.ToLower(s)
	if m := hexColour().FindStringSubmatch(s); m != nil {
		return fromHex(m[1])
	}
	if m := rgbColour().FindStringSubmatch(s); m != nil {
		var c colour
		for i := range c {
			c[i], _ = strconv.Atoi(m[i+1])
		}
		return c, true
	}
	if hslWhite().MatchString(s) {
		return colourful["white"], true
	}
	for word := range strings.FieldsSeq(s) {
		if c, ok := colourful[word]; ok {
			return c, true
		}
	}
	return colour{}, false
}

func fromHex(h string) (colour, bool) {
	if len(h) == 3 || len(h) == 4 {
		h = string([]byte{h[0], h[0], h[1], h[1], h[2], h[2]})
	}
	if len(h) < 6 {
		return colour{}, false
	}
	v, err := strconv.ParseUint(h[:6], 16, 32)
	return colour{int(v >> 16), int(v >> 8 & 255), int(v & 255)}, err == nil
}

// alphaOf returns the alpha of a colour, 0 to 1, or -1 if it has none.
func alphaOf(s string) float64 {
	m := rgbColour().FindStringSubmatch(s)
	if m == nil || m[4] == "" {
		return -1
	}
	v, ok := number(m[4])
	if !ok {
		return -1
	}
	return v
}
