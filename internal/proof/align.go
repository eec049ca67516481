package proof

import (
	"slices"
)

// alignment says which word of a source each word of a claim corresponds to.
type alignment struct {
	claim, source *statement
	weight        []float64       // of each word of the claim; 0: not compared
	at            []int           // index of the most similar word of the source, or -1
	sim           []float64       // its similarity, 0..1
	here, there   map[string]bool // stems of the source and of the claim
	likeness      [][]float64     // of each word of the claim to each of the source
}

// sameWord is the similarity from which on two words say the same.
const sameWord = 0.55

func (c *Checker) align(claim, source *statement) *alignment {
	a := &alignment{claim: claim, source: source, here: source.stems(), there: claim.stems(),
		likeness: make([][]float64, len(claim.words)),
		weight:   make([]float64, len(claim.words)), at: make([]int, len(claim.words)), sim: make([]float64, len(claim.words))}
	for i, w := range claim.words {
		a.at[i] = -1
		a.likeness[i] = make([]float64, len(source.words))
		for j, o := range source.words {
			a.likeness[i][j] = a.compare(w, o, c.similar)
		}
		if w.stop {
			continue
		}
		a.weight[i] = c.weight(w)
		for j, o := range source.words {
			if o.stop {
				continue
			}
			if s := a.same(w, o); s > a.sim[i] {
				a.at[i], a.sim[i] = j, s
			}
		}
	}
	return a
}

// same is the similarity of a word of the claim to one of the source.
func (a *alignment) same(w, o word) float64 { return a.likeness[w.at][o.at] }

// compare is what same returns. A word that both have is similar to itself alone.
func (a *alignment) compare(w, o word, similar func(a, b word) float64) float64 {
	switch {
	case w.stem == o.stem:
		return 1
	case a.here[w.stem] || a.there[o.stem]:
		return 0
	}
	if conversesOf()[w.stem][o.stem] {
		return converseLikeness
	}
	return similar(w, o)
}

// converseLikeness is the similarity of two words for one event: bought and sold.
const converseLikeness = 0.8

func (s *statement) stems() map[string]bool {
	out := map[string]bool{}
	for _, w := range s.words {
		out[w.stem] = true
	}
	return out
}

// share is the weighted share of the claim's words that the source has, a similar
// word counting by its similarity.
func (a *alignment) share() float64 {
	have, all := 0.0, 0.0
	for i, w := range a.weight {
		all += w
		if a.sim[i] >= sameWord {
			have += w * a.sim[i]
		}
	}
	if all == 0 {
		return 0
	}
	return have / all
}

// unmatched counts the words of the claim that are compared, and those that the
// source does not have.
func (a *alignment) unmatched() (all, missing int) {
	for i, w := range a.weight {
		if w > 0 {
			all++
			if a.sim[i] < boundWord {
				missing++
			}
		}
	}
	return all, missing
}

// pair is a clause of the claim with the clause of the source that is nearest.
type pair struct {
	claim, source clause
	overlap       float64 // weighted share of the claim clause's words
	opposites     []string
}

// odd reports whether one of the two denies what the other says.
func (p pair) odd() bool { return p.turns()%2 == 1 }

// turns is how often the meaning of one is turned round against the other. What both
// deny with the same word counts for none.
func (p pair) turns() int {
	n := len(p.opposites) + len(p.source.denials)
	rest := slices.Clone(p.source.denials)
	for _, d := range p.claim.denials {
		if i := slices.Index(rest, d); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
			n--
		} else {
			n++
		}
	}
	return n
}

// near is how much less than the best overlap a clause may have to count as one
// that the claim may stem from.
const near = 0.1

// pairs returns for each clause of the claim the clauses of the source that are
// nearest to it, the best first. Clauses of one word have none.
func (a *alignment) pairs() [][]pair {
	var out [][]pair
	for _, cc := range a.claim.clauses {
		words := a.claim.content(cc)
		if len(words) == 0 || len(words) == 1 && len(a.claim.clauses) > 1 {
			continue
		}
		var all []pair
		for _, sc := range a.source.clauses {
			p := pair{claim: cc, source: sc}
			p.opposites = a.oppositesOf(cc, sc)
			p.overlap = a.overlap(words, sc)
			if p.overlap > 0 {
				all = append(all, p)
			}
		}
		slices.SortStableFunc(all, func(x, y pair) int {
			switch {
			case x.overlap > y.overlap:
				return -1
			case x.overlap < y.overlap:
				return 1
			}
			return 0
		})
		keep := 0
		for keep < len(all) && all[keep].overlap >= all[0].overlap-near {
			keep++
		}
		if keep > 0 {
			out = append(out, all[:keep])
		}
	}
	return out
}

