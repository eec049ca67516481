package extract

import (
	"math"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

// verdict says whether text can be seen.
type verdict int8

const (
	seen     verdict = iota
	doubtful         // something that may hide it is not understood, or a script may show it
	hidden
)

// state is what an element passes on to its children: inherited properties, and
// those that add up over ancestors.
type state struct {
	env        *css.Env
	rootSize   float64
	fontSize   float64
	lineHeight float64 // px; 0 is normal
	color      css.RGBA
	fill       css.RGBA
	hasFill    bool
	invisible  bool // visibility
	masked     bool // text-security
	shadow     bool // a shadow or outline that draws transparent text
	clipped    bool // background-clip: text
	unknown    bool // a colour that is not computed
	authored   bool // the page says a colour; else it may be in a style sheet elsewhere
	spacing    float64
	indent     float64
	nowrap     bool
	clips      bool // overflow of the nearest block
	turned     bool // lines do not run from left to right and downwards
	stacks     bool // blocks in it are one below the other

	backs     []css.RGBA // the colours behind the text; usually one
	backImage bool       // an image is behind it, too
	opacity   float64
	scale     float64
	x, y      float64  // offset of positions and transforms, px
	mx, my    float64  // offset of margins, px
	behind    bool     // an ancestor within the stacking context is opaque: negative z-index hides
	drawing   *drawing // the drawing around it, or nil
	clip      clipBox
	holder    *html.Node // the nearest positioned element around if a cover can cover all in it, or nil
	closed    bool       // it is not shown until a reader or a script shows it
}

// The limits of legibility.
const (
	minFontSize  = 4.0  // px, after scaling
	minOpacity   = 0.1  // cumulated
	minContrast  = 1.25 // below it, text is hidden if the colours are also near each other
	dimContrast  = 1.6  // below it, text is doubtful
	nearColors   = 0.2  // largest difference of a component
	screenWidth  = 1280.0
	screenHeight = 720.0
	offScreen    = -200.0
	farMargin    = -900.0
	farBelow     = 5000.0
	minBox       = 4.0 // px of a box that clips
)

var (
	white = css.RGBA{R: 1, G: 1, B: 1, A: 1}
	black = css.RGBA{A: 1}
	blue  = css.RGBA{B: 0.93, A: 1}
)

func newState(env *css.Env, dark bool) state {
	s := state{env: env, rootSize: 16, fontSize: 16, color: black, backs: []css.RGBA{white}, opacity: 1, scale: 1}
	if dark {
		s.color, s.backs = white, []css.RGBA{{R: 0.07, G: 0.07, B: 0.07, A: 1}}
	}
	return s
}

func (s *state) units() css.Units {
	return css.Units{Em: s.fontSize, Rem: s.rootSize, VW: screenWidth / 100, VH: screenHeight / 100, Percent: screenWidth}
}

// compute applies the style of n to its parent's state. The verdict is about n
// with all its content; text is judged by state.text.
func compute(n *html.Node, parent *state, st *css.Style) (state, verdict) {
	s := *parent
	s.env = st.Env
	c := computation{n: n, st: st, s: &s}
	if n.Namespace == svgSpace {
		c.draw()
		return s, c.worst
	}
	s.drawing = nil
	c.text()
	c.colors()
	c.box()
	c.placement()
	c.effects()
	if c.worst == hidden && c.fades() {
		c.worst = doubtful
		s.opacity = parent.opacity
	}
	return s, c.worst
}

// computation of one element.
type computation struct {
	n       *html.Node
	st      *css.Style
	s       *state
	worst   verdict
	fading  bool // it is hidden by opacity alone
	other   bool // and by something else
	shifted bool
}

func (c *computation) hide(v verdict) {
	c.worst = max(c.worst, v)
	if v == hidden {
		c.other = true
	}
}

// get returns a value; one that is not understood makes the element doubtful.
func (c *computation) get(p css.Prop) css.Value {
	v := c.st.Get(p)
	if v.Opaque {
		c.hide(doubtful)
	}
	return v
}

func (c *computation) length(p css.Prop, u css.Units) (float64, bool) {
	v := c.get(p)
	if v.Empty() {
		return 0, false
	}
	switch v.Keyword() {
	case "auto", "none", "normal", "inherit", "initial", "unset", "revert", "revert-layer", "fit-content", "max-content", "min-content",
		"-webkit-fill-available", "stretch", "-moz-fit-content":
		return 0, false
	}
	l, ok := v.Length(u, false)
	if !ok && v.Keyword() == "" {
		c.hide(doubtful)
	}
	return l, ok
}

// text computes the inherited properties of text.
func (c *computation) text() {
	s, parent := c.s, c.s.fontSize
	if v := c.get(css.FontSize); !v.Empty() {
		switch v.Keyword() {
		case "inherit", "unset", "revert", "revert-layer":
		case "initial":
			s.fontSize = 16
		default:
			if size, ok := v.FontSize(s.units(), parent); ok {
				s.fontSize = max(0, size)
			} else {
				c.hide(doubtful)
			}
		}
	}
	if c.n.DataAtom == atom.Html {
		s.rootSize = s.fontSize
	}
	u := s.units()
	u.Percent = s.fontSize
	if v := c.get(css.LineHeight); !v.Empty() {
		if l, ok := v.Length(u, false); ok {
			s.lineHeight = max(l, 0.01)
		} else if f, ok := v.Length(u, true); ok {
			s.lineHeight = max(f*s.fontSize, 0.01)
		} else {
			s.lineHeight = 0
		}
	}
	switch c.get(css.Visibility).Keyword() {
	case "hidden", "collapse":
		s.invisible = true
	case "visible", "initial":
		s.invisible = false
	}
	if v := c.get(css.TextSecurity); !v.Empty() {
		s.masked = v.Keyword() != "none"
	}
	if v := c.get(css.LetterSpacing); !v.Empty() {
		s.spacing, _ = v.Length(u, false)
	}
	if v := c.get(css.TextIndent); !v.Empty() {
		s.indent = 0
		for _, l := range v.Lengths(s.units()) {
			s.indent += l
		}
	}
	if v := c.get(css.WhiteSpace); !v.Empty() {
		s.nowrap = v.Has("nowrap") || v.Has("pre")
	}
	if v := c.get(css.TextStroke); !v.Empty() && !v.Has("transparent") && v.Keyword() != "0" {
		s.shadow = true
	}
	if v := c.get(css.TextShadow); !v.Empty() {
		s.shadow = drawsText(v, s)
	}
}

func (c *computation) colors() {
	s, n := c.s, c.n
	if c.n.DataAtom == atom.Html {
		if v := c.get(css.ColorScheme); v.Has("dark") && !v.Has("light") {
			s.color, s.backs = white, []css.RGBA{{R: 0.07, G: 0.07, B: 0.07, A: 1}}
		}
	}
	switch {
	case n.DataAtom == atom.A && has(n.Attr, "href"):
		s.color, s.unknown = blue, false
	case n.DataAtom == atom.Mark:
		s.color = black
		s.backs = []css.RGBA{{R: 1, G: 1, A: 1}}
	case n.DataAtom == atom.Font:
		c.hint(attribute(n.Attr, "color"), &s.color)
	case n.DataAtom == atom.Body:
		c.hint(attribute(n.Attr, "text"), &s.color)
	}
	if bg := attribute(n.Attr, "bgcolor"); bg != "" {
		back := s.backs[0]
		c.hint(bg, &back)
		s.backs = []css.RGBA{back}
	}
	c.inherited(css.Color, &s.color, &s.unknown)
	if v := c.get(css.TextFill); !v.Empty() {
		s.hasFill = v.Keyword() != "currentcolor"
		s.fill = s.color
		c.inherited(css.TextFill, &s.fill, &s.unknown)
	}
	c.background()
}

// hint applies a presentational attribute.
func (c *computation) hint(value string, to *css.RGBA) {
	if value == "" {
		return
	}
	if col, ok := css.AttributeColor(value); ok {
		*to, c.s.authored = col, true
	}
}

func (c *computation) inherited(p css.Prop, to *css.RGBA, unknown *bool) {
	v := c.get(p)
	switch v.Keyword() {
	case "inherit", "unset", "revert", "revert-layer":
		return
	case "initial":
		*to = black
		return
	}
	if v.Empty() {
		return
	}
	c.s.authored = true
	switch col, state := v.Color(*to); state {
	case css.Known:
		*to, *unknown = col, false
	case css.Unknown:
		*unknown = true
	}
}

func (c *computation) background() {
	s := c.s
	img := c.get(css.BackgroundImage).Image(s.color)
	if clip := c.get(css.BackgroundClip); clip.Has("text") {
		s.clipped = img.Other
		colors := img.Colors
		if col, state := c.get(css.BackgroundColor).Color(s.color); state == css.Known {
			colors = append(slices.Clone(colors), col)
		} else if state == css.Unknown {
			s.clipped = true
		}
		for _, col := range colors {
			s.clipped = s.clipped || legible(col.Over(s.backs[0]), s.backs[0]) == seen
		}
		return
	}
	if v := c.get(css.BackgroundColor); !v.Empty() {
		switch col, state := v.Color(s.color); state {
		case css.Known:
			backs := make([]css.RGBA, 0, len(s.backs))
			for _, b := range s.backs {
				backs = append(backs, col.Over(b))
			}
			s.backs = backs
			if col.A > 0.95 {
				s.backImage = false
				s.behind = s.behind || c.n.DataAtom != atom.Body && c.n.DataAtom != atom.Html
			}
		case css.Unknown:
			if v.Keyword() == "" {
				s.unknown = true
			}
		}
	}
	if len(img.Colors) > 0 && len(img.Colors) <= 16 {
		backs := make([]css.RGBA, 0, len(img.Colors))
		for _, col := range img.Colors {
			backs = append(backs, col.Over(s.backs[0]))
		}
		s.backs = backs
	}
	s.backImage = s.backImage || img.Other || len(img.Colors) > 16
}

// box judges display and boxes that clip what is in them.
func (c *computation) box() {
	s := c.s
	switch v := c.get(css.Display); {
	case v.Keyword() == "none":
		c.hide(hidden)
	case v.Empty() && !v.Opaque && !c.st.Set(css.Display) && has(c.n.Attr, "hidden"):
		c.hide(hidden)
	}
	if c.get(css.ContentVisibility).Keyword() == "hidden" {
		c.hide(hidden)
	}
	contain := c.get(css.Contain)
	sized := c.st.Set(css.Height) || c.st.Set(css.MinHeight)
	if !sized && (contain.Has("strict") || contain.Has("size")) {
		c.hide(doubtful) // its box has no height
	}
	if !sized && c.get(css.GridRows).IsZero() {
		c.hide(doubtful)
	}
	if v := c.get(css.WritingMode); !v.Empty() {
		s.turned = v.Keyword() != "horizontal-tb"
	}
	s.turned = s.turned || c.get(css.Direction).Keyword() == "rtl" || strings.EqualFold(attribute(c.n.Attr, "dir"), "rtl")
	s.stacks = c.stacks()
	clips := false
	for _, p := range []css.Prop{css.OverflowX, css.OverflowY} {
		switch c.get(p).Keyword() {
		case "hidden", "clip", "scroll", "auto", "overlay":
			clips = true
		}
	}
	if !clips {
		return
	}
	s.clips = true
	w, wok := c.size(css.Width, css.MaxWidth, css.MinWidth, screenWidth)
	h, hok := c.size(css.Height, css.MaxHeight, css.MinHeight, screenHeight)
	c.clipTo()
	if wok && w <= minBox || hok && (h <= minBox || h < s.fontSize*0.4) {
		c.hide(hidden)
	}
	if s.lineHeight > 0 && s.lineHeight < s.fontSize*0.3 {
		c.hide(hidden)
	}
}

// text judges text with this state.
func (s *state) text() verdict {
	size := s.fontSize * s.scale
	switch {
	case s.invisible, s.masked, size < minFontSize, s.opacity < minOpacity,
		s.spacing < 0 && -s.spacing > s.fontSize*0.4,
		s.clip.hides(s), s.indent <= offScreen, s.indent >= screenWidth*0.9 && s.clips, s.indent >= 5*screenWidth:
		return hidden
	}
	ink := s.color
	if s.hasFill {
		ink = s.fill
	}
	if s.shadow || s.clipped {
		return seen
	}
	ink.A *= s.opacity
	if ink.A < minOpacity {
		return hidden
	}
	worst := hidden
	for _, back := range s.backs {
		worst = min(worst, legible(ink.Over(back), back))
	}
	if s.unknown {
		return doubtful
	}
	if s.backImage || !s.authored {
		return min(worst, doubtful)
	}
	return worst
}

func legible(ink, back css.RGBA) verdict {
	contrast, distance := ink.Contrast(back), ink.Distance(back)
	switch {
	case contrast < minContrast && distance < nearColors:
		return hidden
	case contrast < dimContrast && distance < 2*nearColors:
		return doubtful
	}
	return seen
}

func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 1e9
	}
	return v
}
