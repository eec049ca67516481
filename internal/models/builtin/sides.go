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
