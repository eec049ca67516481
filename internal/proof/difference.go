package proof

import (
	"math"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	// bounded matches what stands before a bound, which contradicts nothing below it.
	bounded = text.Pattern(`(?i)\b(?:at least|at most|more than|less than|fewer than|over|under|up to|as (?:many|much|few|little|long|high|low) as|minimum(?: of)?|maximum(?: of)?|below|above|beyond|within|between|before|after|since|until|by|from|to|every|per|≥|≤|<|>)\s*(?:the |an? |\$|€|£)?$`)

	// boundedAfter matches the same behind an amount.
	boundedAfter = text.Pattern(`(?i)^\s*(?:or (?:more|less|fewer|higher|lower|later|earlier)|at (?:least|most)|and (?:above|below|up)|\+)`)
)

// soleDifference returns the one amount of a and the one of b that the other does not
// have, if they measure the same thing and cannot both be true. The parts of a date
// count as one.
func soleDifference(a, b *statement) (qa, qb quantity, ok bool) {
	da, db := distinct(a), distinct(b)
	onlyA := slices.DeleteFunc(slices.Clone(da), func(q quantity) bool { return slices.ContainsFunc(b.quantities, q.rounds(a, b)) })
	onlyB := slices.DeleteFunc(slices.Clone(db), func(q quantity) bool { return slices.ContainsFunc(a.quantities, q.rounds(b, a)) })
	if len(onlyA) == 0 || len(onlyB) == 0 {
		return qa, qb, false
	}
	if dateA, ok := oneDate(a, onlyA); ok {
		dateB, ok := oneDate(b, onlyB)
		return dateA, dateB, ok && (onlyA[0].dim == onlyB[0].dim || slices.ContainsFunc(onlyA, isYear) && slices.ContainsFunc(onlyB, isYear))
	}
	if len(onlyA) != 1 || len(onlyB) != 1 {
		return qa, qb, false
	}
	qa, qb = onlyA[0], onlyB[0]
	return qa, qb, qa.dim != "ordinal" && qb.dim != "ordinal" && qa.alike(qb) && !isBound(a, qa) && !isBound(b, qb) && countSame(a, b, qa, qb)
}

// distinct returns the amounts of a statement without the word "one" and the like.
func distinct(s *statement) []quantity {
	return slices.DeleteFunc(slices.Clone(s.quantities), func(q quantity) bool {
		return q.one || spelledSmall(s.text[q.start:q.end]) && strings.HasPrefix(strings.ToLower(s.text[q.start:q.end]), "both")
	})
}

func isYear(q quantity) bool { return q.dim == "year" }

// Bounds of a date in bytes.
const (
	longestDate = 24
	dateGap     = 4 // between two of its parts
)

// oneDate returns the parts of one date as one quantity.
func oneDate(s *statement, parts []quantity) (quantity, bool) {
	first, last := parts[0], parts[len(parts)-1]
	dated := slices.ContainsFunc(parts, func(q quantity) bool { return q.dim == "year" || q.dim == "month" })
	if len(parts) == 1 && first.dim == "" || first.dim == "ordinal" {
		// "4 March" and "7 March": the day alone differs.
		dated = slices.ContainsFunc(s.quantities, func(q quantity) bool { return q.dim == "month" && q.start-first.end < 2 && first.start-q.end < 2 })
	}
	plain := !slices.ContainsFunc(parts, func(q quantity) bool { return q.dim != "year" && q.dim != "month" && q.dim != "" && q.dim != "ordinal" })
	for i := range parts[1:] {
		plain = plain && parts[i+1].start-parts[i].end <= dateGap
	}
	if !dated || !plain || last.end-first.start > longestDate || isBound(s, first) || first.about || last.about {
		return first, false
	}
	out := first
	if i := slices.IndexFunc(parts, isYear); i >= 0 {
		out = parts[i]
	}
	out.start, out.end = first.start, last.end
	return out, true
}

// notOn matches what makes a date the end of a time.
var notOn = text.Pattern(`(?i)\b(?:before|after|since|until|between|from|to|by)\s*$`)

// isBound reports whether an amount is a limit or a part of a range.
func isBound(s *statement, q quantity) bool {
	before, after := s.text[:q.start], s.text[q.end:]
	if q.dim == "year" || q.dim == "month" { // "in", "on" and "by" are how a date is told
		return notOn().MatchString(before)
	}
	ranged := slices.ContainsFunc(s.quantities, func(o quantity) bool {
		return o.end <= q.start && rangeGap().MatchString(s.text[o.end:q.start]) || q.end <= o.start && rangeGap().MatchString(s.text[q.end:o.start])
	})
	return ranged || bounded().MatchString(before) || boundedAfter().MatchString(after)
}

// countSame reports whether two bare numbers count the same thing: the word behind
// them is the same, or the one before them where one of them has none behind it.
func countSame(a, b *statement, qa, qb quantity) bool {
	if qa.dim != "" {
		return true
	}
	beforeA, afterA := a.counted(qa)
	beforeB, afterB := b.counted(qb)
	if afterA != "" && afterB != "" {
		return afterA == afterB
	}
	return beforeA != "" && beforeA == beforeB
}

// counted returns the stems of the last word of content before a number and of the one
// right behind it, "" if there is none.
func (s *statement) counted(q quantity) (before, after string) {
	for _, w := range s.words {
		switch {
		case w.stop || w.number:
		case w.end <= q.start:
			before = w.stem
		case w.start >= q.end:
			if strings.Trim(s.text[q.end:w.start], " -") == "" {
				after = w.stem
			}
			return before, after
		}
	}
	return before, after
}

// rounds returns a test for amounts that are the same as q but for rounding.
func (q quantity) rounds(in, others *statement) func(quantity) bool {
	return func(o quantity) bool {
		if q.same(o) {
			return true
		}
		if !q.alike(o) || q.dim == "year" || q.dim == "month" || q.dim == "ordinal" {
			return false
		}
		diff, size := math.Abs(q.value-o.value), max(math.Abs(q.value), math.Abs(o.value))
		if q.about || o.about {
			return diff <= 0.15*size
		}
		coarse := max(q.grain(in.text), o.grain(others.text))
		return q.grain(in.text) != o.grain(others.text) && diff <= min(0.5*coarse, 0.05*size)
	}
}

// grain is the value of a step of the last digit that counts, in the base unit: 0.1
// million of "3.2 million", 1000 of "214,000".
func (q quantity) grain(s string) float64 {
	digits := figure().FindString(s[q.start:q.end])
	n := number(strings.TrimLeft(digits, "$€£¥ "))
	if n == 0 {
		return math.Abs(q.value)
	}
	step := 1.0
	if _, decimals, ok := strings.Cut(digits, "."); ok {
		step = math.Pow(10, -float64(len(decimals)))
	} else {
		for m := n; m >= 10 && math.Mod(m, 10) == 0; m /= 10 {
			step *= 10
		}
	}
	return step * math.Abs(q.value) / n
}
