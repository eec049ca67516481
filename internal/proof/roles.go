package proof

import (
	"slices"
	"strings"
)

// Verbs and relations that hold in both directions.
var symmetric = wordSet(`differ differs equal equals same similar between compared meet meets met marry married resemble connect connected
	and or beside linked related adjacent border borders agree`)

// roles finds who does what to whom turned round: the subject of a verb of the claim
// is behind the same verb in the source, and the source's subject behind the claim's.
func roles(a *alignment, _ context) []finding {
	for i, w := range a.claim.words {
		if a.outranked(i) || beForms[w.text] && a.identified(i) {
			return []finding{{grave: true, why: "the source has it the other way round: " + w.text}}
		}
		pivot := pivots[w.text]
		if !pivot && (w.stop || w.number || !a.claim.verb(i)) || symmetric[w.text] {
			continue
		}
		for j, o := range a.source.words {
			if o.stem != w.stem || a.source.compound(j) {
				continue
			}
			if pivot && a.exchanged(i, j) || !pivot && a.source.verb(j) && a.turnedAround(i, j) {
				return []finding{{grave: true, why: "the source has it the other way round: " + w.text}}
			}
		}
	}
	return nil
}

// identified reports whether the claim says "x is the n of y" where the source says
// "y is the n of x".
func (a *alignment) identified(i int) bool {
	for j, o := range a.source.words {
		if !beForms[o.text] || o.text == "be" || o.text == "been" {
			continue
		}
		cl, cr := a.claim.roles(i)
		sl, sr := a.source.roles(j)
		if len(cl) > 0 && len(sl) > 0 && a.common(cl, sl) == 0 && a.common(cl, sr) > 0 && a.onlyCommon(cr, sl, sr) > 0 && a.common(cr, sr) > 0 &&
			a.claim.lesser(a.claim.clauses[a.claim.words[i].clause]) == a.source.lesser(a.source.clauses[o.clause]) {
			return true
		}
	}
	return false
}

// outranked reports whether word i of the claim is the "over" of "x takes priority
// over y", and the source lets y take it.
func (a *alignment) outranked(i int) bool {
	if !comparing[a.claim.words[i].text] || i == 0 {
		return false
	}
	cc := a.claim.clauses[a.claim.words[i].clause]
	left, right := a.claim.unbound(clause{from: cc.from, to: i - 1}), a.claim.next(i, cc)
	if len(left) == 0 || len(right) == 0 {
		return false
	}
	for j, o := range a.source.words {
		sc := a.source.clauses[o.clause]
		if o.stop || o.stem != a.claim.words[i-1].stem || a.source.lastOf(sc, comparing) >= 0 {
			continue
		}
		subject, _ := a.source.roles(j)
		subject = a.source.untilVerb(subject)
		if a.common(right, subject)*len(left) > a.common(left, subject)*len(right) {
			return true
		}
	}
	return false
}

// untilVerb cuts a subject at the first auxiliary behind it.
func (s *statement) untilVerb(words []int) []int {
	for n, i := range words {
		if i+1 < len(s.words) && (auxiliaries[s.words[i+1].text] || modals[s.words[i+1].text] != factual) {
			return words[:n+1]
		}
	}
	return words
}

// compound reports whether word j is joined to another by a hyphen.
func (s *statement) compound(j int) bool {
	return j > 0 && s.between(j) == "-" || j+1 < len(s.words) && s.between(j+1) == "-"
}

var (
	determiners  = wordSet("the a an this that these those his her its their our your my no each every any some all such")
	prepositions = wordSet("in on at during after before by for of with without from to into over under through between among within since until as like unlike than about against per via")
	// pivots are words between two parts whose exchange changes the meaning.
	pivots = wordSet("than over with from to into instead")
)

// verb reports whether word i may be a verb: it has something before it, which is
// no article and no preposition.
func (s *statement) verb(i int) bool {
	if i == 0 {
		return false
	}
	before := s.words[i-1].text
	if determiners[before] && before != "that" && before != "this" || prepositions[before] && before != "to" || before == "and" || before == "or" {
		return false
	}
	if beForms[before] {
		return s.participle(i) || strings.HasSuffix(s.words[i].text, "ing")
	}
	return !strings.HasSuffix(s.words[i].text, "s") || !s.inflected(i-1)
}

// inflected reports whether word i has the form of a verb in the third person or in
// the past.
func (s *statement) inflected(i int) bool {
	w := s.words[i].text
	return !s.words[i].stop && (strings.HasSuffix(w, "s") || strings.HasSuffix(w, "ed") || irregular()[w] != "")
}

func (s *statement) participle(i int) bool {
	w := s.words[i].text
	return strings.HasSuffix(w, "ed") || strings.HasSuffix(w, "en") || irregular()[w] != ""
}

// turnedAround compares the subject and the object of a verb of the claim with those
// of the same verb of the source.
func (a *alignment) turnedAround(i, j int) bool {
	cc, sc := a.claim.clauses[a.claim.words[i].clause], a.source.clauses[a.source.words[j].clause]
	if a.claim.lesser(cc) != a.source.lesser(sc) {
		return false
	}
	if a.fromReceiver(i, j) {
		return true
	}
	cl, cr := a.claim.roles(i)
	sl, sr := a.source.roles(j)
	return len(cl) > 0 && len(sl) > 0 && a.common(cl, sl) == 0 && a.common(cl, sr) > 0 && a.common(cr, sl) > 0 &&
		a.onlyCommon(cr, sl, sr) > 0
}

