package css

import lex "github.com/tdewolff/parse/v2/css"

// maxFrames is how many frames of an animation are kept.
const maxFrames = 24

// keyframes are the frames of an animation.
type keyframes struct {
	first, last []declaration // of from and to
	frames      [][]declaration
}

func (s *sheets) readKeyframes(name string, body []token) {
	k := &keyframes{} // a later rule of the same name replaces the earlier one
	for ts := trim(body); len(ts) > 0; ts = trim(ts) {
		head, block, rest, ok := statement(ts)
		ts = rest
		if !ok {
			break
		}
		ds := parseDeclarations(block)
		for _, t := range head {
			switch {
			case t.isIdent("to") || t.kind == lex.PercentageToken && t.num == 100:
				k.last = append(k.last, ds...)
			case t.isIdent("from") || t.kind == lex.PercentageToken && t.num == 0:
				k.first = append(k.first, ds...)
			}
		}
		if len(k.frames) < maxFrames {
			k.frames = append(k.frames, ds)
		}
	}
	s.keyframes[name] = k
}

// Animation is the first animation of a style whose frames the page has.
type Animation struct {
	name            string
	Duration, Delay float64 // seconds
	Infinite        bool
	Paused          bool
	AtEnd           bool // it jumps to its last frame at once
	Before, After   bool // it keeps its first frame before it begins, its last one after its end
}

// Animation returns the animation of a style; ok is false if there is none.
func (c *Cascade) Animation(st *Style) (a Animation, ok bool) {
	if !st.Set(AnimationName) {
		return a, false
	}
	v := st.Get(AnimationName)
	for _, name := range v.Names() {
		if c.sheets.keyframes[name] != nil {
			a.name, ok = name, true
			break
		}
	}
	times := v.seconds()
	for i, to := range []*float64{&a.Duration, &a.Delay} {
		if i < len(times) {
			*to = times[i]
		} else if own := st.Get([]Prop{AnimationDuration, AnimationDelay}[i]).seconds(); len(own) > 0 {
			*to = own[0]
		}
	}
	says := func(p Prop, word string) bool { return v.Has(word) || st.Get(p).Has(word) }
	a.Infinite = says(AnimationCount, "infinite")
	a.Paused = says(AnimationState, "paused")
	a.AtEnd = says(AnimationTiming, "step-start")
	a.After = says(AnimationFill, "forwards") || says(AnimationFill, "both")
	a.Before = says(AnimationFill, "backwards") || says(AnimationFill, "both")
	return a, ok
}

// Frames is the number of an animation's frames that are kept.
func (c *Cascade) Frames(a Animation) int { return len(c.sheets.keyframes[a.name].frames) }

// The frames of Frame that are not counted.
const (
	FirstFrame = -1
	LastFrame  = -2
)

// Frame applies a frame of an animation to a style: one of Frames, FirstFrame or
// LastFrame. It reports whether the frame declares anything.
func (c *Cascade) Frame(a Animation, frame int, out *Style) bool {
	k := c.sheets.keyframes[a.name]
	var ds []declaration
	switch frame {
	case FirstFrame:
		ds = k.first
	case LastFrame:
		ds = k.last
	default:
		ds = k.frames[frame]
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
	return len(ds) > 0
}

// seconds are the times in a value.
func (v Value) seconds() []float64 {
	var out []float64
	for _, t := range v.tokens {
		switch {
		case t.kind != lex.DimensionToken:
		case t.text == "ms":
			out = append(out, t.num/1000)
		case t.text == "s":
			out = append(out, t.num)
		}
	}
	return out
}
