package builtin

import "math"

// leastAnswerable is the probability that there is an answer below which none is
// given.
const leastAnswerable = 0.7

// confidence returns the probability that what was read holds an answer, and that
// the picked units are one. Both are logistic functions, fitted on questions about
// documentation with and without an answer. What is asked is matched word by word
// and as a whole; a unit that words alone rank lower is more often a wrong one.
func confidence(picked, pool []unit, encoded bool) (answerable, right float64) {
	best := picked[0]
	if !encoded {
		p := logistic(-1.6 + 1.5*best.coverage + 1.5*best.grams)
		return p + leastAnswerable - leastByWords, p
	}
	cosine := 0.0
	for _, u := range picked {
		cosine = max(cosine, u.cosine)
	}
	lower := 0 // units that words rank above the best one
	for _, u := range pool {
		if u.lexical > best.lexical {
			lower++
		}
	}
	answerable = logistic(-7.3 + 9.4*best.match + 4.9*cosine)
	right = logistic(-3.9 + 3.9*best.match + 3.5*cosine - 0.21*float64(lower))
	return answerable, right
}

// leastByWords takes the place of leastAnswerable where there is no encoder.
const leastByWords = 0.44

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
