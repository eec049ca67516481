// Package all lists the providers of models and chooses among them. To add a
// provider, write a package with a constructor and add a line to providers.
package all

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/models/crossencoder"
	"github.com/research-mcp/research-mcp/internal/models/minilm"
	"github.com/research-mcp/research-mcp/internal/models/ollama"
	"github.com/research-mcp/research-mcp/internal/models/openai"
)

// constructor makes a provider from the settings. It contacts no server. Its
// error is an *evidence.Problem about a setting.
type constructor struct {
	name string
	open func(cfg *config.Config, env models.Env) (models.Provider, error)
}

// providers lists every provider, the preferred one first.
func providers() []constructor {
	return []constructor{
		{"crossencoder", crossencoder.Open},
		{"openai", openai.Open},
		{"ollama", ollama.Open},
	}
}

// Chooser takes each kind of model from the first provider that offers it, and
// what none offers from the built-in set.
type Chooser struct {
	builtIn   models.Set
	providers []models.Provider
}

// New opens every provider. Close the Chooser.
func New(cfg *config.Config, env models.Env) (*Chooser, error) {
	return open(providers(), cfg, env)
}

// Of returns a Chooser over providers that are open already, the preferred one
// first. Its Close closes them.
func Of(builtIn models.Set, providers ...models.Provider) *Chooser {
	return &Chooser{builtIn: builtIn, providers: providers}
}

func open(list []constructor, cfg *config.Config, env models.Env) (*Chooser, error) {
	c := Of(builtin.Models(Encoder(cfg)))
	for _, entry := range list {
		p, err := entry.open(cfg, env)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("opening the models of %s: %w", entry.name, err), c.Close())
		}
		c.providers = append(c.providers, p)
	}
	return c, nil
}

// questionTokens of a passage are read by the built-in encoder: more would cost
// more time than it gains in order.
const questionTokens = 128

// Encoder returns the built-in encoder, or nil where it is switched off or the
// processor is too slow for it.
func Encoder(cfg *config.Config) models.Matcher {
	if cfg.Models.BuiltIn == "off" || !minilm.Available() {
		return nil
	}
	return minilm.New(questionTokens)
}

// BuiltIn returns the built-in models.
func (c *Chooser) BuiltIn() models.Set { return c.builtIn }

// Choose asks all providers at the same time and waits for each as long as that
// provider finds worth while. See models.Chooser.
func (c *Chooser) Choose(ctx context.Context) models.Set {
	offers := make([]models.Offer, len(c.providers))
	var wg sync.WaitGroup
	for i, p := range c.providers {
		wg.Go(func() { offers[i] = p.Offer(ctx) })
	}
	wg.Wait()
	var set models.Set
	seen := map[string]bool{}
	for _, o := range offers {
		fill(&set, o)
		for _, p := range o.Problems {
			if w := p.Error(); !seen[w] {
				seen[w] = true
				set.Warnings = append(set.Warnings, w)
			}
		}
	}
	set.Encoder = c.builtIn.Encoder
	fill(&set, models.Offer{
		Embedder: c.builtIn.Embedder, Reranker: c.builtIn.Reranker, Synthesizer: c.builtIn.Synthesizer,
		Planner: c.builtIn.Planner, Summarizer: c.builtIn.Summarizer,
	})
	return set
}

// fill sets what set still lacks.
func fill(set *models.Set, o models.Offer) {
	if set.Embedder == nil {
		set.Embedder = o.Embedder
	}
	if set.Reranker == nil {
		set.Reranker = o.Reranker
	}
	if set.Synthesizer == nil {
		set.Synthesizer = o.Synthesizer
	}
	if set.Planner == nil {
		set.Planner = o.Planner
	}
	if set.Summarizer == nil {
		set.Summarizer = o.Summarizer
	}
	if set.Divider == nil {
		set.Divider = o.Divider
	}
}

// Status describes every provider.
func (c *Chooser) Status(ctx context.Context) []models.Status {
	var out []models.Status
	for _, p := range c.providers {
		out = append(out, p.Status(ctx)...)
	}
	return out
}

// Close closes every provider.
func (c *Chooser) Close() error {
	var errs []error
	for _, p := range c.providers {
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
