package builtin

import (
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Weights and bounds of the units of a comparison.
const (
	sideHeads    = 2   // units of each side that are added by their headings
	sideLeads    = 1.0 // in points: it is the first text of its section
	sideDefines  = 1.5 // in points: it says what the side is
	longestTitle = 3   // words of a heading beside those of the side
)

// contrasts marks text that tells two things apart.
var contrasts = text.Pattern(`(?i)\b(differ\w*|unlike|whereas|in contrast|instead of|rather than|compared|enquanto|mientras|während|tandis)\b`)

// sideUnits returns the first units of sections that are about one side of a
// comparison, by their headings, of the documents that have the passages.
func sideUnits(q query, list []evidence.Evidence, have []unit) []unit {
	var out []unit
	seen, count := map[string]bool{}, map[int]int{}
	for i, e := range list {
		if seen[e.Document.ID] || !sound(e) {
			continue
		}
		seen[e.Document.ID] = true
		blocks := text.Blocks(e.Document.Text)
		for j, b := range blocks {
			if b.Kind != evidence.BlockHeading || j+1 == len(blocks) || blocks[j+1].Kind == evidence.BlockHeading {
				continue
			}
			heading := e.Document.Text[b.Start:b.End]
			side := q.sides.Alone(heading)
			if side < 0 || count[side] == sideHeads || len(text.Terms(heading)) > len(text.Terms(q.sides.Names[side]))+longestTitle {
				continue
			}
			n := j + 1
			for n < len(blocks) && blocks[n].Kind != evidence.BlockHeading {
				n++
			}
			us := sectionUnits(q, e, blocks[j:n])
			if len(us) == 0 || !us[0].prose() && len(us[0].text) > longestUnit {
				continue
			}
			if sp := us[0].span; !covered(have, list, e.Document.ID, sp) && !covered(out, list, e.Document.ID, sp) {
				us[0].evidence = i
				out = append(out, us[0])
				count[side]++
			}
		}
	}
	return out
}

// covered reports whether a span of a document is in one of the units.
func covered(units []unit, list []evidence.Evidence, doc string, sp evidence.Span) bool {
	return slices.ContainsFunc(units, func(u unit) bool {
		return list[u.evidence].Document.ID == doc && sp.Start < u.span.End && u.span.Start < sp.End
	})
}

// pickSides chooses, for a comparison, the best unit that tells the sides apart, if it
// is one of the good ones, and the best of each side; nil if a side has none. named
// reports whether each side has headings, or an entry, of its own or both are told
// apart.
func pickSides(q query, pool []unit) (picked []unit, named bool) {
	if q.sides == nil {
		return nil, false
	}
	tells := slices.IndexFunc(pool, func(u unit) bool {
		return u.score >= pool[0].score-nextUnit && !slices.Contains(q.sides.In(u.text), false) && contrasts().MatchString(u.text)
	})
	if tells >= 0 {
		picked = append(picked, pool[tells])
	}
	named = true
	for side, name := range q.sides.Names {
		var used []unit // by the other side
		if len(picked) > 0 && (tells < 0 || len(picked) > 1) {
			used = picked[len(picked)-1:]
		}
		best, own := bestOfSide(q, pool, side, used, text.DefinitionOf("what is "+name))
		if best < 0 {
			return nil, false
		}
		named = named && (own || tells >= 0)
		if (own || tells < 0) && !slices.ContainsFunc(picked, pool[best].same) {
			picked = append(picked, pool[best])
		}
	}
	return picked, named
}

// bestOfSide returns the index of the best unit about a side, or -1, and whether its
// headings or its first line name that side alone, as they do where there is one. used
// are left out.
func bestOfSide(q query, pool []unit, side int, used []unit, defines *text.Definition) (best int, own bool) {
	best = -1
	top := 0.0
	for i, u := range pool {
		if slices.ContainsFunc(used, u.same) {
			continue
		}
		if u.entry || len(u.blocks) == 1 && u.has[evidence.BlockCode] {
			continue // one option, or lines of a listing, do not say what a thing is
		}
		line, _, _ := strings.Cut(strings.TrimSpace(u.text), "\n")
		alone := q.sides.Alone(u.head) == side || q.sides.Alone(line) == side
		if own && !alone || !alone && !q.sides.In(u.text)[side] {
			continue
		}
		score := u.score
		if u.lead {
			score += sideLeads
		}
		if defines.In(u.text) {
			score += sideDefines
		}
		if best < 0 || score > top || alone && !own {
			best, top, own = i, score, alone
		}
	}
	return best, own
}

// sentencesOfSide is the most sentences of an answer that compares, for each side.
const sentencesOfSide = 2

// sideFirst is added to the score of the sentence that completes a comparison, so that it
// comes before all others.
const sideFirst = 1000

// inRespect returns a copy of the sentences, for a comparison in some respect ("trained" in
// "how do BERT and GPT differ in the way they are trained") only those that say something of
// a side in that respect, if there are some of each side; compares reports whether it did.
func inRespect(q query, pool []candidate) (out []candidate, compares bool) {
	if q.sides == nil {
		return slices.Clone(pool), false
	}
	respect := q.respect()
	for _, c := range pool {
		said := 0
		for _, t := range respect {
			if slices.Contains(c.says, t) {
				said++
			}
		}
		if 2*said >= len(respect) && slices.Contains(sidesOf(q, c), true) {
			out = append(out, c)
		}
	}
	if len(respect) == 0 || lacking(q, out) {
		return slices.Clone(pool), false
	}
	return out, true
}

// comparing are stems of words that ask for a comparison, not for the respect in which.
var comparing = set(strings.Fields("differ differenc compar contrast way apart versus better best choos pick prefer"))

// respect returns the stems that say in which respect things are compared: the question's
// own, or, if it has none, its plain verbs, as in "which was introduced first, A or B".
func (q query) respect() []string {
	var own, verbs []string
	for _, t := range q.terms {
		switch {
		case q.sides.Has(t.term) || comparing[t.term]:
		case t.weight == 1:
			own = append(own, t.term)
		case t.weight == aspectWeight:
			verbs = append(verbs, t.term)
		}
	}
	if len(own) == 0 {
		return verbs
	}
	return own
}

// sidesOf reports which sides a sentence speaks of: it names them, or it stands in a
// document about one.
func sidesOf(q query, c candidate) []bool {
	in := q.sides.In(c.text)
	if !slices.Contains(in, true) {
		if at := q.sides.Alone(c.name); at >= 0 {
			in[at] = true
		}
	}
	return in
}

// lacking reports whether none of the sentences speaks of one of the sides.
func lacking(q query, list []candidate) bool {
	have := make([]bool, len(q.sides.Names))
	for _, c := range list {
		for i, in := range sidesOf(q, c) {
			have[i] = have[i] || in
		}
	}
	return slices.Contains(have, false)
}
