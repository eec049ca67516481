package proof

import (
	"slices"
	"strings"
)

// Words that set what follows against what stands before.
var contrasts = wordSet("whereas conversely while but however although unlike contrast instead")

// segments splits a statement where a contrast begins.
func (s *statement) segments() []clause {
	var out []clause
	start := 0
	for i, w := range s.words {
		begins := contrasts[w.text]
		if w.text == "contrast" {
			begins = i > 0 && (s.words[i-1].text == "in" || s.words[i-1].text == "by")
		}
		if begins && i > start+2 {
			out = append(out, clause{from: start, to: i})
			start = i
		}
	}
	return append(out, clause{from: start, to: len(s.words)})
}

// mixed finds a claim that says of one side of a contrast what the source says of
// the other.
func mixed(a *alignment, _ context) []finding {
	for _, parts := range [][]clause{a.source.segments(), a.source.parallel()} {
		if a.mixesAny(parts) {
			return []finding{{true, "the source says this of something else"}}
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

func (a *alignment) mixesAny(parts []clause) bool {
	for _, cc := range a.claim.clauses {
		words := a.claim.content(cc)
		if len(words) < 2 {
			continue
		}
		for k := 0; k+1 < len(parts); k++ {
			if a.mixes(words, parts[k], parts[k+1]) {
				return true
			}
		}
	}
	return false
}

// mixes reports whether the first word of the claim is only in one part of the
// source, and the others that distinguish the parts only in the other part.
func (a *alignment) mixes(words []int, p, q clause) bool {
	if a.source.subjectless(q) {
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
	if subject == 0 || subject == 1 && referring {
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

// subjectless reports whether a part of a contrast speaks of the same subject as
// the part before: "but it", "while they".
func (s *statement) subjectless(c clause) bool {
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

// bindings finds a claim that binds a word to one of two opposites that the source
// binds to the other: "insulin raises" for "lowering (insulin) or raising (…)".
func bindings(a *alignment, _ context) []finding {
	for _, units := range [][]clause{a.source.clauses, a.source.segments(), a.source.sentences()} {
		if len(units) < 2 {
			continue
		}
		for _, cc := range a.claimUnits() {
			if why, ok := a.bound(cc, units); ok {
				return []finding{{true, why}}
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
	in := func(w word) (int, bool) { // the only unit that has the word
		found := -1
		for n, u := range units {
			for j := u.from; j < u.to; j++ {
				if o := a.source.words[j]; !o.stop && a.same(w, o) >= boundWord {
					if found >= 0 && found != n {
						return 0, false
					}
					found = n
				}
			}
		}
		return found, found >= 0
	}
	words := a.claim.content(cc)
	for _, i := range words {
		p := a.claim.words[i]
		up, ok := in(p)
		if !ok {
			continue
		}
		for _, q := range a.source.words {
			if q.stop || !opposed(p, q) || a.claim.hasStem(cc.from, cc.to, q.stem) {
				continue
			}
			uq, ok := in(q)
			if !ok || uq == up {
				continue
			}
			with, against := 0, 0
			name := ""
			for _, k := range words {
				if u, ok := in(a.claim.words[k]); ok && k != i {
					switch u {
					case up:
						with++
					case uq:
						against++
						name = a.claim.words[k].text
					}
				}
			}
			if against > with {
				return "the source says " + q.text + ", not " + p.text + ", of " + name, true
			}
		}
	}
	return "", false
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
