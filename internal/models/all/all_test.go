package all

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/models/modelstest"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
)

// toy is a provider whose only model is a planner, and all of what a new provider
// has to write.
type toy struct{ problem *evidence.Problem }

func openToy(*config.Config, models.Env) (models.Provider, error) { return toy{}, nil }

func (toy) Name() string { return "toy" }
func (p toy) Offer(context.Context) models.Offer {
	if p.problem != nil {
		return models.Offer{Problems: []*evidence.Problem{p.problem}}
	}
	return models.Offer{Planner: toyPlanner{}}
}
func (toy) Status(context.Context) []models.Status {
	return []models.Status{{Name: "toy", State: models.StateOK}}
}
func (toy) Close() error { return errors.New("toy is closed") }

type toyPlanner struct{}

func (toyPlanner) Name() string { return "toy/planner" }
func (toyPlanner) Keywords(context.Context, string, evidence.Session, int) ([]string, error) {
	return []string{"toy"}, nil
}

// names are the models of a set, by role.
func names(s models.Set) map[string]string {
	out := map[string]string{"embedder": s.Embedder.Model().Name, "synthesizer": s.Synthesizer.Name(), "planner": s.Planner.Name(), "summarizer": s.Summarizer.Name()}
	if s.Reranker != nil {
		out["reranker"] = s.Reranker.Name()
	}
	return out
}

func settings(t *testing.T, flags map[string]string, environ ...string) *config.Config {
	t.Helper()
	flags["data_dir"], flags["models.builtin"] = t.TempDir(), "off" // the encoder depends on the processor
	cfg, err := config.Load(config.Inputs{Flags: flags, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// A new provider is its package and one line in the list.
func TestANewProviderIsOneLine(t *testing.T) {
	t.Parallel()
	list := append(providers(), constructor{"toy", openToy})
	c, err := open(list, settings(t, map[string]string{"ollama.enabled": "false"}), models.Env{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"embedder": "hashed-ngram", "synthesizer": "extractive", "planner": "toy/planner", "summarizer": "built-in"}
	if diff := cmp.Diff(want, names(c.Choose(t.Context()))); diff != "" {
		t.Errorf("Choose (-want +got):\n%s", diff)
	}
	var states []string
	for _, s := range c.Status(t.Context()) {
		states = append(states, s.Name+" "+s.State)
	}
	if diff := cmp.Diff([]string{"ollama off", "toy ok"}, states); diff != "" {
		t.Errorf("Status (-want +got):\n%s", diff)
	}
	if err := c.Close(); err == nil || err.Error() != "toy is closed" {
		t.Errorf("Close = %v", err)
	}
}

// The first provider that offers a model supplies it; the next ones fill the rest.
func TestChooseOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := ollamakit.New()
		s.SetModels(ollamakit.DefaultModels()[1]) // it can chat and not embed
		c, err := open(append(providers(), constructor{"toy", openToy}), settings(t, map[string]string{}), models.Env{Hooks: modelstest.Hooks{RoundTripper: s.Transport()}})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		got := c.Choose(t.Context())
		chat := "ollama/" + ollamakit.ChatModel
		want := map[string]string{"embedder": "hashed-ngram", "synthesizer": chat, "planner": chat, "summarizer": chat}
		if diff := cmp.Diff(want, names(got)); diff != "" {
			t.Errorf("Choose (-want +got):\n%s", diff)
		}
		if len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "without a usable embedding model") {
			t.Errorf("warnings %q", got.Warnings)
		}
		if diff := cmp.Diff(names(builtin.Models(nil)), names(c.BuiltIn())); diff != "" {
			t.Errorf("BuiltIn (-want +got):\n%s", diff)
		}
	})
}

// A problem that several roles or providers share is one warning.
func TestChooseWarnsOnce(t *testing.T) {
	t.Parallel()
	p := &evidence.Problem{What: "toys are broken", Try: "buy new ones"}
	c := Of(builtin.Models(nil), toy{p}, toy{p})
	if got := c.Choose(t.Context()).Warnings; !slices.Equal(got, []string{"toys are broken; buy new ones"}) {
		t.Errorf("warnings %q", got)
	}
}

// OLLAMA_HOST is another program's variable: where it is unusable, Ollama is left
// out with a warning. A setting of ours that is unusable is an error.
func TestUnusableOllamaHost(t *testing.T) {
	t.Parallel()
	c, err := New(settings(t, map[string]string{}, "OLLAMA_HOST=host:port"), models.Env{})
	if err != nil {
		t.Fatalf("New with an unusable OLLAMA_HOST: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	got := c.Choose(t.Context())
	if got.Embedder.Model().Name != "hashed-ngram" || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], `"host:port"`) || !strings.Contains(got.Warnings[0], "OLLAMA_HOST") {
		t.Errorf("Choose = %v, warnings %q", names(got), got.Warnings)
	}
	if s := c.Status(t.Context()); len(s) != 1 || s[0].State != models.StateWarn {
		t.Errorf("Status = %+v", s)
	}
	for _, flags := range []map[string]string{{"ollama.host": "host:port"}, {"ollama.proxy": "no proxy"}} {
		_, err := New(settings(t, flags), models.Env{})
		var p *evidence.Problem
		if !errors.As(err, &p) || !p.Usage {
			t.Errorf("New with %v: %v, want a usage problem", flags, err)
		}
	}
	// Our own setting is at fault, whatever variable is set beside it.
	_, err = New(settings(t, map[string]string{"ollama.proxy": "no proxy"}, "OLLAMA_HOST=127.0.0.1:11434"), models.Env{})
	if err == nil || !strings.Contains(err.Error(), "ollama.proxy") {
		t.Errorf("New with a bad proxy beside OLLAMA_HOST: %v, want a problem of ollama.proxy", err)
	}
}

// The absence of an Ollama that nobody asked for is no warning; of one that was
// named it is.
func TestAbsentOllama(t *testing.T) {
	t.Parallel()
	s := ollamakit.Start(t)
	host := s.Host()
	s.Stop()
	for _, test := range []struct {
		name  string
		flags map[string]string
		warn  int
		state string
	}{
		{"named", map[string]string{"ollama.host": host}, 1, models.StateWarn},
		{"off", map[string]string{"ollama.host": host, "ollama.enabled": "false"}, 0, models.StateOff},
	} {
		c, err := New(settings(t, test.flags), models.Env{})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Choose(t.Context()).Warnings; len(got) != test.warn {
			t.Errorf("%s: warnings %q", test.name, got)
		}
		if got := c.Status(t.Context()); len(got) != 1 || got[0].State != test.state {
			t.Errorf("%s: %+v", test.name, got)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