// fromReceiver reports whether the claim lets do what the source says is done to the
// same one: "an e-mail is sent to the owner", "the owner sends an e-mail".
func (a *alignment) fromReceiver(i, j int) bool {
	if a.claim.passive(i) || !a.source.passive(j) {
		return false
	}
	sc := a.source.clauses[a.source.words[j].clause]
	subject, _ := a.claim.roles(i)
	for k := j + 1; k < min(sc.to, j+4); k++ {
		if a.source.words[k].text == "to" {
			return len(subject) > 0 && a.common(subject, a.source.next(k, sc)) > 0 && a.common(subject, a.source.content(clause{from: sc.from, to: j})) == 0
		}
	}
	return false
}

// roles returns who does what word i says, and the other words of its clause
// behind it. In the passive the one who does it stands behind "by".
func (s *statement) roles(i int) (subject, rest []int) {
	c := s.clauses[s.words[i].clause]
	left := s.unbound(clause{from: c.from, to: i})
	if len(left) == 0 && s.words[i].clause > 0 && s.subjectless(c) {
		prev := s.clauses[s.words[i].clause-1]
		if own := s.unbound(prev); len(own) > 0 {
			left = own[:1] // what "it" refers to
		}
	}
	_, right := s.sides(i)
	if !s.passive(i) {
		return left, right
	}
	for k := i + 1; k < c.to; k++ {
		if s.words[k].text == "by" {
			return s.next(k, c), left
		}
	}
	return nil, left
}

// next returns the words of content behind word k, up to the next preposition.
func (s *statement) next(k int, c clause) []int {
	var out []int
	for j := k + 1; j < c.to && (!prepositions[s.words[j].text] || len(out) == 0); j++ {
		if !s.words[j].stop {
			out = append(out, j)
		}
	}
	return out
}

// unbound returns the words of content that no preposition binds.
func (s *statement) unbound(c clause) []int {
	var out []int
	bound, seen := false, false
	for i := c.from; i < c.to; i++ {
		w := s.words[i]
		switch {
		case prepositions[w.text]:
			bound, seen = true, false
		case determiners[w.text] && seen, auxiliaries[w.text], modals[w.text] != factual, strings.Contains(s.between(i), ",") && i > c.from:
			bound = false
		}
		if w.stop {
			continue
		}
		if bound {
			seen = true
		} else if !w.number {
			out = append(out, i)
		}
	}
	return out
}

// exchanged reports whether what stands before and behind a preposition of the claim
// stands the other way round in the source.
func (a *alignment) exchanged(i, j int) bool {
	cc, sc := a.claim.clauses[a.claim.words[i].clause], a.source.clauses[a.source.words[j].clause]
	cr, sr := a.claim.next(i, cc), a.source.next(j, sc)
	cl, sl := a.claim.content(clause{from: cc.from, to: i}), a.source.content(clause{from: sc.from, to: j})
	if len(a.oppositesOf(cc, sc)) > 0 || a.claim.lesser(cc) != a.source.lesser(sc) {
		return false
	}
	return len(cr) > 0 && len(sr) > 0 && a.common(cr, sr) == 0 && a.onlyCommon(cr, sl, sr) > 0 && a.common(cl, sr) > 0
}

// lesser reports whether a clause compares downward.
func (s *statement) lesser(c clause) bool {
	return slices.ContainsFunc(s.words[c.from:c.to], func(w word) bool {
		return w.text == "less" || w.text == "fewer" || w.text == "worse"
	})
}

// onlyCommon counts the words of the claim that are among yes and not among no.
func (a *alignment) onlyCommon(claim, yes, no []int) int {
	n := 0
	for _, i := range claim {
		if a.common([]int{i}, yes) > 0 && a.common([]int{i}, no) == 0 {
			n++
		}
	}
	return n
}

// sides returns the words of content of a clause before and behind word i.
func (s *statement) sides(i int) (left, right []int) {
	for _, j := range s.content(s.clauses[s.words[i].clause]) {
		switch {
		case j < i:
			left = append(left, j)
		case j > i:
			right = append(right, j)
		}
	}
	return left, right
}

var beForms = wordSet("is are was were be been being gets get got")

// passive reports whether word i is a verb in the passive: "was written by".
func (s *statement) passive(i int) bool {
	c := s.clauses[s.words[i].clause]
	participle := s.participle(i)
	for j := max(c.from, i-3); j < i; j++ {
		if beForms[s.words[j].text] {
			return participle
		}
	}
	behind := i+1 < c.to && s.words[i+1].text == "by" || i+2 < c.to && s.words[i+2].text == "by"
	return participle && behind
}

// couple is two words of content that a preposition joins: "wheat in winter".
type couple struct{ left, right word }

func (s *statement) couples() []couple {
	var out []couple
	for i, w := range s.words {
		if !prepositions[w.text] || i == 0 || s.words[i-1].stop {
			continue
		}
		j := i + 1
		for j < len(s.words) && determiners[s.words[j].text] {
			j++
		}
		if j < len(s.words) && !s.words[j].stop && !s.words[j].number { // a time belongs to the verb
			out = append(out, couple{s.words[i-1], s.words[j]})
		}
	}
	return out
}

// couples finds partners exchanged: "barley in winter and wheat in summer" for "wheat
// in winter and barley in summer".
func couples(a *alignment, _ context) []finding {
	there := a.source.couples()
	for _, c := range a.claim.couples() {
		left, right, together := false, false, false
		for _, s := range there {
			l, r := a.same(c.left, s.left) >= boundWord, a.same(c.right, s.right) >= boundWord
			left, right, together = left || l && !r && a.claim.hasStem(0, len(a.claim.words), s.right.stem), right || r && !l, together || l && r
		}
		if left && right && !together {
			return []finding{{grave: true, why: "the source has " + c.left.text + " and " + c.right.text + " apart"}}
		}
	}
	return nil
}
