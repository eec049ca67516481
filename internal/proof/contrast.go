package proof

import (
	"slices"
	"strings"
)

// Words that set what follows against what stands before.
var contrasts = wordSet("whereas conversely while but however contrast instead")

// segments splits a statement at the ends of sentences and where a contrast begins.
func (s *statement) segments() []clause {
	var out []clause
	start := 0
	for i := 1; i < len(s.words); i++ {
		if (contrasts[s.words[i].text] || endsSentence(s.between(i)) || strings.Contains(s.between(i), ";")) && s.hasContent(start, i) {
			out = append(out, clause{from: start, to: i})
			start = i
		}
	}
	return append(out, clause{from: start, to: len(s.words)})
}

// contrasted reports whether q is set against p, the part before it: by a word, or
// because both speak of two things of one kind ("an unused variable … an unused
// import").
func (s *statement) contrasted(p, q clause) bool {
	for _, w := range s.words[q.from:min(q.to, q.from+2)] {
		if contrasts[w.text] {
			return true
		}
	}
	return s.kindred(p, q)
}

// kindred reports whether two parts have the same attribute before different words.
func (s *statement) kindred(p, q clause) bool {
	for i := p.from; i+1 < p.to; i++ {
		for j := q.from; j+1 < q.to; j++ {
			if s.words[i].stem == s.words[j].stem && !s.words[i].stop && s.words[i+1].stem != s.words[j+1].stem && !s.words[i+1].stop && !s.words[j+1].stop &&
				!s.hasStem(q.from, q.to, s.words[i+1].stem) && !s.hasStem(p.from, p.to, s.words[j+1].stem) {
				return true
			}
		}
	}
	return false
}

// mixed finds a claim that says of one side of a contrast what the source says of
// the other.
func mixed(a *alignment, _ context) []finding {
	for n, parts := range [][]clause{a.source.segments(), a.source.parallel()} {
		if a.mixesAny(parts, n == 1) {
			return []finding{{grave: true, why: "the source says this of something else"}}
		}
	}
	return nil
}

// parallel are the clauses of a list of statements of one form, with subjects of
// their own: "A has the x port, B has the y port, and C has the z port".
func (s *statement) parallel() []clause {
	var out []clause
	for _, c := range s.clauses {
		if len(out) > 0 && (endsSentence(s.between(c.from)) || !s.akin(out[len(out)-1], c)) {
			if len(out) >= 3 {
				return out
			}
			out = nil
		}
		first := s.words[c.from].text
		if len(out) > 0 && (s.subjectless(c) || openers[first] || relatives[first] || clauseWords[first]) {
			continue
		}
		out = append(out, c)
	}
	if len(out) < 3 {
		return nil
	}
	return out
}

// akin reports whether two clauses have a word of content in common.
func (s *statement) akin(a, b clause) bool {
	return slices.ContainsFunc(s.content(a), func(i int) bool { return s.hasStem(b.from, b.to, s.words[i].stem) })
}

func (a *alignment) mixesAny(parts []clause, listed bool) bool {
	for _, cc := range a.claim.clauses {
		words := a.claim.content(cc)
		if len(words) < 2 {
			continue
		}
		for k := 0; k+1 < len(parts); k++ {
			if (listed || a.source.contrasted(parts[k], parts[k+1])) && a.mixes(words, parts[k], parts[k+1]) {
				return true
			}
		}
	}
	return false
}

// mixes reports whether the first word of the claim is only in one part of the
// source, and the others that distinguish the parts only in the other part.
func (a *alignment) mixes(words []int, p, q clause) bool {
	kindred := a.source.kindred(p, q)
	if a.source.subjectless(q) && !kindred {
		return false
	}
	one, two := a.source.content(p), a.source.content(q)
	side := func(i int) int {
		in, other := a.common([]int{i}, one) > 0, a.common([]int{i}, two) > 0
		switch {
		case in && !other:
			return 1
		case other && !in:
			return 2
		}
		return 0
	}
	referring := slices.ContainsFunc(a.source.words[q.from:q.to], func(w word) bool { return pronouns[w.text] })
	subject := 0
	for _, i := range words[:min(len(words), 3)] {
		if subject = side(i); subject != 0 {
			words = words[slices.Index(words, i)+1:]
			break
		}
	}
	if subject == 0 || subject == 1 && referring && !kindred {
		return false
	}
	with, against := 0, 0
	for _, i := range words {
		switch s := side(i); {
		case s == subject:
			with++
		case s != 0:
			against++
		}
	}
	return against > with
}

// "but not …", "and then …" go on with the subject.
var (
	continuing = wordSet("but and or yet")
	continued  = wordSet("not never also then still only")
)

// subjectless reports whether a part of a contrast speaks of the same subject as
// the part before: "but it", "while they".
func (s *statement) subjectless(c clause) bool {
	if c.from+1 < c.to && continuing[s.words[c.from].text] && continued[s.words[c.from+1].text] {
		return true
	}
	for i := c.from; i < min(c.to, c.from+4); i++ {
		w := s.words[i]
		if pronouns[w.text] && w.text != "i" || auxiliaries[w.text] || modals[w.text] != factual {
			return true
		}
		if !w.stop {
			return false
		}
	}
	return true
}

