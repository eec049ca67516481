package ollama

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// batchTexts is how many texts are sent at once: enough to make the round trip
// negligible, few enough for a call to end soon after its context.
const batchTexts = 32

// Embedder embeds with one model.
type Embedder struct {
	client *Client
	model  ModelInfo

	mu   sync.Mutex
	dims int
}

// NewEmbedder returns an embedder for a model that Probe found. The server
// is not contacted before the first Embed.
func NewEmbedder(client *Client, model ModelInfo) *Embedder {
	return &Embedder{client: client, model: model, dims: model.Dims}
}

// Model identifies the vector space. Its revision is the model's digest: a new
// version under the same name is another space.
func (e *Embedder) Model() evidence.Model {
	e.mu.Lock()
	defer e.mu.Unlock()
	return evidence.Model{
		Name: "ollama/" + e.model.Name, Revision: e.model.Revision(), Dims: e.dims, Kind: evidence.KindTransformer,
	}
}

// Embed sends the texts in batches. Of a text longer than the model's context, the
// beginning is embedded. Failures of the server and invalid vectors (of another
// dimension than earlier ones, or without a direction) are an *evidence.Problem.
func (e *Embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, 0, len(texts))
	for start := 0; start < len(texts); start += batchTexts {
		batch, err := e.client.Embed(ctx, e.model, texts[start:min(start+batchTexts, len(texts))])
		if err != nil {
			return nil, err
		}
		for i, v := range batch {
			if err := e.check(v); err != nil {
				return nil, e.client.Fail(ctx, e.model, fmt.Errorf("vector %d: %w", start+i, err))
			}
		}
		out = append(out, batch...)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// check scales v to unit length, or reports why it is invalid.
func (e *Embedder) check(v []float32) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case len(v) == 0:
		return errors.New("it is empty")
	case e.dims != 0 && len(v) != e.dims:
		return fmt.Errorf("it has %d components, the model %d", len(v), e.dims)
	case !models.Normalize(v):
		return errors.New("it has no direction")
	}
	e.dims = len(v)
	return nil
}