// overlap is the weighted share of words of the claim that a clause of the source
// has, or has the opposite of.
func (a *alignment) overlap(words []int, sc clause) float64 {
	have, all := 0.0, 0.0
	for _, i := range words {
		all += a.weight[i]
		best := 0.0
		for _, j := range a.source.reach(sc) {
			o := a.source.words[j]
			s := graded(a.same(a.claim.words[i], o))
			if opposed(a.claim.words[i], o) {
				s = max(s, 0.8)
			}
			if j < sc.from {
				s *= a.source.inherited(sc, j)
			}
			best = max(best, s)
		}
		have += a.weight[i] * best
	}
	if all == 0 {
		return 0
	}
	return have / all
}

// refersBack reports whether the subject of a clause is named before it.
func (s *statement) refersBack(c clause) bool { return c.from == c.to || s.subjectless(c) }

// elliptic reports whether a clause ends with an auxiliary: "later ones do not" says
// of them what the clause before says.
func (s *statement) elliptic(c clause) bool {
	if c.from == c.to {
		return false
	}
	last := s.words[c.to-1].text
	return last == "not" && c.to-c.from > 1 || auxiliaries[last] || modals[last] == must && last == "must" || modals[last] == may && (last == "may" || last == "can" || last == "cannot" || last == "can't")
}

// Weights of the words that a clause has from the one before it: one that begins a
// contrast speaks of the same thing.
const (
	inheritedSubject    = 0.9
	inheritedByContrast = 0.9
	inheritedOther      = 0.6
)

// inherited is the weight that word j of an earlier clause has in a clause.
func (s *statement) inherited(c clause, j int) float64 {
	from := s.clauses[s.words[j].clause]
	if own := s.unbound(from); len(own) > 0 && own[0] == j && !openers[s.words[from.from].text] {
		return inheritedSubject
	}
	weight := 1.0
	for n := s.words[c.from].clause; n > s.words[j].clause; n-- {
		if contrasts[s.words[s.clauses[n].from].text] {
			weight *= inheritedByContrast
		} else {
			weight *= inheritedOther
		}
	}
	return weight
}

// graded makes the similarity of two words count less the less it is.
func graded(s float64) float64 {
	if s < sameWord {
		return 0
	}
	return (s - 0.3) / 0.7
}

// reach returns the words of content of a clause. One without a subject of its own
// ("but that is not …") speaks of what the clause before it names.
func (s *statement) reach(c clause) []int {
	out := s.content(c)
	for n := s.words[c.from].clause; n > 0 && (s.refersBack(c) || s.elliptic(c)); n-- {
		c = s.clauses[n-1]
		out = append(s.content(c), out...)
		if openers[s.words[c.from].text] && n > 1 {
			c = clause{from: c.from, to: c.from} // "Unlike iron, it …": the subject is further back
		}
	}
	return out
}

// oppositesOf lists the words of one clause whose opposites the other has in their
// place.
func (a *alignment) oppositesOf(cc, sc clause) []string {
	var out []string
	for i := cc.from; i < cc.to; i++ {
		w := a.claim.words[i]
		if w.stop || a.source.hasStem(sc.from, sc.to, w.stem) {
			continue
		}
		for j := sc.from; j < sc.to; j++ {
			o := a.source.words[j]
			if !o.stop && !denialWords[w.text] && !denialWords[o.text] && (opposed(w, o) || a.converse(i, j)) && !a.claim.hasStem(cc.from, cc.to, o.stem) {
				out = append(out, o.text+" → "+w.text)
				break
			}
		}
	}
	return out
}

// converse reports whether words i and j name one event from two sides, and the same
// one is said to do both.
func (a *alignment) converse(i, j int) bool {
	if !conversesOf()[a.claim.words[i].stem][a.source.words[j].stem] {
		return false
	}
	one, _ := a.claim.roles(i)
	other, _ := a.source.roles(j)
	return a.common(one, other) > 0
}
