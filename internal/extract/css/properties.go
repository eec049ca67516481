package css

import (
	"strings"

	lex "github.com/tdewolff/parse/v2/css"
)

// Prop is a property that can decide whether text is seen.
type Prop uint8

// The properties. Logical and prefixed names map to these, as in a page written
// from left to right.
const (
	noProp Prop = iota
	Display
	Visibility
	Opacity
	FontSize
	Color
	BackgroundColor
	BackgroundImage
	BackgroundClip
	Position
	Top
	Right
	Bottom
	Left
	Width
	Height
	MaxWidth
	MaxHeight
	MinWidth
	MinHeight
	OverflowX
	OverflowY
	Clip
	ClipPath
	Transform
	Translate
	Scale
	Rotate
	Zoom
	TextIndent
	MarginTop
	MarginRight
	MarginBottom
	MarginLeft
	Filter
	MaskImage
	MaskSize
	ContentVisibility
	TextFill
	TextStroke
	TextSecurity
	TextShadow
	LineHeight
	LetterSpacing
	ZIndex
	Transition
	AnimationName
	AnimationFill
	AnimationDuration
	AnimationDelay
	AnimationCount
	AnimationState
	AnimationTiming
	BackfaceVisibility
	ColorScheme
	WhiteSpace
	OffsetPath
	Contain
	GridRows
	PaddingTop
	PaddingRight
	PaddingBottom
	PaddingLeft
	TextDecoration
	Fill
	FillOpacity
	Stroke
	Float
	Columns
	Align // all that place the content of a flexible box or a grid, or the box in it
	Flex
	WritingMode
	Direction
	BlendMode
	AnimationDirection
	AnimationTimeline
	numProps
)

// The shorthands. A value goes to all their properties and is taken apart when it
// is computed, because it may contain var().
var shorthands = map[string][]Prop{
	"font": {FontSize, LineHeight}, "background": {BackgroundColor, BackgroundImage, BackgroundClip},
	"inset": {Top, Right, Bottom, Left}, "margin": {MarginTop, MarginRight, MarginBottom, MarginLeft},
	"overflow": {OverflowX, OverflowY}, "inset-block": {Top, Bottom}, "inset-inline": {Left, Right},
	"margin-block": {MarginTop, MarginBottom}, "margin-inline": {MarginLeft, MarginRight},
	"padding": {PaddingTop, PaddingRight, PaddingBottom, PaddingLeft}, "padding-block": {PaddingTop, PaddingBottom},
	"padding-inline": {PaddingLeft, PaddingRight},
	"all":            {},
}

