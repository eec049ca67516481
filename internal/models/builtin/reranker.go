package builtin

import (
	"context"

	"github.com/research-mcp/research-mcp/internal/models"
)

// Reranker scores passages by the similarity of their vectors to the question's.
type Reranker struct{ encoder models.Embedder }

// NewReranker returns a reranker over a trained encoder.
func NewReranker(encoder models.Embedder) *Reranker { return &Reranker{encoder} }

// Name is the encoder's.
func (r *Reranker) Name() string { return r.encoder.Model().Name }

// Rerank returns the cosine of each passage to the question.
func (r *Reranker) Rerank(ctx context.Context, question string, passages []string) ([]float64, error) {
	vectors, err := r.encoder.Embed(ctx, append([]string{question}, passages...))
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(passages))
	for i, v := range vectors[1:] {
		for j, x := range v {
			out[i] += float64(x) * float64(vectors[0][j])
		}
	}
	return out, nil
}
