package builtin

import "math"

// leastAnswerable is the probability that there is an answer below which none is
// given.
const leastAnswerable = 0.7

// confidence returns the probability that what was read holds an answer, and that
// the picked units are one. Both are logistic functions, fitted on questions about
// documentation with and without an answer. What is asked is matched word by word
// and as a whole, of a comparison each half by itself (named); a unit that words alone rank lower is more often a wrong one.
func confidence(picked, pool []unit, encoded, named bool) (answerable, right float64) {
	best := picked[0]
	if !encoded {
		z := -1.6 + 1.5*best.coverage + 1.5*best.grams
		if named {
			z += namesSides
		}
		p := logistic(z)
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
	z := -7.3 + 9.4*best.match + 4.9*cosine
	if best.form == strictForm {
		z += hasForm
	}
	if named {
		z += namesSides
	}
	answerable = logistic(z)
	if named {
		lower = 0
	}
	right = logistic(-3.9 + 3.9*best.match + 3.5*cosine - 0.21*float64(lower))
	return answerable, right
}

// Added in logits where the best unit has what can hardly be missing, and where each
// thing that is compared is spoken of under its name.
const (
	hasForm    = 1.0
	namesSides = 2.0
)

// leastByWords takes the place of leastAnswerable where there is no encoder.
const leastByWords = 0.44

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
