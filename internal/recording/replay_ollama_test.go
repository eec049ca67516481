package recording

import (
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/demo"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// The stand-in, and a real Ollama when OLLAMA_TEST_HOST names one.
func TestReplayWithOllama(t *testing.T) {
	ollamakit.Each(t, func(t *testing.T, target ollamakit.Target) {
		w := apptest.StartWorld(t, world.Options{})
		more := map[string]string{"ollama.enabled": "true", "ollama.host": target.Host}
		cfg := apptest.Settings(t, w.URLs(), more)
		// What there was no time to ask is not in a recording, and a replay would say that it is
		// not there: the question has as much time as one may have.
		file, first := recordOf(t, cfg, research.Request{Question: demo.Questions()[0], Budget: research.MaxBudget})
		if !strings.HasPrefix(first.Embedder, "ollama/") {
			t.Errorf("embedded by %s", first.Embedder)
		}
		for range 3 {
			again := replayOf(t, file, app.Options{}, research.Request{})
			if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
				t.Fatalf("(-recorded +replayed):\n%s", diff)
			}
		}
		// Settings that differ from the recorded ones work, with a warning.
		r, err := Open(file)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string]string{"ollama.enabled": "false", "ollama.chat_model": "absent"} {
			again, err := r.Replay(t.Context(), app.Options{}, research.Request{}, map[string]string{key: value}, nil)
			if err != nil || again.Synthesizer != "extractive" || again.Status != evidence.Answered || !slices.ContainsFunc(again.Warnings, func(w string) bool { return strings.Contains(w, key) }) {
				t.Errorf("with %s=%s: %s by %s, %q, %v", key, value, again.Status, again.Synthesizer, again.Warnings, err)
			}
		}
		// Another question is not in the recording: the built-in models answer, with a warning.
		other := replayOf(t, file, app.Options{}, research.Request{Question: "Who introduced attention in transformers?"})
		if len(other.Warnings) == 0 {
			t.Error("no warnings")
		}
	})
}

// What was wrong with Ollama is wrong in the replay, in the same words.
func TestReplayOfOllamaFailures(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*ollamakit.Server)
		more    map[string]string
	}{
		"stopped":  {func(s *ollamakit.Server) { s.Stop() }, nil},
		"lacks it": {func(*ollamakit.Server) {}, map[string]string{"ollama.chat_model": "absent"}},
		"fails": {func(s *ollamakit.Server) {
			s.OnChat(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Status: 500, Error: "out of memory"} })
		}, nil},
		"breaks off": {func(s *ollamakit.Server) {
			s.OnChat(func(ollamakit.Call) ollamakit.Reply {
				return ollamakit.Reply{Tokens: []string{"Attention "}, BreakOff: true}
			})
		}, nil},
		"no vectors": {func(s *ollamakit.Server) {
			s.OnEmbed(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Status: 500, Error: "no"} })
		}, nil},
		"falls quiet": {func(s *ollamakit.Server) {
			s.OnChat(func(ollamakit.Call) ollamakit.Reply {
				return ollamakit.Reply{Tokens: []string{"Attention ", "is"}, HangAfter: 1}
			})
		}, map[string]string{"ollama.silence": "200ms"}},
		"is too slow": {func(s *ollamakit.Server) {
			s.OnChat(func(ollamakit.Call) ollamakit.Reply {
				return ollamakit.Reply{Tokens: []string{"Attention ", "is"}, HangAfter: 1}
			})
		}, map[string]string{"ollama.silence": "60s", "research.budget": "2s"}},
		"embeds some in time": {func(s *ollamakit.Server) {
			var calls atomic.Int32
			s.OnEmbed(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Hang: calls.Add(1) > 2} })
		}, map[string]string{"research.budget": "2s"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := apptest.StartWorld(t, world.Options{}), ollamakit.Start(t)
			c.prepare(s)
			more := map[string]string{"ollama.enabled": "true", "ollama.host": s.Host()}
			maps.Copy(more, c.more)
			file, first := recordInTime(t, apptest.Settings(t, w.URLs(), more))
			if len(first.Warnings) == 0 {
				t.Error("the recorded answer has no warning")
			}
			calls := func() (n int) {
				for _, path := range []string{"version", "tags", "show", "embed", "chat"} {
					n += len(s.Calls("/api/" + path))
				}
				return n
			}
			asked := calls()
			for i := range 3 {
				if i == 2 {
					s.Stop()
				}
				again := replayOf(t, file, app.Options{}, research.Request{})
				if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
					t.Fatalf("(-recorded +replayed):\n%s", diff)
				}
			}
			if n := calls(); n != asked {
				t.Errorf("%d calls of Ollama were made by replays", n-asked)
			}
		})
	}
}

