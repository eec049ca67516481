package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/isolate"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// Ollama goes away between two questions, and the next one adapts by itself; so
// it does when there is a server without a model.
func TestOllamaComesAndGoes(t *testing.T) {
	t.Parallel()
	w := startWorld(t, world.Options{})
	o := ollamakit.Start(t)
	a := start(t, w, t.TempDir(), map[string]string{"ollama.enabled": "true", "ollama.host": o.Host()})
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	set := chooseOllama(t, a)
	if !strings.HasPrefix(set.Synthesizer.Name(), "ollama/") || len(set.Warnings) > 0 {
		t.Fatalf("with Ollama: %s, warnings %q", set.Synthesizer.Name(), set.Warnings)
	}
	o.Stop()
	answer, err := a.Engine().Research(t.Context(), research.Request{Question: attentionQuestion}, nil)
	if err != nil || answer.Status != evidence.Answered || answer.Synthesizer != "extractive" || len(answer.Warnings) == 0 {
		t.Errorf("without: %s by %s, warnings %q, %v", answer.Status, answer.Synthesizer, answer.Warnings, err)
	}
}

// chooseOllama chooses until Ollama embeds: on a busy machine the stand-in may take
// longer to answer than a question waits for it.
func chooseOllama(t *testing.T, a *App) models.Set {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < time.Minute; {
		if set := a.Models().Choose(t.Context()); strings.HasPrefix(set.Embedder.Model().Name, "ollama/") {
			return set
		}
	}
	t.Fatal("Ollama was not found within a minute")
	return models.Set{}
}

// What was read without a model gets the model's vectors when it comes, and the
// memory then answers in its space.
func TestAModelThatComesIsFollowed(t *testing.T) {
	t.Parallel()
	w, dir := startWorld(t, world.Options{}), t.TempDir()
	before := start(t, w, dir, nil)
	if _, err := before.Engine().Research(t.Context(), research.Request{Question: attentionQuestion}, nil); err != nil {
		t.Fatal(err)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	o := ollamakit.Start(t)
	a := start(t, w, dir, map[string]string{"ollama.enabled": "true", "ollama.host": o.Host()})
	defer func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	chooseOllama(t, a)
	a.library.MaintainOnce(t.Context())
	s, err := a.library.Stats(t.Context())
	model := chooseOllama(t, a).Embedder.Model()
	if err != nil || s.Embedder != model.Name+"@"+model.Revision || s.Documents == 0 {
		t.Fatalf("stats %+v, %v, want all documents in the space of %s", s, err, model.Name)
	}
	calls := len(o.Calls("/api/embed"))
	a.library.MaintainOnce(t.Context())
	if again := len(o.Calls("/api/embed")); again != calls {
		t.Errorf("%d more embeddings were made for nothing", again-calls)
	}
	res, err := a.library.Recall(t.Context(), library.RecallRequest{Query: "attention", K: 3})
	if err != nil || len(res.Hits) == 0 || len(res.Warnings) > 0 {
		t.Errorf("%d hits, warnings %q, %v", len(res.Hits), res.Warnings, err)
	}
}

func TestOllamaWithoutAModelSaysWhichToPull(t *testing.T) {
	t.Parallel()
	w := startWorld(t, world.Options{})
	o := ollamakit.Start(t)
	o.SetModels()
	a := start(t, w, t.TempDir(), map[string]string{"ollama.enabled": "true", "ollama.host": o.Host()})
	answer, err := a.Engine().Research(t.Context(), research.Request{Question: attentionQuestion}, nil)
	if err != nil || answer.Status != evidence.Answered || !strings.Contains(strings.Join(answer.Warnings, " "), "ollama pull") {
		t.Errorf("%s, warnings %q, %v", answer.Status, answer.Warnings, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// The isolated process of the analysis hangs, crashes or talks nonsense: that
// is its status, and never the answer's end.
func TestAnalysisOfAChildThatMisbehaves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, script, want string }{
		{"hangs", "sleep 600", "timeout"},
		{"crashes", "exit 3", "error"},
		{"talks nonsense", "echo hello", "error"},
		{"never stops talking", "yes", "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pool, err := isolate.NewPool(isolate.Options{Exe: "/bin/sh", Args: []string{"-c", c.script}, MaxOutput: 1 << 20})
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			ctx := t.Context()
			if c.want == "timeout" {
				short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
				defer cancel()
				ctx = short
			}
			got := analyst{pool}.Analyse(ctx, evidence.AnalysisInput{Question: "q", Documents: []evidence.Document{{Source: "s", Text: "t"}}})
			if got.Status != c.want || got.Err == "" || got.BySource == nil || got.Keywords == nil || got.TopDocuments == nil {
				t.Errorf("analysis = %+v, want status %s", got, c.want)
			}
		})
	}
}
