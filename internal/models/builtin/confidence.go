package builtin

import (
	"math"
	"slices"

	"github.com/research-mcp/research-mcp/internal/text"
)

// leastAnswerable is the probability that there is an answer below which none is
// given.
const leastAnswerable = 0.35

// confidence returns the probability that what was read holds an answer, and that
// the picked units are one. Both are logistic functions, fitted on questions about
// documentation with and without an answer. What is asked is matched word by word, the
// telling ones above all, and as a whole; a unit that words alone rank lower is more
// often a wrong one. Of a comparison each half is matched by itself (named).
func confidence(q query, picked, pool []unit, encoded, named bool) (answerable, right float64) {
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
		cosine = max(cosine, u.like.cosine)
	}
	lower := 0 // units that words rank above the best one
	for _, u := range pool {
		if u.lexical > best.lexical {
			lower++
		}
	}
	sides := 0.0
	if named {
		sides, lower = namesSides, 0
	}
	byContent := logistic(-3.9 + 3.9*best.like.words + 3.5*cosine - 0.21*float64(lower))
	if !q.english { // its function words are not known as such
		z := -7.3 + 9.4*best.like.words + 4.9*cosine + sides
		return logistic(z + logit(leastAnswerable) - logit(leastForeign)), byContent
	}
	z := -13.5 + 11.5*best.like.telling + 1.2*cosine + 8.0*best.like.function + 0.45*float64(min(len(q.terms), mostTerms))
	right = logistic(-8.5 + 4.7*best.like.words + 10.3*best.like.function - 0.15*float64(lower))
	if q.composite { // it says how things are asked for, and little of which
		right = min(right, byContent)
	}
	return logistic(z + sides), right
}

// namesSides is added in logits where each thing that is compared is spoken of under its
// name.
const namesSides = 2.0

// comparesInRespect is added in logits where each thing is spoken of in the respect that is
// asked for: a sentence about one of them is less like the question than one that only names
// both.
const comparesInRespect = 1.0

// leastForeign takes the place of leastAnswerable for questions that are not English.
const leastForeign = 0.7

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// noNumber is the probability that there is an answer where what was asked is spoken of,
// but not its number.
const noNumber = 0.2

// leastByWords takes the place of leastAnswerable where there is no encoder.
const leastByWords = 0.44

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// The least coverage of the question by all sentences of an answer together, and by
// the best of them, where rare words count more. Without an encoder, an answer that is
// below it is not given. With questions on encyclopedia articles, each put to the six
// passages that words find for it, these refuse 5 % of those whose answer is among the
// sentences, and 70 % when the passage with the answer is withheld.
const (
	leastTogether = 0.5
	leastBest     = 0.40
)

// leastSure is the confidence below which sentences are no answer, where there is an
// encoder. Of the same questions it refuses 4 % and 81 %, and 38 % when only the
// answering sentences are withheld.
const leastSure = 0.4

// mostTerms of a question count in a confidence: the more of them are matched, the less
// is it by chance.
const mostTerms = 8

// sentenceConfidence returns whether sentences of a pool are an answer, and the
// probability that one of them is: logistic functions, fitted on half of the questions
// above, with and without an answer. On the other half, 84 % of the answers from 0.8 on
// were right.
func sentenceConfidence(q query, picked, pool []candidate, encoded bool) (answers bool, sure float64) {
	best, cosine, match := 0.0, 0.0, 0.0
	for _, c := range picked {
		best, cosine, match = max(best, c.coverage), max(cosine, c.like.cosine), max(match, c.like.known)
	}
	together := togetherCovered(q, picked)
	if !encoded {
		return together >= leastTogether && best >= leastBest, logistic(-5.9 + 5.8*best + 3.0*together)
	}
	z := 0.0
	if bothNamed(q, picked) {
		z = namesSides
	}
	if _, compares := inRespect(q, picked); compares {
		z += comparesInRespect
	}
	sure = logistic(z - 8.6 + 0.3*best + 3.5*together + 2.9*cosine + 3.7*match + 0.3*lead(pool) + 0.19*float64(min(len(q.terms), mostTerms)))
	if asksInGeneral(q, picked[0]) {
		sure = max(sure, ofTheSubject)
	}
	return sure >= leastSure, sure
}

// ofTheSubject is the least confidence of an answer to "What is X?" or "How does X
// work?" from a document whose title is X: all 18 of those questions were answered right.
const ofTheSubject = 0.85

// asksInGeneral reports whether the question asks for nothing but the subject of c's
// document.
func asksInGeneral(q query, c candidate) bool {
	if !c.about || q.kind != kindOther && q.kind != kindDefinition {
		return false
	}
	return !slices.ContainsFunc(q.terms, func(t queryTerm) bool { return t.weight == 1 && !slices.Contains(c.title, t.term) })
}

// bothNamed reports whether the question compares two things, and the sentences speak of
// both: each sentence matches its half of the question.
func bothNamed(q query, picked []candidate) bool {
	if q.sides == nil {
		return false
	}
	named := make([]bool, len(q.sides.Names))
	for _, c := range picked {
		for i, in := range q.sides.In(c.text) {
			named[i] = named[i] || in
		}
	}
	return !slices.Contains(named, false)
}

// lead returns by how much the best candidate's score exceeds the next one's.
func lead(pool []candidate) float64 {
	best, next := math.Inf(-1), math.Inf(-1)
	for _, c := range pool {
		if c.score > best {
			best, next = c.score, best
		} else {
			next = max(next, c.score)
		}
	}
	if math.IsInf(next, -1) {
		return 0
	}
	return best - next
}

// inEnglish reports whether a question may be English, the language that the encoder was
// trained on.
func inEnglish(question string) bool {
	language := text.DetectLanguage(question)
	return language == "en" || language == "" // a few words of a Latin script
}