// unlikes finds a claim that says of the one what the source says of the other in
// "x, unlike y, does …".
func unlikes(a *alignment, _ context) []finding {
	for i, w := range a.source.words {
		if w.text != "unlike" {
			continue
		}
		var other []int
		end := i + 1
		for ; end < len(a.source.words) && (end == i+1 || !strings.ContainsAny(a.source.between(end), ",;.")); end++ {
			if !a.source.words[end].stop {
				other = append(other, end)
			}
		}
		var rest []int
		for j := a.source.sentenceStart(i); j < len(a.source.words) && (j <= i || !endsSentence(a.source.between(j))); j++ {
			if (j < i || j >= end) && !a.source.words[j].stop {
				rest = append(rest, j)
			}
		}
		claimed := a.claim.content(clause{from: 0, to: len(a.claim.words)})
		denied := slices.ContainsFunc(a.claim.clauses, func(c clause) bool { return len(c.denials) > 0 })
		if len(rest) < 2 || len(claimed) < 2 || denied || a.common(claimed[:1], other) == 0 || a.common(claimed, rest[:1]) > 0 {
			continue
		}
		if a.common(claimed[1:], rest)*2 > len(claimed)-1 {
			return []finding{{grave: true, why: "the source says that it is unlike that"}}
		}
	}
	return nil
}

// exclusives finds a claim that lets others do what the source leaves to one: "only
// the owner may …".
func exclusives(a *alignment, _ context) []finding {
	for i, w := range a.source.words {
		if w.text != "only" || i > 0 && a.source.words[i-1].text == "not" {
			continue
		}
		sc := a.source.clauses[w.clause]
		verb := -1
		for j := i + 1; j < sc.to && verb < 0; j++ {
			if modals[a.source.words[j].text] != factual || beForms[a.source.words[j].text] {
				verb = j
			}
		}
		if verb < 0 || verb > i+5 {
			continue
		}
		one, act := a.source.content(clause{from: i, to: verb}), a.source.content(clause{from: verb, to: sc.to})
		for _, cc := range a.claim.clauses {
			words := a.claim.content(cc)
			if len(one) > 0 && len(act) > 0 && len(cc.denials) == 0 && a.common(words, act) >= (len(act)+1)/2 && a.common(words, one) == 0 {
				return []finding{{grave: true, why: "the source says: " + a.source.text[w.start:a.source.words[verb].start]}}
			}
		}
	}
	return nil
}

// bindings finds a claim that binds a word to one of two opposites that the source
// binds to the other: "insulin raises" for "lowering (insulin) or raising (…)".
func bindings(a *alignment, _ context) []finding {
	for _, units := range [][]clause{a.source.clauses, a.source.segments(), a.source.sentences()} {
		if len(units) < 2 {
			continue
		}
		for _, cc := range a.claimUnits() {
			if why, ok := a.bound(cc, units); ok {
				return []finding{{grave: true, why: why}}
			}
		}
	}
	return nil
}

// claimUnits are the clauses of the claim and, as one of them may depend on another,
// the whole claim.
func (a *alignment) claimUnits() []clause {
	return append([]clause{{from: 0, to: len(a.claim.words)}}, a.claim.clauses...)
}

func (a *alignment) bound(cc clause, units []clause) (string, bool) {
	if a.claim.denied(cc) {
		return "", false
	}
	words := a.claim.content(cc)
	for _, i := range words {
		p := a.claim.words[i]
		up, ok := a.onlyUnit(units, func(o word) bool { return a.same(p, o) >= boundWord })
		if !ok {
			continue
		}
		for _, q := range a.source.words {
			if q.stop || !opposed(p, q) || a.claim.hasStem(cc.from, cc.to, q.stem) {
				continue
			}
			uq, ok := a.onlyUnit(units, func(o word) bool { return o.stem == q.stem })
			if !ok || uq == up {
				continue
			}
			if name, ok := a.sides(words, i, units, up, uq); ok {
				return "the source says " + q.text + ", not " + p.text + ", of " + name, true
			}
		}
	}
	return "", false
}

// onlyUnit returns the unit that has such a word, if just one has.
func (a *alignment) onlyUnit(units []clause, is func(word) bool) (int, bool) {
	found := -1
	for n, u := range units {
		for _, o := range a.source.words[u.from:u.to] {
			if o.stop || !is(o) {
				continue
			}
			if found >= 0 && found != n {
				return 0, false
			}
			found = n
		}
	}
	return found, found >= 0
}

// sides reports whether more of the words, without word i, are in unit against than
// in unit with, and returns one of them.
func (a *alignment) sides(words []int, i int, units []clause, with, against int) (name string, ok bool) {
	n := 0
	for _, k := range words {
		w := a.claim.words[k]
		u, found := a.onlyUnit(units, func(o word) bool { return a.same(w, o) >= boundWord })
		switch {
		case !found || k == i:
		case u == with:
			n--
		case u == against:
			n++
			name = w.text
		}
	}
	return name, n > 0
}

// denied reports whether there is a denial in a range of words.
func (s *statement) denied(c clause) bool {
	return slices.ContainsFunc(s.clauses, func(o clause) bool { return o.from >= c.from && o.to <= c.to && len(o.denials) > 0 })
}

// boundWord is the similarity of words that count as the same where a claim and its
// source are compared part by part.
const boundWord = 0.75

// sentences splits a statement at the ends of sentences.
func (s *statement) sentences() []clause {
	var out []clause
	start := 0
	for i := 1; i < len(s.words); i++ {
		if endsSentence(s.between(i)) || strings.Contains(s.between(i), ";") {
			out = append(out, clause{from: start, to: i})
			start = i
		}
	}
	return append(out, clause{from: start, to: len(s.words)})
}
