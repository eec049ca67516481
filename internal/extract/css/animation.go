package css

import (
	"math"
	"slices"

	lex "github.com/tdewolff/parse/v2/css"
)

// maxFrames is how many frames of an animation are kept.
const maxFrames = 24

// keyframes are the frames of an animation.
type keyframes struct {
	first, last []declaration   // of from and to
	between     [][]declaration // of the others
	cut         bool            // there are more than maxFrames
	timed       bool            // a frame declares how the next one is reached
}

func (s *sheets) readKeyframes(name string, body []token) {
	k := &keyframes{} // a later rule of the same name replaces the earlier one
	for ts := trim(body); len(ts) > 0; ts = trim(ts) {
		head, block, rest, ok := statement(ts)
		ts = rest
		if !ok {
			break
		}
		k.add(head, parseDeclarations(block))
	}
	s.keyframes[name] = k
}

// add adds the frames that a rule declares. Browsers ignore what is important in one.
func (k *keyframes) add(head []token, ds []declaration) {
	ds = slices.DeleteFunc(ds, func(d declaration) bool { return d.important })
	k.timed = k.timed || slices.ContainsFunc(ds, func(d declaration) bool { return d.prop == AnimationTiming })
	between := false
	for _, t := range head {
		switch {
		case t.isIdent("to") || t.kind == lex.PercentageToken && t.num == 100:
			k.last = append(k.last, ds...)
		case t.isIdent("from") || t.kind == lex.PercentageToken && t.num == 0:
			k.first = append(k.first, ds...)
		case t.kind == lex.PercentageToken:
			between = true
		}
	}
	switch {
	case between && len(k.between) < maxFrames:
		k.between = append(k.between, ds)
	case between:
		k.cut = true
	}
}

// Animation is the animation of a style.
type Animation struct {
	name            string
	Duration, Delay float64 // seconds
	Count           float64 // how often it runs
	Infinite        bool
	Paused          bool
	AtEnd           bool // it jumps to its next frame at once
	Before, After   bool // it keeps its first frame before it begins, its last one after its end
	Between         bool // it has more frames than the first and the last one
	Unclear         bool // it is not known which frame is seen when: it may run backwards
}

// Animation returns the animation of a style; ok is false if there is none, if the page
// does not have its frames, or too many, and if the style has several or one that runs with
// the scrolling.
func (c *Cascade) Animation(st *Style) (a Animation, ok bool) {
	if !st.Set(AnimationName) {
		return a, false
	}
	v := st.Get(AnimationName)
	k := c.frames(v, &a.name)
	if k == nil || k.cut || len(split(v.tokens)) > 1 || st.Set(AnimationTimeline) && st.Get(AnimationTimeline).Keyword() != "auto" {
		return a, false
	}
	a.Between = len(k.between) > 0
	times, numbers := v.seconds(), v.numbers()
	for i, p := range []Prop{AnimationDuration, AnimationDelay} {
		own := times[min(i, len(times)):]
		if st.animates(p) {
			own = st.Get(p).seconds()
		}
		if len(own) > 0 {
			*[]*float64{&a.Duration, &a.Delay}[i] = own[0]
		}
	}
	says := func(p Prop, word string) bool {
		if st.animates(p) {
			return st.Get(p).Has(word)
		}
		return v.Has(word)
	}
	if st.animates(AnimationCount) {
		numbers = st.Get(AnimationCount).numbers()
	}
	a.Count = 1
	if len(numbers) > 0 {
		a.Count = numbers[0]
	}
	a.Infinite = says(AnimationCount, "infinite")
	a.Paused = says(AnimationState, "paused")
	a.AtEnd = says(AnimationTiming, "step-start") && !k.timed
	a.After = says(AnimationFill, "forwards") || says(AnimationFill, "both")
	a.Before = says(AnimationFill, "backwards") || says(AnimationFill, "both")
	for _, word := range []string{"reverse", "alternate", "alternate-reverse"} {
		a.Unclear = a.Unclear || says(AnimationDirection, word)
	}
	a.Unclear = a.Unclear || a.Delay < 0 || a.Count < 1 || a.Count != math.Trunc(a.Count)
	return a, true
}

// frames returns the frames of the first animation of a style that the page has, and its
// name.
func (c *Cascade) frames(v Value, name *string) *keyframes {
	for _, *name = range v.Names() {
		if k := c.sheets.keyframes[*name]; k != nil {
			return k
		}
	}
	return nil
}

// animates reports whether the declaration of a property of animations applies beside that
// of the animation: a shorthand replaces those before it.
func (s *Style) animates(p Prop) bool {
	if !s.set[p].present {
		return false
	}
	v := s.Get(AnimationName)
	return len(v.Split()) < 2 || !beats(s.set[AnimationName], s.set[p])
}

// Frames is the number of frames between the first and the last one.
func (c *Cascade) Frames(a Animation) int { return len(c.sheets.keyframes[a.name].between) }

// The frames of Frame that are not counted.
const (
	FirstFrame = -1
	LastFrame  = -2
)

// Frame applies a frame of an animation to a style: one of Frames, FirstFrame or
// LastFrame. What is declared as important stays.
func (c *Cascade) Frame(a Animation, frame int, out *Style) {
	k := c.sheets.keyframes[a.name]
	var ds []declaration
	switch frame {
	case FirstFrame:
		ds = k.first
	case LastFrame:
		ds = k.last
	default:
		ds = k.between[frame]
	}
	out.Ended = true
	for _, d := range ds {
		old := &out.set[d.prop]
		if d.prop == noProp || old.present && old.hi >= importantBit {
			continue
		}
		if !old.present {
			out.used = append(out.used, d.prop)
		}
		*old = winner{value: d.value, short: d.short, present: true}
	}
}

// numbers are the numbers in a value, outside of functions.
func (v Value) numbers() []float64 {
	var out []float64
	for _, w := range words(v.tokens) {
		if len(w) == 1 && w[0].kind == lex.NumberToken {
			out = append(out, w[0].num)
		}
	}
	return out
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
