package proof

import (
	"slices"
	"strings"
)

// finding is a difference between a claim and what a source says.
type finding struct {
	grave bool // the claim says something else; otherwise it is only not certain
	why   string
	// absent says that the source does not speak of it at all, as opposed to saying
	// something else.
	absent bool
}

// rules look for differences. Each returns those that it finds.
var rules = []func(*alignment, context) []finding{
	numbers, names, denials, attributes, moods, quantifiers, sequence, roles, halves, mixed, bindings, couples, unlikes, exclusives,
}

// context is what surrounds the source: its title, its headings and the sentence
// before it, the whole passage, and the sentence behind it.
type context struct {
	nearby   *statement
	document *statement
	after    string
}

// numbers compares figures with their units, and dates.
func numbers(a *alignment, ctx context) []finding {
	var out []finding
	for _, q := range a.claim.quantities {
		if a.hasQuantity(q) || q.one && !a.countsOther(q) {
			continue
		}
		raw := a.claim.text[q.start:q.end]
		switch other, ok := a.rival(q); {
		case ok && a.rivalElsewhere(q):
			out = append(out, finding{grave: true, why: "the source says " + other + ", not " + raw, absent: true})
		case ok:
			elsewhere := !slices.ContainsFunc(a.source.quantities, q.same) && slices.ContainsFunc(ctx.document.quantities, q.same)
			out = append(out, finding{grave: !elsewhere, why: "the source says " + other + ", not " + raw})
		case spelledSmall(raw):
			if !slices.ContainsFunc(ctx.document.quantities, q.same) {
				out = append(out, finding{grave: false, why: "the source does not have the number: " + raw})
			}
		case slices.ContainsFunc(ctx.nearby.quantities, q.same):
		default:
			out = append(out, finding{grave: true, why: "the source does not have: " + raw, absent: true})
		}
	}
	for _, w := range a.claim.words { // 1.2.3 and the like
		if w.number && startsWithDigit(w.text) && !a.claim.measured(w) && !a.source.hasText(w.text) {
			out = append(out, finding{grave: true, why: "the source does not have: " + w.text})
		}
	}
	return out
}

// countsOther reports whether the clause of the source that is nearest to the word
// "one" of the claim has another number.
func (a *alignment) countsOther(q quantity) bool {
	for _, candidates := range a.pairs() {
		p := candidates[0]
		if c, ok := a.claim.clauseAt(q.start); !ok || c.from != p.claim.from || p.overlap < aboutTheSame {
			continue
		}
		return slices.ContainsFunc(a.source.quantities, func(o quantity) bool {
			c, ok := a.source.clauseAt(o.start)
			return ok && c.from == p.source.from && o.dim == "" && !o.one
		})
	}
	return false
}

// spelledSmall reports whether a number is one of the words that also describe:
// "both", "double", "two".
func spelledSmall(raw string) bool {
	return strings.ToLower(raw) != "one" && numberWords[strings.ToLower(raw)] > 0
}

func (s *statement) measured(w word) bool {
	return slices.ContainsFunc(s.quantities, func(q quantity) bool {
		return q.start <= w.start && w.end <= q.end || w.start <= q.start && q.end <= w.end
	})
}

func (s *statement) hasText(t string) bool {
	return slices.ContainsFunc(s.words, func(w word) bool { return w.text == t })
}

// clauseAt returns the clause that the byte offset is in.
func (s *statement) clauseAt(offset int) (clause, bool) {
	for _, c := range s.clauses {
		if s.words[c.from].start <= offset && offset < s.words[c.to-1].end {
			return c, true
		}
	}
	return clause{}, false
}

// hasQuantity reports whether the source has the quantity, in a clause that is not
// about something else.
func (a *alignment) hasQuantity(q quantity) bool {
	cc, ok := a.claim.clauseAt(q.start)
	words := []int{}
	if ok {
		for _, i := range a.claim.content(cc) {
			if !a.claim.words[i].number {
				words = append(words, i)
			}
		}
	}
	found, fits, best := false, 0.0, 0.0
	for _, sc := range a.source.clauses {
		o := a.overlap(words, sc)
		for _, sq := range a.source.quantities {
			if c, in := a.source.clauseAt(sq.start); !in || c.from != sc.from {
				continue
			}
			if q.same(sq) {
				found, fits = true, max(fits, o)
			} else if q.alike(sq) {
				best = max(best, o)
			}
		}
	}
	return found && fits >= best-0.25
}

