package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/models/ollama"
)

// kits chooses who does the language work of a question: Ollama's models while
// they are there, else the built-in parts.
type kits struct {
	client  *ollama.Client // nil: not to be used
	wished  bool           // the user named a host or a model, and wants to hear of its absence
	builtIn models.Set
	stage   stage // nil: the question is neither recorded nor replayed
}

func newKits(cfg *config.Config, log *slog.Logger, on stage) (*kits, error) {
	k := builtInKits()
	k.stage = on
	if !cfg.Ollama.Enabled {
		return k, nil
	}
	own := ollama.Config{Host: cfg.Ollama.Host, ChatModel: cfg.Ollama.ChatModel, EmbedModel: cfg.Ollama.EmbedModel,
		KeepAlive: cfg.Ollama.KeepAlive, Silence: cfg.Ollama.Silence, Log: log}
	if on != nil {
		own.Transport, own.Readable = on.transport, on.readable
		own.Silence, own.Patience = on.patience(own.Silence)
	}
	var err error
	k.client, err = ollama.New(own)
	k.wished = cmp.Or(cfg.Ollama.Host, cfg.Ollama.ChatModel, cfg.Ollama.EmbedModel) != ""
	return k, err
}

func builtInKits() *kits {
	return &kits{builtIn: builtin.Models()}
}

// Close ends what the client began.
func (k *kits) Close() error {
	if k.client == nil {
		return nil
	}
	return k.client.Close()
}

// BuiltIn needs nothing and is always there.
func (k *kits) BuiltIn() models.Set { return k.builtIn }

// Pick looks what is there now, for 200 ms at most. An Ollama that nobody asked
// for and that is not there is nothing to warn of.
func (k *kits) Choose(ctx context.Context) models.Set {
	kit := k.builtIn
	if k.client == nil {
		return kit
	}
	s := k.look(ctx)
	if s.Chat != nil {
		writer := ollama.NewWriter(k.client, *s.Chat, k.fence)
		kit.Synthesizer, kit.Planner, kit.Summarizer = writer, writer, writer
		if k.stage != nil {
			kit.Planner = k.stage.planner(writer)
		}
	}
	if s.Embed != nil {
		kit.Embedder = ollama.NewEmbedder(k.client, *s.Embed)
	}
	if s.Reachable || k.wished {
		kit.Warnings = warnings(s.ChatProblem, s.EmbedProblem)
	}
	return kit
}

func (k *kits) look(ctx context.Context) ollama.State {
	if k.stage != nil {
		return k.stage.look(ctx, k.client.Probe)
	}
	return k.client.Probe(ctx)
}

// fence is a word that nobody who wrote a page can have guessed.
func (k *kits) fence() string {
	if k.stage != nil {
		return k.stage.fence()
	}
	return newID("b_")
}

func warnings(problems ...*evidence.Problem) []string {
	var out []string
	for _, p := range problems {
		if p != nil && (len(out) == 0 || out[0] != p.Error()) {
			out = append(out, p.Error())
		}
	}
	return out
}

// checks are what the doctor says of Ollama.
func (k *kits) checks(ctx context.Context) []Check {
	if k.client == nil {
		return []Check{{Name: "ollama", Status: checkOff, What: "not used: ollama.enabled is false"}}
	}
	s := k.client.Probe(ctx)
	if !s.Reachable {
		c := Check{Name: "ollama", Status: checkOff, What: "not at " + k.client.Host(), Try: "it is optional: answers are quoted from the sources without it"}
		if s.Problem != nil {
			c.What, c.Try = s.Problem.What, s.Problem.Try
		}
		if k.wished {
			c.Status = checkWarn
		}
		return []Check{c}
	}
	return []Check{
		{Name: "ollama", Status: checkOK, What: strings.TrimSpace(fmt.Sprintf("at %s %s", k.client.Host(), s.Version))},
		modelCheck("chat model", s.Chat, s.ChatProblem),
		modelCheck("embed model", s.Embed, s.EmbedProblem),
	}
}

func modelCheck(name string, m *ollama.ModelInfo, p *evidence.Problem) Check {
	switch {
	case m != nil:
		return Check{Name: name, Status: checkOK, What: m.Name}
	case p != nil:
		return Check{Name: name, Status: checkWarn, What: p.What, Try: p.Try}
	}
	return Check{Name: name, Status: checkWarn, What: "none was found"}
}
