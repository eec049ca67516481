package builtin

import (
	"cmp"
	"math"
	"slices"

	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	// relevanceShare is how much relevance counts against novelty when the next
	// sentence is chosen (maximal marginal relevance).
	relevanceShare = 0.7
	// goodEnough is the share of the best sentence's coverage, and of the distance
	// between the worst and the best score, that another one must reach.
	goodEnough = 0.6
	// goodToAdd is the same for a sentence that covers a part of the question that the
	// selected ones do not.
	goodToAdd = 0.25
	// newSource is the bonus for a source that has not been quoted yet: two sources
	// that agree are worth more than two sentences of one.
	newSource = 0.15
)

// newTerms is the bonus for the share of the question that a sentence is the first
// to cover: a comparison has to mention both things.
const newTerms = 0.5

// choose returns up to n relevant sentences that do not repeat each other, within
// maxTokens (0: no limit), the best first, and at least one.
func choose(q query, pool []candidate, n, maxTokens int) []candidate {
	pool, compares := inRespect(q, pool)
	if compares {
		n = min(n, sentencesOfSide*len(q.sides.Names))
	}
	slices.SortStableFunc(pool, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	low, high := math.Inf(1), math.Inf(-1)
	for i := range pool {
		low, high = min(low, pool[i].score-pool[i].opening), max(high, pool[i].score-pool[i].opening)
	}
	span := max(high-low, 1e-9)
	prints := make([]uint64, len(pool))
	for i := range pool {
		prints[i] = text.SimHash(pool[i].text)
	}
	picked := []candidate{pool[0]}
	taken := []int{0}
	tokens := text.EstimateTokens(pool[0].text)
	for len(picked) < n {
		best, value := -1, math.Inf(-1)
		for i := range pool {
			c := &pool[i]
			if slices.Contains(taken, i) || repeats(prints, taken, i) || maxTokens > 0 && tokens+text.EstimateTokens(c.text) > maxTokens {
				continue
			}
			if compares && lacking(q, picked) && !lacking(q, append(picked[:len(picked):len(picked)], *c)) {
				if v := c.score + sideFirst; v > value {
					best, value = i, v
				}
				continue
			}
			relevance := 1 - (high-c.score+c.opening)/span
			adds := newShare(q, c, picked)
			if !worthQuoting(c, &pool[0], relevance, adds) {
				continue
			}
			v := relevanceShare*relevance - (1-relevanceShare)*redundancy(c, picked) + newTerms*adds
			if !slices.ContainsFunc(picked, func(p candidate) bool { return p.source == c.source }) {
				v += newSource
			}
			if v > value {
				best, value = i, v
			}
		}
		if best < 0 {
			break
		}
		taken = append(taken, best)
		picked = append(picked, pool[best])
		tokens += text.EstimateTokens(pool[best].text)
	}
	return picked
}

// newShare returns the share of the question that c covers and none of the picked
// does.
func newShare(q query, c *candidate, picked []candidate) float64 {
	adds, all := 0.0, 0.0
	for _, t := range q.terms {
		all += t.weight
		said := func(p candidate) bool { return slices.Contains(p.says, t.term) }
		if said(*c) && !slices.ContainsFunc(picked, said) {
			adds += t.weight
		}
	}
	if all == 0 {
		return 0
	}
	return adds / all
}

// worthQuoting reports whether a further sentence has terms of the question itself
// and is about as good as the first one, or adds to it.
func worthQuoting(c, first *candidate, relevance, adds float64) bool {
	if !c.asked {
		return false
	}
	if adds > 0 {
		return relevance >= goodToAdd && c.coverage >= goodToAdd*first.coverage
	}
	if c.about && c.document != first.document {
		return c.coverage >= goodToAdd*first.coverage // a second source on the same subject
	}
	return relevance >= goodEnough && c.coverage >= goodEnough*first.coverage
}

func repeats(prints []uint64, taken []int, i int) bool {
	return slices.ContainsFunc(taken, func(t int) bool { return text.Distance(prints[t], prints[i]) <= text.NearDuplicate })
}

// redundancy returns the similarity of c to the most similar of the picked, 0..1.
func redundancy(c *candidate, picked []candidate) float64 {
	most := 0.0
	for i := range picked {
		most = max(most, overlap(c.terms, picked[i].terms))
	}
	return most
}

// overlap returns the cosine of two sets of terms.
func overlap(a, b []string) float64 {
	x, y := set(a), set(b)
	shared := 0
	for t := range x {
		if y[t] {
			shared++
		}
	}
	if shared == 0 {
		return 0
	}
	return float64(shared) / math.Sqrt(float64(len(x)*len(y)))
}

func set(terms []string) map[string]bool {
	out := make(map[string]bool, len(terms))
	for _, t := range terms {
		out[t] = true
	}
	return out
}

// arrange orders an answer: the best sentence first, then the others of its
// document, then the other documents, each in the order of its text.
func arrange(picked []candidate) []candidate {
	var docs []string // in the order of their best sentence
	id := func(c candidate) string { return c.source + "\x00" + c.document }
	for _, c := range picked {
		if !slices.Contains(docs, id(c)) {
			docs = append(docs, id(c))
		}
	}
	out := slices.Clone(picked)
	slices.SortStableFunc(out[1:], func(a, b candidate) int {
		return cmp.Or(cmp.Compare(slices.Index(docs, id(a)), slices.Index(docs, id(b))), cmp.Compare(a.span.Start, b.span.Start))
	})
	return out
}
