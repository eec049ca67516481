package ollama

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
	"github.com/research-mcp/research-mcp/internal/models/writer"
)

// Provider offers the models of one Ollama server while the server runs.
type Provider struct {
	client *Client // nil: Ollama is not used, for the reason in unused
	unused models.Status
	wanted bool          // the user named a host or a model: its absence is worth a warning
	budget time.Duration // of a question
	fence  func() string
	hooks  models.Hooks // may be nil
}

// ProbeHook is an optional method of models.Hooks: it returns what is known of
// the server. probe asks the server.
type ProbeHook interface {
	Probe(ctx context.Context, probe func(context.Context) State) State
}

// Open makes the provider from the settings; see package models/all. An
// ollama.host that cannot be one is an error. An OLLAMA_HOST that cannot be one
// belongs to another program: Ollama is then not used, with a warning.
func Open(cfg *config.Config, env models.Env) (models.Provider, error) {
	set := cfg.Ollama
	if !set.Enabled {
		return &Provider{unused: models.Status{Name: "ollama", State: models.StateOff, What: "not used: ollama.enabled is false"}}, nil
	}
	if _, err := ParseHost(set.Host); err != nil && set.HostInherited {
		unused := models.Status{
			Name: "ollama", State: models.StateWarn, What: "Ollama is not used: " + evidence.AsProblem(err).What,
			Try: "correct the environment variable OLLAMA_HOST, or set ollama.host, which takes precedence",
		}
		if env.Log != nil {
			env.Log.Warn(unused.What, "try", unused.Try)
		}
		return &Provider{unused: unused}, nil
	}
	if env.Hooks != nil {
		env.Speeds = nil // a replay must not depend on the speed of this machine
	}
	client, err := New(Config{
		Host: set.Host, ChatModel: set.ChatModel, EmbedModel: set.EmbedModel, Proxy: set.Proxy,
		KeepAlive: set.KeepAlive, Silence: set.Silence, Speeds: env.Speeds, Hooks: env.Hooks, Log: env.Log,
	})
	if err != nil {
		return nil, err
	}
	p := &Provider{client: client, budget: cfg.Research.Budget, fence: prompt.Nonce, hooks: env.Hooks}
	p.wanted = cmp.Or(set.Host, set.ChatModel, set.EmbedModel) != ""
	if p.hooks != nil {
		p.fence = p.hooks.Fence
	}
	return p, nil
}

// Name is "ollama".
func (p *Provider) Name() string { return "ollama" }

// Offer returns the chosen chat model as synthesizer, planner and summarizer, and
// the chosen embedding model. The absence of a server that the user did not ask
// for is not a problem.
func (p *Provider) Offer(ctx context.Context) models.Offer {
	if p.client == nil {
		return p.unusedOffer()
	}
	s := p.probe(ctx)
	var o models.Offer
	if s.Chat != nil {
		p.client.Measure(*s.Chat)
		w := writer.New(chatModel{p.client, *s.Chat}, p.options())
		o.Synthesizer, o.Planner, o.Summarizer, o.Divider = w, w, w, w
		if p.hooks != nil {
			o.Planner, o.Divider = p.hooks.Planner(w), p.hooks.Divider(w)
		}
	}
	if s.Embed != nil {
		o.Embedder = NewEmbedder(p.client, *s.Embed)
	}
	if s.Reachable || p.wanted {
		for _, problem := range []*evidence.Problem{s.ChatProblem, s.EmbedProblem} {
			if problem != nil {
				o.Problems = append(o.Problems, problem)
			}
		}
	}
	return o
}

// options are what prompts depend on.
func (p *Provider) options() writer.Options {
	o := writer.Options{Fence: p.fence}
	if p.hooks != nil {
		o.Readable = p.hooks.Readable
	}
	return o
}

func (p *Provider) unusedOffer() models.Offer {
	if p.unused.State != models.StateWarn {
		return models.Offer{}
	}
	return models.Offer{Problems: []*evidence.Problem{{What: p.unused.What, Try: p.unused.Try}}}
}

func (p *Provider) probe(ctx context.Context) State {
	if h, ok := p.hooks.(ProbeHook); ok {
		return h.Probe(ctx, p.client.Probe)
	}
	return p.client.Probe(ctx)
}

// Status reports the server and its two models.
func (p *Provider) Status(ctx context.Context) []models.Status {
	if p.client == nil {
		return []models.Status{p.unused}
	}
	s := p.client.Probe(ctx)
	if !s.Reachable {
		out := models.Status{Name: "ollama", State: models.StateOff, What: s.Problem.What, Try: s.Problem.Try}
		if p.wanted {
			out.State = models.StateWarn
		}
		return []models.Status{out}
	}
	return []models.Status{
		{Name: "ollama", State: models.StateOK, What: strings.TrimSpace(fmt.Sprintf("at %s %s", p.client.Host(), s.Version))},
		p.paced(ctx, modelStatus("chat model", s.Chat, s.ChatProblem), s.Chat),
		modelStatus("embed model", s.Embed, s.EmbedProblem),
	}
}

func modelStatus(name string, m *ModelInfo, p *evidence.Problem) models.Status {
	if m != nil {
		return models.Status{Name: name, State: models.StateOK, What: m.Name}
	}
	return models.Status{Name: name, State: models.StateWarn, What: p.What, Try: p.Try}
}

// statusPatience is how long a status waits for a measurement.
const statusPatience = 15 * time.Second

// paced adds the speed of the chat model to its status.
func (p *Provider) paced(ctx context.Context, out models.Status, m *ModelInfo) models.Status {
	if m == nil {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	p.client.Measure(*m)
	speed, err := p.client.Speed(ctx, *m)
	return writer.AddSpeed(out, speed, err == nil, p.budget)
}

// Close closes the connection.
func (p *Provider) Close() error {
	if p.client == nil {
		return nil
	}
	return p.client.Close()
}