// rival returns another amount of the same kind that the source has.
func (a *alignment) rival(q quantity) (string, bool) {
	for _, sq := range a.source.quantities {
		if q.alike(sq) && !q.same(sq) && (q.dim != "" || q.unit == sq.unit) {
			return a.source.text[sq.start:sq.end], true
		}
	}
	return "", false
}

// rivalElsewhere reports whether the amounts of the same kind are in clauses that
// say something else than the claim.
func (a *alignment) rivalElsewhere(q quantity) bool {
	cc, ok := a.claim.clauseAt(q.start)
	if !ok {
		return false
	}
	var words []int
	for _, i := range a.claim.content(cc) {
		if !a.claim.words[i].number {
			words = append(words, i)
		}
	}
	for _, sq := range a.source.quantities {
		if sc, in := a.source.clauseAt(sq.start); in && q.alike(sq) && a.overlap(words, sc) >= aboutTheSame {
			return false
		}
	}
	return true
}

// names looks for names that the source does not have.
func names(a *alignment, ctx context) []finding {
	var out []finding
	for _, w := range a.claim.words {
		if !w.name || a.source.hasName(w) || ctx.nearby.hasName(w) {
			continue
		}
		raw := a.claim.text[w.start:w.end]
		if ctx.document.hasName(w) && !a.unclaimedName() {
			out = append(out, finding{grave: false, why: "the passage names " + raw + " in another place"})
			continue
		}
		out = append(out, finding{grave: true, why: "the source does not name: " + raw})
	}
	if w, ok := a.unknownSubject(); ok && !ctx.nearby.hasName(w) && !ctx.document.hasName(w) {
		out = append(out, finding{grave: true, why: "the source does not name: " + a.claim.text[w.start:w.end]})
	}
	return out
}

// unknownSubject returns the first word of the claim if it may be a name: no article
// goes before it, the verb behind it is the source's, and the source names another.
func (a *alignment) unknownSubject() (word, bool) {
	if len(a.claim.words) < 3 {
		return word{}, false
	}
	w, next := a.claim.words[0], a.claim.words[1]
	verb := auxiliaries[next.text] || modals[next.text] != factual || a.claim.inflected(1) && a.sim[1] == 1
	plural := strings.HasSuffix(w.text, "s") || strings.HasSuffix(w.text, "ing")
	return w, verb && !w.stop && !w.name && !w.number && !plural && a.sim[0] < sameWord && a.unclaimedName()
}

// unclaimedName reports whether the source names somebody that the claim does not.
func (a *alignment) unclaimedName() bool {
	return slices.ContainsFunc(a.source.words, func(w word) bool {
		return (w.name || w.start == 0 && !w.stop && startsUpper(a.source.text)) && !a.claim.hasName(w)
	})
}

// hasName reports whether a text has a name or a form of it: Germany and German,
// Mac and macOS, or the initials of its words.
func (s *statement) hasName(w word) bool {
	initials := ""
	for _, o := range s.words {
		if sameName(w.text, o.text) || w.stem == o.stem {
			return true
		}
		if o.name {
			initials += o.text[:1]
		}
	}
	return len(w.text) >= 2 && len(w.text) <= 5 && strings.Contains(initials, w.text)
}

// Bounds within which two words are forms of one name.
const (
	nameRoot   = 4
	nameEnding = 4
)

func sameName(a, b string) bool {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	if n == len(a) && n == len(b) {
		return true
	}
	if n >= 3 && n == min(len(a), len(b)) && max(len(a), len(b))-n <= 2 {
		return true
	}
	return n >= nameRoot && max(len(a), len(b))-n <= nameEnding && n*2 > max(len(a), len(b))
}

// Overlap of two clauses from which on a difference between them counts.
const (
	aboutTheSame = 0.34
	nearlyEqual  = 0.5
)

// denials compares what is negated, opposites counting as negations.
func denials(a *alignment, _ context) []finding {
	var out []finding
	for _, candidates := range a.pairs() {
		if candidates[0].overlap < aboutTheSame || slices.ContainsFunc(candidates, func(p pair) bool { return !p.odd() }) {
			continue
		}
		p := candidates[0]
		if a.comparesBack(p) {
			continue
		}
		why := "only one of claim and quote is negated"
		if len(p.opposites) > 0 {
			why = "the claim has the opposite: " + strings.Join(p.opposites, ", ")
		}
		out = append(out, finding{grave: p.overlap >= nearlyEqual && p.turns() == 1 && !a.source.deniedTwice(p.source), why: why}) // of three one is easily wrong
	}
	return out
}

