// Package crossencoder reranks passages by a BERT cross-encoder of the user's
// own, such as ms-marco-MiniLM: a safetensors file with vocab.txt and config.json
// beside it, as HuggingFace has them.
package crossencoder

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/bert"
)

// Provider offers the reranker of models.reranker, if it is set.
type Provider struct {
	reranker *Reranker
}

// Open returns the provider. A file that is not there is an *evidence.Problem;
// the weights are read at the first question.
func Open(cfg *config.Config, _ models.Env) (models.Provider, error) {
	path := cfg.Models.Reranker
	if path == "" {
		return &Provider{}, nil
	}
	for _, name := range []string{path, beside(path, "vocab.txt")} {
		if _, err := os.Stat(name); err != nil {
			return nil, &evidence.Problem{What: fmt.Sprintf("models.reranker is %q, and %s cannot be read: %v", path, name, err), Usage: true, Cause: err,
				Try: "name a safetensors file of a BERT cross-encoder, with vocab.txt and config.json beside it, or leave models.reranker empty"}
		}
	}
	return &Provider{reranker: New(path)}, nil
}

func beside(path, name string) string { return filepath.Join(filepath.Dir(path), name) }

// Name is "crossencoder".
func (p *Provider) Name() string { return "crossencoder" }

// Offer returns the reranker, if there is one.
func (p *Provider) Offer(context.Context) models.Offer {
	if p.reranker == nil {
		return models.Offer{}
	}
	return models.Offer{Reranker: p.reranker}
}

// Status reads the weights, so that doctor says what is wrong with them.
func (p *Provider) Status(context.Context) []models.Status {
	if p.reranker == nil {
		return nil
	}
	s := models.Status{Name: "reranker", State: models.StateOK, What: p.reranker.path}
	if _, err := p.reranker.load(); err != nil {
		s.State, s.What, s.Try = models.StateWarn, err.Error(), "passages are ranked without it; correct models.reranker or leave it empty"
	}
	return []models.Status{s}
}

// Close does nothing: the weights are garbage collected.
func (p *Provider) Close() error { return nil }

// maxTokens of a question with its passage are read.
const maxTokens = 256

// pairsAtOnce bounds the working memory of one forward pass.
const pairsAtOnce = 4

// Reranker scores passages by a cross-encoder. It is safe for concurrent use.
type Reranker struct {
	path string
	load func() (*loaded, error)
}

type loaded struct {
	model *bert.Model
	words *bert.WordPiece
}

// New returns a reranker that reads path at its first use.
func New(path string) *Reranker {
	return &Reranker{path: path, load: sync.OnceValues(func() (*loaded, error) { return read(path) })}
}

func read(path string) (*loaded, error) {
	heads, err := attentionHeads(beside(path, "config.json"))
	if err != nil {
		return nil, err
	}
	model, err := bert.Load(path, heads)
	if err != nil {
		return nil, err
	}
	if !model.Classifies() {
		return nil, fmt.Errorf("%s has no classifier: it is an encoder, not a cross-encoder", path)
	}
	raw, err := os.ReadFile(beside(path, "vocab.txt"))
	if err != nil {
		return nil, fmt.Errorf("reading the vocabulary: %w", err)
	}
	words, err := bert.NewWordPiece(string(raw))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", beside(path, "vocab.txt"), err)
	}
	return &loaded{model, words}, nil
}

// attentionHeads reads the number of heads, which the weights do not hold; 0 is
// the usual one, where there is no config.json.
func attentionHeads(path string) (int, error) {
	raw, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the model's settings: %w", err)
	}
	var c struct {
		Heads int `json:"num_attention_heads"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return 0, fmt.Errorf("reading %s: %w", path, err)
	}
	return c.Heads, nil
}

// Name is the file's.
func (r *Reranker) Name() string { return "crossencoder/" + filepath.Base(r.path) }

// Rerank returns the model's score of each passage, in order. It checks ctx
// between a few passages.
func (r *Reranker) Rerank(ctx context.Context, question string, passages []string) ([]float64, error) {
	l, err := r.load()
	if err != nil {
		return nil, err
	}
	limit := min(maxTokens, l.model.Shape().Positions)
	out := make([]float64, 0, len(passages))
	for len(out) < len(passages) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var batch []bert.Input
		for _, p := range passages[len(out):min(len(passages), len(out)+pairsAtOnce)] {
			batch = append(batch, l.words.EncodePair(question, p, limit))
		}
		scores, _, err := l.model.Scores(batch)
		if err != nil {
			return nil, fmt.Errorf("reranking: %w", err)
		}
		out = append(out, scores...)
	}
	return out, ctx.Err()
}