// recordInTime records with more and more time until only Ollama is late: a replay does the
// rest faster than a busy machine did.
func recordInTime(t *testing.T, cfg *config.Config) (string, evidence.Answer) {
	t.Helper()
	req := research.Request{Question: demo.Questions()[0], Budget: cfg.Research.Budget}
	for {
		file, first := recordOf(t, cfg, req)
		if first.Analysis.Status == evidence.StatusOK || 2*req.Budget > research.MaxBudget {
			return file, first
		}
		req.Budget *= 2
	}
}

// A model's keywords come while the first one is asked, or after: a replay asks
// those that were asked.
func TestReplayAsksTheModelsKeywords(t *testing.T) {
	t.Parallel()
	w, s := apptest.StartWorld(t, world.Options{Latency: map[string]time.Duration{"hackernews": 0, "wikipedia": 300 * time.Millisecond, "wikipedia-summary": 0}}), ollamakit.Start(t)
	s.OnChat(func(c ollamakit.Call) ollamakit.Reply {
		if len(c.Format) > 0 {
			return ollamakit.Reply{Tokens: []string{`{"queries": ["BERT language model"]}`}}
		}
		return ollamakit.Reply{Tokens: []string{"A transformer processes all tokens of a sequence ", "side by side [1]."}}
	})
	file, first := recordOf(t, apptest.Settings(t, w.URLs(), map[string]string{"ollama.enabled": "true", "ollama.host": s.Host()}), research.Request{Question: demo.Questions()[0]})
	if !slices.Contains(first.Topics, "BERT language model") {
		t.Fatalf("topics = %q", first.Topics)
	}
	for range 5 {
		again := replayOf(t, file, app.Options{}, research.Request{})
		if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
			t.Fatalf("(-recorded +replayed):\n%s", diff)
		}
	}
}

// A replay of a deep question has the parts that a model made of it.
func TestReplayHasTheModelsParts(t *testing.T) {
	t.Parallel()
	w, s := apptest.StartWorld(t, world.Options{}), ollamakit.Start(t)
	parts := []string{"What is the attention of a transformer?", "What tokens does a transformer process?"}
	s.OnChat(func(c ollamakit.Call) ollamakit.Reply {
		switch {
		case strings.Contains(string(c.Format), "questions"):
			return ollamakit.Reply{Tokens: []string{`{"questions": ["` + strings.Join(parts, `", "`) + `"]}`}}
		case len(c.Format) > 0:
			return ollamakit.Reply{Tokens: []string{`{"queries": ["BERT language model"]}`}}
		}
		return ollamakit.Reply{Tokens: []string{"A transformer processes all tokens of a sequence ", "side by side [1]."}}
	})
	cfg := apptest.Settings(t, w.URLs(), map[string]string{"ollama.enabled": "true", "ollama.host": s.Host()})
	var file string
	var first evidence.Answer
	for tries, inTime := 0, false; !inTime; tries++ { // a busy machine may not divide in the time that a question gives it
		if tries == 30 {
			t.Fatal("the model's parts came too late in every recording")
		}
		file, first = recordOf(t, cfg, research.Request{Question: demo.Questions()[0], Depth: research.DepthDeep})
		har, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		inTime = strings.Contains(string(har), parts[1])
	}
	for range 3 {
		again := replayOf(t, file, app.Options{}, research.Request{})
		if diff := cmp.Diff(normal(first), normal(again)); diff != "" {
			t.Fatalf("(-recorded +replayed):\n%s", diff)
		}
	}
}
