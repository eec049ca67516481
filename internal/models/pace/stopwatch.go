package pace

import "time"

// Stopwatch measures an answer while it arrives.
type Stopwatch struct {
	begun, first, last time.Time
	parts              int
}

// Begin starts a stopwatch.
func Begin() Stopwatch { return Stopwatch{begun: time.Now()} }

// Heard notes a part of the answer, which is about a token.
func (w *Stopwatch) Heard() {
	w.last = time.Now()
	if w.parts++; w.parts == 1 {
		w.first = w.last
	}
}

// Speed returns the speed at which so many tokens of a prompt were read, and written
// tokens were written; if written is 0, the parts are counted. Of an answer that did
// not begin it is a bound.
func (w *Stopwatch) Speed(prompt, written int) Speed {
	const least = 1e-3 // seconds: less is not measured
	if w.parts == 0 {
		rate := float64(prompt) / max(time.Since(w.begun).Seconds(), least)
		return Speed{Read: rate, Write: rate, Bound: true}
	}
	if written == 0 {
		written = w.parts
	}
	return Speed{
		Read:  float64(prompt) / max(w.first.Sub(w.begun).Seconds(), least),
		Write: float64(written) / max(w.last.Sub(w.first).Seconds(), least),
	}
}
