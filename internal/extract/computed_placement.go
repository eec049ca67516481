package extract

import (
	"math"

	"github.com/research-mcp/research-mcp/internal/extract/css"
)

// placement judges where an element is drawn: positions, margins and transforms.
func (c *computation) placement() {
	s := c.s
	position := c.get(css.Position).Keyword()
	if position == "fixed" {
		s.x, s.y = 0, 0
	}
	switch position {
	case "absolute", "fixed", "relative", "sticky", "-webkit-sticky":
		c.insets(position)
	}
	u := s.units()
	for _, m := range []struct {
		prop css.Prop
		to   *float64
	}{{css.MarginLeft, &s.mx}, {css.MarginRight, &s.mx}, {css.MarginTop, &s.my}, {css.MarginBottom, &s.my},
		{css.PaddingLeft, &s.mx}, {css.PaddingTop, &s.my}} {
		if v, ok := c.length(m.prop, u); ok && v < 0 {
			*m.to += v
		} else if ok && v > 3*screenWidth && m.prop != css.MarginRight && m.prop != css.MarginBottom {
			*m.to -= v // pushed out at the other side
		}
	}
	if v := c.get(css.OffsetPath); !v.Empty() && v.Keyword() != "none" {
		c.hide(doubtful) // it may be anywhere
	}
	c.transforms()
	c.within(position)
	if z, ok := c.get(css.ZIndex).Length(u, true); ok && z < 0 && position != "" && position != "static" && s.behind {
		c.hide(hidden)
	}
	if position != "" && position != "static" && c.get(css.ZIndex).Keyword() == "" && c.st.Set(css.ZIndex) {
		s.behind = false // a stacking context
	}
	switch {
	case s.x <= offScreen, s.y <= offScreen, s.mx <= farMargin, s.my <= farMargin, s.x+s.mx <= farMargin, s.y+s.my <= farMargin:
		c.hide(hidden)
	case s.x >= screenWidth, s.y >= farBelow, position == "fixed" && s.y >= screenHeight:
		c.hide(hidden)
	}
}

// insets adds the offsets of a positioned element.
func (c *computation) insets(position string) {
	s := c.s
	out := position == "absolute" || position == "fixed"
	for _, side := range []struct {
		prop    css.Prop
		to      *float64
		sign    float64
		percent float64
	}{{css.Left, &s.x, 1, screenWidth}, {css.Top, &s.y, 1, screenHeight}, {css.Right, &s.x, -1, screenWidth}, {css.Bottom, &s.y, -1, screenHeight}} {
		u := s.units()
		u.Percent = side.percent
		v, ok := c.length(side.prop, u)
		if !ok {
			continue
		}
		if value := c.get(side.prop); value.Percent() {
			share := v / side.percent
			switch {
			case share <= -0.99 || share >= 0.99 && position == "fixed" || share >= 1.99:
				c.hide(hidden)
			case share >= 0.99 && out:
				c.hide(doubtful) // a menu or a tooltip beside its parent
			}
			continue
		}
		switch {
		case side.sign > 0:
			*side.to += v
		case v < 0 || !out:
			*side.to -= v
		case v > 1.1*screenWidth: // its far edge is beyond the screen
			*side.to -= v
		case position == "fixed" && v >= side.percent:
			*side.to -= v
		}
	}
}

func (c *computation) transforms() {
	s := c.s
	if v := c.get(css.Scale); !v.Empty() {
		f := 1.0
		for _, l := range v.Lengths(css.Units{Percent: 1}) {
			f = min(f, math.Abs(l))
		}
		s.scale *= f
	}
	if v := c.get(css.Zoom); !v.Empty() {
		if f, ok := v.Length(css.Units{Percent: 1}, true); ok && f < 1 {
			s.scale *= max(0, f)
		}
	}
	if v := c.get(css.Translate); !v.Empty() {
		for i, w := range v.Split() {
			c.translate(w, i == 0)
		}
	}
	if v := c.get(css.Rotate); !v.Empty() {
		c.rotateProperty(v)
	}
	v := c.get(css.Transform)
	for _, f := range v.Functions() {
		c.transform(f)
	}
	if s.scale < 0.1 {
		c.hide(hidden)
	}
}

