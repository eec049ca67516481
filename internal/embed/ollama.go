package embed

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/ollama"
)

// batchTexts is how many texts go to Ollama at once: enough that the round trip
// does not count, few enough that a call ends soon after its context does.
const batchTexts = 32

// Ollama embeds with a model of a local Ollama.
type Ollama struct {
	client *ollama.Client
	model  ollama.ModelInfo

	mu   sync.Mutex
	dims int
}

// NewOllama returns an embedder for a model that Probe found. Nothing is asked
// of the server before the first Embed.
func NewOllama(client *ollama.Client, model ollama.ModelInfo) *Ollama {
	return &Ollama{client: client, model: model, dims: model.Dims}
}

// Model names the space. Its revision is the model's digest, so that a model
// that was pulled anew under the same name is another space.
func (o *Ollama) Model() evidence.Model {
	o.mu.Lock()
	defer o.mu.Unlock()
	return evidence.Model{
		Name: "ollama/" + o.model.Name, Revision: o.model.Revision(), Dims: o.dims, Kind: evidence.KindTransformer,
	}
}

// Embed asks in batches. A text longer than the model's context is embedded by
// its beginning. Vectors that cannot be right (of another dimension than the
// ones before, of no direction) are an *evidence.Problem, as is every failure of
// the server.
func (o *Ollama) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, 0, len(texts))
	for start := 0; start < len(texts); start += batchTexts {
		batch, err := o.client.Embed(ctx, o.model, texts[start:min(start+batchTexts, len(texts))])
		if err != nil {
			return nil, err
		}
		for i, v := range batch {
			if err := o.check(v); err != nil {
				return nil, o.client.Fail(ctx, o.model, fmt.Errorf("vector %d: %w", start+i, err))
			}
		}
		out = append(out, batch...)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// check makes v a unit vector of the model's dimension, or says why it cannot.
func (o *Ollama) check(v []float32) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(v) == 0:
		return errors.New("it is empty")
	case o.dims != 0 && len(v) != o.dims:
		return fmt.Errorf("it has %d components, the model %d", len(v), o.dims)
	case !normalise(v):
		return errors.New("it has no direction")
	}
	o.dims = len(v)
	return nil
}