var propNames = map[string]Prop{
	"display": Display, "visibility": Visibility, "opacity": Opacity, "font-size": FontSize, "color": Color,
	"background-color": BackgroundColor, "background-image": BackgroundImage, "background-clip": BackgroundClip,
	"position": Position, "top": Top, "right": Right, "bottom": Bottom, "left": Left,
	"inset-block-start": Top, "inset-block-end": Bottom, "inset-inline-start": Left, "inset-inline-end": Right,
	"width": Width, "height": Height, "max-width": MaxWidth, "max-height": MaxHeight, "min-width": MinWidth, "min-height": MinHeight,
	"inline-size": Width, "block-size": Height, "max-inline-size": MaxWidth, "max-block-size": MaxHeight,
	"min-inline-size": MinWidth, "min-block-size": MinHeight,
	"overflow-x": OverflowX, "overflow-y": OverflowY, "overflow-inline": OverflowX, "overflow-block": OverflowY,
	"clip": Clip, "clip-path": ClipPath, "transform": Transform, "translate": Translate, "scale": Scale, "rotate": Rotate,
	"zoom": Zoom, "text-indent": TextIndent, "margin-top": MarginTop, "margin-right": MarginRight,
	"margin-bottom": MarginBottom, "margin-left": MarginLeft, "margin-block-start": MarginTop, "margin-block-end": MarginBottom,
	"margin-inline-start": MarginLeft, "margin-inline-end": MarginRight,
	"filter": Filter, "mask": MaskImage, "mask-image": MaskImage, "mask-size": MaskSize,
	"content-visibility": ContentVisibility, "text-fill-color": TextFill, "text-stroke": TextStroke, "text-stroke-width": TextStroke,
	"text-security": TextSecurity, "text-shadow": TextShadow, "line-height": LineHeight, "letter-spacing": LetterSpacing,
	"z-index": ZIndex, "transition": Transition, "will-change": Transition, "transition-property": Transition, "transition-duration": Transition,
	"animation": AnimationName, "animation-name": AnimationName, "animation-fill-mode": AnimationFill,
	"animation-duration": AnimationDuration, "animation-delay": AnimationDelay, "animation-iteration-count": AnimationCount,
	"animation-play-state": AnimationState, "animation-timing-function": AnimationTiming,
	"animation-direction": AnimationDirection, "animation-timeline": AnimationTimeline,
	"backface-visibility": BackfaceVisibility, "color-scheme": ColorScheme, "white-space": WhiteSpace,
	"text-decoration": TextDecoration, "text-decoration-line": TextDecoration,
	"float": Float, "columns": Columns, "column-count": Columns, "column-width": Columns, "flex": Flex, "flex-grow": Flex,
	"align-items": Align, "align-content": Align, "align-self": Align, "justify-content": Align, "justify-items": Align,
	"justify-self": Align, "place-items": Align, "place-content": Align, "place-self": Align, "flex-direction": Align,
	"flex-flow": Align, "flex-wrap": Align, "order": Align, "box-orient": Align, "box-direction": Align,
	"mix-blend-mode": BlendMode, "writing-mode": WritingMode, "direction": Direction,
	"fill": Fill, "fill-opacity": FillOpacity, "stroke": Stroke,
	"offset": OffsetPath, "offset-path": OffsetPath, "contain": Contain, "grid-template-rows": GridRows, "padding-top": PaddingTop,
	"padding-right": PaddingRight, "padding-bottom": PaddingBottom, "padding-left": PaddingLeft, "padding-block-start": PaddingTop,
	"padding-block-end": PaddingBottom, "padding-inline-start": PaddingLeft, "padding-inline-end": PaddingRight,
}

// declaration is a property and its value. For a shorthand, short is its name.
type declaration struct {
	prop      Prop
	short     string
	custom    string // the name of a custom property; prop is noProp
	value     []token
	important bool
}

// parseDeclaration parses a declaration and appends what is relevant of it.
func parseDeclaration(name token, value []token, out []declaration) []declaration {
	value = trim(value)
	d := declaration{value: value}
	if n := len(value); n >= 2 && value[n-1].isIdent("important") {
		for i := n - 2; i >= 0; i-- {
			if value[i].isDelim("!") {
				d.important = true
				d.value = trim(value[:i])
				break
			}
		}
	}
	if strings.HasPrefix(name.raw, "--") {
		d.custom = name.raw
		return append(out, d)
	}
	prop := strings.TrimPrefix(strings.TrimPrefix(name.text, "-webkit-"), "-moz-")
	if list, ok := shorthands[prop]; ok {
		d.short = prop
		for _, p := range list {
			d.prop = p
			if len(d.value) > 0 && (hasVar(d.value) || expand(prop, p, d.value) != nil) {
				out = append(out, d)
			}
		}
		return out
	}
	d.prop = propNames[prop]
	if d.prop == noProp || len(d.value) == 0 || !hasVar(d.value) && !valid(d.prop, d.value) {
		return out
	}
	return append(out, d)
}

func hasVar(ts []token) bool {
	for _, t := range ts {
		if t.kind == lex.FunctionToken && (t.text == "var" || t.text == "env" || t.text == "attr" || t.text == "if") {
			return true
		}
	}
	return false
}

var keywordValues = map[Prop]string{
	Display: " none block inline inline-block flex inline-flex grid inline-grid table table-row table-cell table-column table-row-group" +
		" table-header-group table-footer-group table-column-group table-caption inline-table list-item contents flow flow-root run-in" +
		" ruby ruby-text ruby-base math -webkit-box -webkit-inline-box -webkit-flex -ms-flexbox -ms-grid ",
	Visibility:         " visible hidden collapse ",
	Position:           " static relative absolute fixed sticky -webkit-sticky ",
	OverflowX:          " visible hidden clip scroll auto overlay ",
	OverflowY:          " visible hidden clip scroll auto overlay ",
	ContentVisibility:  " visible hidden auto ",
	BackfaceVisibility: " visible hidden ",
}