func (c *computation) rotateProperty(v css.Value) {
	ws := v.Split()
	angle, ok := ws[len(ws)-1].Length(css.Units{}, true)
	if !ok || len(ws) == 1 {
		return // about z: it stays visible
	}
	inPlane := ws[0].Keyword() == "z"
	if len(ws) == 4 {
		x, _ := ws[0].Length(css.Units{}, true)
		y, _ := ws[1].Length(css.Units{}, true)
		inPlane = x == 0 && y == 0
	}
	if !inPlane {
		c.turn(angle)
	}
}

// turn judges a rotation about an axis in the plane of the screen.
func (c *computation) turn(degrees float64) {
	cos := math.Cos(degrees * math.Pi / 180)
	switch {
	case math.Abs(cos) < 0.1:
		c.hide(hidden)
	case cos < 0 && c.get(css.BackfaceVisibility).Keyword() == "hidden":
		c.hide(doubtful) // the back of a card that can be turned
	}
}

// translate adds one component of a translation.
func (c *computation) translate(v css.Value, horizontal bool) {
	u := c.s.units()
	u.Percent = 0
	l, ok := v.Length(u, true)
	if !ok {
		c.hide(doubtful)
		return
	}
	if v.Percent() {
		p, _ := v.Length(css.Units{Percent: 100, Em: c.s.fontSize}, true)
		switch share := math.Abs(p); {
		case share >= 150:
			c.hide(hidden)
		case share >= 99:
			c.hide(doubtful)
		}
	}
	c.shifted = c.shifted || l != 0 || v.Percent()
	if horizontal {
		c.s.x += finite(l)
	} else {
		c.s.y += finite(l)
	}
}

func (c *computation) transform(f css.Function) {
	s := c.s
	arg := func(i int) float64 {
		v, ok := f.Arg(i, css.Units{Em: s.fontSize, Percent: 1})
		if !ok && i < f.Len() {
			c.hide(doubtful)
			return 1
		}
		return finite(v)
	}
	name := f.Name
	switch name {
	case "translate", "translate3d", "translatex", "translatey":
		c.translate(f.Value(0), name != "translatey")
		if f.Len() > 1 {
			c.translate(f.Value(1), false)
		}
	case "scale", "scale3d", "scalex", "scaley":
		k := math.Abs(arg(0))
		if f.Len() > 1 {
			k = min(k, math.Abs(arg(1)))
		}
		s.scale *= k
	case "matrix":
		if f.Len() == 6 {
			c.matrix(arg(0), arg(1), arg(2), arg(3), arg(4), arg(5))
		}
	case "matrix3d":
		if f.Len() == 16 {
			c.matrix(arg(0), arg(1), arg(4), arg(5), arg(12), arg(13))
		}
	case "rotatex", "rotatey":
		c.turn(arg(0))
	case "rotate3d":
		if arg(0) != 0 || arg(1) != 0 {
			c.turn(arg(3))
		}
	case "skew", "skewx", "skewy":
		for i := range f.Len() {
			if math.Abs(math.Cos(arg(i)*math.Pi/180)) < 0.1 {
				c.hide(hidden)
			}
		}
	case "rotate", "rotatez", "perspective", "translatez", "scalez":
	default:
		c.hide(doubtful)
	}
}

func (c *computation) matrix(a, b, d, e, tx, ty float64) {
	det := math.Abs(a*e - b*d)
	c.s.scale *= min(1, math.Sqrt(det))
	if math.Hypot(a, b) < 0.1 || math.Hypot(d, e) < 0.1 || det < 0.01 {
		c.hide(hidden)
	}
	c.s.x += tx
	c.s.y += ty
	c.shifted = c.shifted || tx != 0 || ty != 0
}
