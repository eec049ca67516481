package builtin

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/research-mcp/research-mcp/internal/models"
)

// meaningWeight is the weight of a sentence's similarity to the question beside the
// score of its words, in standard deviations.
const meaningWeight = 0.7

// Bounds of what is compared.
const (
	mostMeasured    = 16  // sentences; the others count as the least similar one
	longestMeasured = 400 // bytes of a sentence
)

// scoreMeaning adds to the scores of the best candidates how similar they are to
// the question by a trained encoder, and reports whether it did. Without one, or when it
// fails, the scores stay as they are; a cancelled ctx is an error, one whose deadline has
// passed is not.
func scoreMeaning(ctx context.Context, encoder models.Matcher, question string, pool []candidate) (encoded bool, err error) {
	if encoder == nil {
		return false, nil
	}
	order := make([]int, len(pool))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(pool[b].score, pool[a].score) })
	order = order[:min(len(order), mostMeasured)]
	texts := make([]string, len(order))
	for i, n := range order {
		texts[i] = pool[n].text[:min(len(pool[n].text), longestMeasured)]
		if pool[n].about {
			texts[i] = pool[n].name + ". " + texts[i]
		}
	}
	found, err := compare(ctx, encoder, question, texts)
	if err != nil {
		if cancelled(ctx) {
			return false, ctx.Err()
		}
		return false, nil
	}
	cosine, least := make([]float64, len(found)), 0.0
	for i, l := range found {
		cosine[i] = l.cosine
	}
	cosine = standardise(cosine)
	for i := range cosine {
		cosine[i] *= meaningWeight
		least = min(least, cosine[i])
	}
	for i := range pool {
		pool[i].score += least
	}
	for i, n := range order {
		pool[n].score += cosine[i] - least
		pool[n].like = found[i]
	}
	return true, nil
}

// cancelled reports whether nobody waits for the answer any more. A deadline only ends
// the comparison with the encoder: words rank, then.
func cancelled(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded)
}