// valid reports whether a browser accepts a value, as far as it matters that a
// bad one does not replace a good one.
func valid(p Prop, v []token) bool {
	if isWide(v) {
		return true
	}
	if words := keywordValues[p]; words != "" {
		return v[0].kind == lex.IdentToken && strings.Contains(words, " "+v[0].text+" ")
	}
	switch p {
	case Color, BackgroundColor, TextFill:
		_, state := ParseColor(v, RGBA{})
		return state != Invalid
	case FontSize, Top, Right, Bottom, Left, Width, Height, MaxWidth, MaxHeight, MinWidth, MinHeight,
		MarginTop, MarginRight, MarginBottom, MarginLeft, TextIndent, LetterSpacing, PaddingTop, PaddingRight, PaddingBottom, PaddingLeft:
		if v[0].kind == lex.IdentToken || v[0].kind == lex.FunctionToken {
			return true
		}
		_, ok := lengthOf(v[:1], Units{}, false)
		return ok
	case Opacity, ZIndex, FillOpacity:
		return v[0].kind == lex.NumberToken || v[0].kind == lex.PercentageToken || v[0].kind == lex.FunctionToken || v[0].isIdent("auto")
	}
	return true
}

// isWide reports whether v is a keyword that every property takes.
func isWide(v []token) bool {
	if len(v) != 1 || v[0].kind != lex.IdentToken {
		return false
	}
	switch v[0].text {
	case "inherit", "initial", "unset", "revert", "revert-layer":
		return true
	}
	return false
}

// expand returns the part of a shorthand's value for p, or nil.
func expand(short string, p Prop, v []token) []token {
	if isWide(v) {
		return v
	}
	ws := words(v)
	switch short {
	case "font":
		return expandFont(p, v)
	case "background":
		return expandBackground(p, v)
	case "overflow":
		if len(ws) == 0 {
			return nil
		}
		w := ws[0]
		if p == OverflowY && len(ws) > 1 {
			w = ws[1]
		}
		if !valid(p, w) {
			return nil
		}
		return w
	}
	at := -1
	switch p {
	case Top, MarginTop, PaddingTop:
		at = 0
	case Right, MarginRight, PaddingRight:
		at = 1
	case Bottom, MarginBottom, PaddingBottom:
		at = 2
	case Left, MarginLeft, PaddingLeft:
		at = 3
	}
	if strings.HasSuffix(short, "-block") || strings.HasSuffix(short, "-inline") {
		at = min(1, map[Prop]int{Bottom: 1, Right: 1, MarginBottom: 1, MarginRight: 1, PaddingBottom: 1, PaddingRight: 1}[p])
		if len(ws) == 1 {
			at = 0
		}
	} else if at >= len(ws) {
		at = map[int]int{1: 0, 2: 0, 3: min(1, len(ws)-1)}[at]
	}
	if at < 0 || at >= len(ws) || !valid(p, ws[at]) {
		return nil
	}
	return ws[at]
}

// expandFont finds the size, which is the first length, and what follows a slash.
func expandFont(p Prop, v []token) []token {
	depth := 0
	for i, t := range v {
		if depth == 0 && (t.kind == lex.DimensionToken || t.kind == lex.PercentageToken || t.kind == lex.NumberToken && t.num < 1 ||
			t.kind == lex.FunctionToken || t.kind == lex.IdentToken && fontSizes[t.text] != 0) {
			end := i + 1
			if t.opens() {
				end = min(len(v), i+2+closing(v[i+1:]))
			}
			if p == FontSize {
				return v[i:end]
			}
			rest := trim(v[end:])
			if len(rest) > 1 && rest[0].isDelim("/") {
				rest = trim(rest[1:])
				return rest[:1]
			}
			return nil
		}
		if t.opens() {
			depth++
		} else if t.closes() {
			depth--
		}
	}
	return nil
}

func expandBackground(p Prop, v []token) []token {
	layers := split(v)
	switch p {
	case BackgroundImage:
		return v // searched for images
	case BackgroundClip:
		for _, t := range v {
			if t.isIdent("text") {
				return []token{t}
			}
		}
		return v[:0:0]
	}
	for _, w := range words(layers[len(layers)-1]) {
		if _, state := ParseColor(w, RGBA{}); state != Invalid {
			return w
		}
	}
	return []token{{kind: lex.IdentToken, text: "transparent", raw: "transparent"}}
}
