package builtin

import (
	"context"
	"slices"

	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
)

// cosineWeight is the weight of the vectors of whole texts beside the similarity of
// words, both in standard deviations.
const cosineWeight = 0.2

// definitionWeight is added to the score of a passage that defines what the question
// asks for, in standard deviations.
const definitionWeight = 1.0

// Reranker scores passages by how well each word of the question is matched, in
// context, by some word of the passage.
type Reranker struct{ encoder models.Matcher }

// NewReranker returns a reranker over a trained encoder.
func NewReranker(encoder models.Matcher) *Reranker { return &Reranker{encoder} }

// Name is the encoder's.
func (r *Reranker) Name() string { return r.encoder.Model().Name }

// Rerank returns scores in standard deviations.
func (r *Reranker) Rerank(ctx context.Context, question string, passages []string) ([]float64, error) {
	found, err := compare(ctx, r.encoder, question, passages)
	if err != nil {
		return nil, err
	}
	words, cosine := make([]float64, len(found)), make([]float64, len(found))
	for i, s := range found {
		words[i], cosine[i] = s.words, s.cosine
	}
	out := standardise(words)
	for i, z := range standardise(cosine) {
		out[i] += cosineWeight * z
	}
	definition := text.DefinitionOf(question)
	for i, p := range passages {
		if definition.In(p) {
			out[i] += definitionWeight
		}
	}
	return out, nil
}

// likeness is how similar a text is to a question.
type likeness struct {
	cosine float64
	words  float64 // mean over the words of the question, a rare word counting more
	least  float64 // of the two content words that are matched worst
	// telling is as words, where a word counts less the better all texts match it: what
	// each of them speaks of tells nothing.
	telling float64
	// function is the mean over the function words, whose vectors in context say what
	// kind of thing is asked and of what.
	function float64
	known    float64 // as words, where a rare word that stands in the text itself is matched
}

// literalMatch is the similarity of a word that the encoder has no entry for to the same
// word in a text: that of its pieces tells little.
const literalMatch = 0.9

// compare compares texts with a question.
func compare(ctx context.Context, encoder models.Matcher, question string, texts []string) ([]likeness, error) {
	words, found, err := encoder.Match(ctx, question, texts)
	if err != nil {
		return nil, err
	}
	weight, all := make([]float64, len(words)), 0.0
	for i, w := range words {
		if !text.IsStop(w.Text) {
			weight[i] = w.Rarity
			all += w.Rarity
		}
	}
	if all == 0 { // nothing but function words
		for i := range weight {
			weight[i], all = 1, all+1
		}
	}
	unknown := unknownStems(encoder, words)
	tells := telling(weight, found)
	out := make([]likeness, len(texts))
	for i, m := range found {
		out[i].cosine = m.Cosine
		least := [2]float64{1, 1}
		var stems []string
		if len(unknown) > 0 {
			stems = text.Terms(texts[i])
		}
		for j, s := range m.Words {
			out[i].words += weight[j] / all * s
			if slices.Contains(stems, unknown[j]) {
				out[i].known += weight[j] / all * max(s, literalMatch)
			} else {
				out[i].known += weight[j] / all * s
			}
			if weight[j] == 0 {
				continue
			}
			if s < least[0] {
				least = [2]float64{s, least[0]}
			} else if s < least[1] {
				least[1] = s
			}
		}
		out[i].least = (least[0] + least[1]) / 2
		out[i].telling, out[i].function = mean(tells, m.Words), mean(others(weight), m.Words)
	}
	return out, nil
}

// telling returns the weights of words, each times how far the mean text is from matching
// it. It returns weight if all are matched by all.
func telling(weight []float64, found []models.Match) []float64 {
	out, all := make([]float64, len(weight)), 0.0
	for j, w := range weight {
		apart := 0.0
		for _, m := range found {
			apart += (1 - m.Words[j]) / float64(len(found))
		}
		out[j] = w * max(0, apart)
		all += out[j]
	}
	if all == 0 {
		return weight
	}
	return out
}

// others returns the weights of the words that weight leaves out; all count the same. If
// there are none, all words do.
func others(weight []float64) []float64 {
	none := !slices.Contains(weight, 0)
	out := make([]float64, len(weight))
	for j, w := range weight {
		if w == 0 || none {
			out[j] = 1
		}
	}
	return out
}

// mean returns the weighted mean of x, or 0 if nothing has a weight.
func mean(weight, x []float64) float64 {
	sum, all := 0.0, 0.0
	for j, w := range weight {
		sum, all = sum+w*x[j], all+w
	}
	if all == 0 {
		return 0
	}
	return sum / all
}

// unknownStems returns the stems of the words that the encoder has no entry for, by their
// places.
func unknownStems(encoder models.Matcher, words []models.Word) map[int]string {
	out := map[int]string{}
	for i, w := range words {
		if terms := text.Terms(w.Text); len(terms) == 1 && !encoder.Knows(w.Text) {
			out[i] = terms[0]
		}
	}
	return out
}