// comparesBack reports whether both clauses compare two things, in the other order:
// "x wins over y" and "y does not take precedence over x".
func (a *alignment) comparesBack(p pair) bool {
	i, j := a.claim.lastOf(p.claim, comparing), a.source.lastOf(p.source, comparing)
	if i < 0 || j < 0 {
		return false
	}
	left := a.claim.content(clause{from: p.claim.from, to: i})
	return a.common(left, a.source.content(clause{from: j, to: p.source.to})) > 0
}

var comparing = wordSet("over than")

// lastOf returns the last word of a clause that is in the set, or -1.
func (s *statement) lastOf(c clause, set map[string]bool) int {
	for i := c.to - 1; i >= c.from; i-- {
		if set[s.words[i].text] {
			return i
		}
	}
	return -1
}

// deniedTwice reports whether the clause is a condition, and what depends on it is
// negated too: "it fails if it cannot be reached" says what is needed.
func (s *statement) deniedTwice(c clause) bool {
	n := s.words[c.from].clause
	if len(c.denials) == 0 || !openers[s.words[c.from].text] {
		return false
	}
	for _, m := range []int{n - 1, n + 1} {
		if m >= 0 && m < len(s.clauses) && len(s.clauses[m].denials) > 0 && !endsSentence(s.between(s.clauses[max(m, n)].from)) {
			return true
		}
	}
	return false
}

// attributes finds an opposite before the same word: "the newest entry" for "the
// oldest entry".
func attributes(a *alignment, _ context) []finding {
	for i := 0; i+1 < len(a.claim.words); i++ {
		p, head := a.claim.words[i], a.claim.words[i+1]
		if p.stop || head.stop || a.claim.between(i+1) != " " {
			continue
		}
		other := ""
		for j := 0; j+1 < len(a.source.words); j++ {
			q := a.source.words[j]
			if a.source.words[j+1].stem != head.stem {
				continue
			}
			if q.stem == p.stem {
				other = ""
				break
			}
			if !q.stop && opposed(p, q) {
				other = q.text
			}
		}
		if other != "" && !a.negatedHere(i) {
			return []finding{{grave: true, why: "the source says " + other + ", not " + p.text + " " + head.text}}
		}
	}
	return nil
}

// negatedHere reports whether the clause of word i of the claim has a denial.
func (a *alignment) negatedHere(i int) bool {
	return len(a.claim.clauses[a.claim.words[i].clause].denials) > 0
}

// moods compares must, should, may and will.
func moods(a *alignment, _ context) []finding {
	var out []finding
	for _, candidates := range a.pairs() {
		p := candidates[0]
		if p.overlap < aboutTheSame || a.source.deniedTwice(p.source) || slices.ContainsFunc(candidates, func(o pair) bool { return o.overlap >= p.overlap && o.source.mood == p.claim.mood }) {
			continue
		}
		c, s := p.claim.mood, p.source.mood
		why := "the source is not as certain, or obliges to something else"
		switch {
		case c == must && s == may && len(p.source.denials) > 0: // "cannot … without" is a must
		case c == must && (s == may || s == omitted || s == might || s == should), c == certain && s == might,
			(c == omitted || c == may) && s == must && len(p.claim.denials)+len(p.source.denials) == 0, c == omitted && s == should:
			out = append(out, finding{grave: true, why: why})
		case c == factual && (s == might || s == should), c == certain && s == may, c == should && s == must, c == might && s == must:
			out = append(out, finding{grave: false, why: why})
		}
	}
	return out
}

// quantifiers compares all, most, some and only.
func quantifiers(a *alignment, _ context) []finding {
	var out []finding
	for _, candidates := range a.pairs() {
		p := candidates[0]
		if p.overlap < aboutTheSame {
			continue
		}
		c, s := p.claim.amounts, p.source.amounts
		switch {
		case c&every != 0 && s&every == 0 && s&(most|some) != 0, c&most != 0 && s&(most|every) == 0 && s&some != 0,
			c&some != 0 && c&every == 0 && s&every != 0 && s&(some|most) == 0, c&most != 0 && s&most == 0 && s&every != 0,
			c&only != 0 && s&only == 0 && s&(alsoOthers|every|most|some) != 0, s&only != 0 && c&only == 0 && c&(alsoOthers|every) != 0:
			out = append(out, finding{grave: true, why: "the source speaks of another number of cases"})
		case c&only != 0 && s&only == 0, c&every != 0 && s&every == 0 && len(p.source.denials) == 0, c&most != 0 && s&most == 0:
			out = append(out, finding{grave: false, why: "the source does not say of how many it is true"})
		}
	}
	return out
}
