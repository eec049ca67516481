package text

import (
	"slices"
	"strings"
)

// Sides are the two things that a question compares.
type Sides struct {
	Names []string
	terms [][]string // the stems of each that no other has
}

// Each pattern's groups are the sides, of which those that did not take part are empty.
var asksSides = Pattern(`(?i)` +
	`\bbetween (.+?) and (.+?)(?: (?:in|for|when|with|of) .+)?\s*[?.!]*$` +
	`|\b(?:entre|tra|fra) (.+?) (?:e|y|et) (.+?)\s*[?.!]*$|\bzwischen (.+?) und (.+?)\s*[?.!]*$` +
	`|\bhow (?:do|does|is|are) (.+?) (?:differ from|different from|compared? (?:to|with)) (.+?)\s*[?.!]*$` +
	`|\bhow (?:do|are) (.+?) and (.+?) (?:differ|different|compare)\b` +
	`|\b(?:when|why|where|should I|do I|would I|shall I) (?:do I |should I |would I |to |can I )?(?:take|use|choose|pick|prefer|need|want) (.+?) (?:and when|or|instead of|rather than|over|and not) (.+?)\s*[?.!]*$` +
	`|^(?:is|are) (.+?) (?:better|faster|slower|safer|newer|older|bigger|smaller|other|the same as|cheaper) (?:than |as )?(.+?)\s*[?.!]*$` +
	`|^(?:which|what|who)\b.*[,:] (.+?) or (.+?)\s*[?.!]*$` +
	`|^(.+?) (?:or|vs\.?|versus|and) (.+?)\s*[,:;.?–-]+ .*\b(?:differen\w*|apart|which|better|choose|compare\w*)\b` +
	`|^(?:compare )?(.+?) (?:vs\.?|versus|compared (?:to|with)) (.+?)\s*[?.!]*$` +
	`|^compare (.+?) (?:and|with|to) (.+?)\s*[?.!]*$` +
	`|^(.+?)と(.+?)の(?:違い|差)`)

// longestSide is in words.
const longestSide = 6

// SidesOf returns the things that a question compares, or nil.
func SidesOf(question string) *Sides {
	m := asksSides().FindStringSubmatch(strings.TrimSpace(question))
	if m == nil {
		return nil
	}
	s := &Sides{}
	for _, name := range m[1:] {
		if name = strings.TrimSpace(name); name != "" {
			s.Names = append(s.Names, name)
		}
	}
	if len(s.Names) != 2 || len(strings.Fields(s.Names[0])) > longestSide || len(strings.Fields(s.Names[1])) > longestSide {
		return nil
	}
	x, y := sideTerms(s.Names[0], false), sideTerms(s.Names[1], false)
	switch one := strings.HasSuffix(strings.ToLower(s.Names[1]), " one"); {
	case one && len(x) > 1: // "a Markdown template and a JavaScript one"
		x, y = x[:len(x)-1], without(y, []string{"one"})
	case len(y) == len(x)+1 && len(x) > 0 && strings.Contains(question, s.Names[0]+" and "): // "a red and a green wire"
		y = y[:len(y)-1]
	}
	s.terms = [][]string{without(x, y), without(y, x)}
	if len(s.terms[0]) == 0 || len(s.terms[1]) == 0 { // names such as PUT are function words elsewhere
		x, y = sideTerms(s.Names[0], true), sideTerms(s.Names[1], true)
		s.terms = [][]string{without(x, y), without(y, x)}
	}
	if len(s.terms[0]) == 0 || len(s.terms[1]) == 0 {
		return nil
	}
	return s
}

// sideTerms returns the stems of a name, with or without function words.
func sideTerms(name string, all bool) []string {
	var out []string
	for _, t := range Tokenize(name) {
		if all && len(t.Word) > 1 || !t.Stop {
			out = append(out, t.Term)
		}
	}
	return out
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(t string) bool { return slices.Contains(b, t) })
}

// In reports which sides s names: with all their words, or two of three. A nil Sides is
// in no text.
func (d *Sides) In(s string) []bool {
	if d == nil {
		return nil
	}
	have := map[string]bool{}
	for _, t := range Tokenize(s) {
		have[t.Term] = true
		for _, o := range OtherForms(s, t, "") {
			have[o] = true
		}
	}
	out := make([]bool, len(d.terms))
	for i, terms := range d.terms {
		n := 0
		for _, t := range terms {
			if have[t] {
				n++
			}
		}
		out[i] = 3*n >= 2*len(terms)
	}
	return out
}

// Has reports whether a stem is of a side's name alone.
func (d *Sides) Has(term string) bool {
	return d != nil && slices.ContainsFunc(d.terms, func(terms []string) bool { return slices.Contains(terms, term) })
}

// Alone returns the index of the only side that s names, or -1.
func (d *Sides) Alone(s string) int {
	at := -1
	for i, in := range d.In(s) {
		if in && at >= 0 {
			return -1
		}
		if in {
			at = i
		}
	}
	return at
}
