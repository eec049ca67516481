package openai

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	api "github.com/sashabaranov/go-openai"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/wire"
	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	// batchTexts is how many texts are sent at once.
	batchTexts = 32
	// maxEmbedded bounds a text, in bytes, to the context of usual embedding models, 512
	// tokens: servers refuse longer ones. Chunks are shorter.
	maxEmbedded = 2000
	// blank stands for a text without any letter, which servers refuse.
	blank = "-"
)

// embedder embeds with one model.
type embedder struct {
	client *client
	model  string

	mu   sync.Mutex
	dims int
}

// Model identifies the vector space: the model's name at this server.
func (e *embedder) Model() evidence.Model {
	e.mu.Lock()
	defer e.mu.Unlock()
	sum := sha256.Sum256([]byte(e.client.base + " " + e.model))
	return evidence.Model{Name: "openai/" + e.model, Revision: hex.EncodeToString(sum[:6]), Dims: e.dims, Kind: evidence.KindTransformer}
}

// Embed sends the texts in batches. Of a text longer than maxEmbedded, the beginning is
// embedded. Failures of the server and invalid vectors are an *evidence.Problem.
func (e *embedder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	out := make([][]float32, 0, len(texts))
	for start := 0; start < len(texts); start += batchTexts {
		batch, err := e.embed(ctx, texts[start:min(start+batchTexts, len(texts))])
		if err != nil {
			return nil, e.client.problem(ctx, e.model, err)
		}
		out = append(out, batch...)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.client.works(e.model)
	return out, nil
}

func (e *embedder) embed(ctx context.Context, texts []string) ([][]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	input := make([]string, len(texts))
	for i, s := range texts {
		s, _ = text.Clean(s)
		if s, _ = text.Cut(s, maxEmbedded); text.Squash(s) == "" {
			s = blank
		}
		input[i] = s
	}
	bounded, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bounded = limit.WithPause(bounded, func() { cancel(wire.ErrSilent) })
	defer limit.AfterFunc(bounded, patience, func() { cancel(wire.ErrSilent) })()
	resp, err := e.client.api.CreateEmbeddings(bounded, api.EmbeddingRequestStrings{Input: input, Model: api.EmbeddingModel(e.model), EncodingFormat: api.EmbeddingEncodingFormatFloat})
	if errors.Is(context.Cause(bounded), wire.ErrSilent) {
		return nil, wire.ErrSilent
	}
	if err != nil {
		return nil, err
	}
	return e.vectors(resp.Data, len(texts))
}

// vectors returns the vectors of a response in the order of the texts.
func (e *embedder) vectors(data []api.Embedding, n int) ([][]float32, error) {
	if len(data) != n {
		return nil, fmt.Errorf("it gave %d vectors for %d texts", len(data), n)
	}
	out := make([][]float32, n)
	for _, d := range data {
		if d.Index < 0 || d.Index >= n || out[d.Index] != nil {
			return nil, fmt.Errorf("it gave a vector for text %d of %d, or two", d.Index, n)
		}
		if err := e.check(d.Embedding); err != nil {
			return nil, fmt.Errorf("vector %d: %w", d.Index, err)
		}
		out[d.Index] = d.Embedding
	}
	return out, nil
}

// check scales v to unit length, or reports why it is invalid.
func (e *embedder) check(v []float32) error {
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
