package ollama

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/models/prompt"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
)

func names(s State) [2]string {
	var out [2]string
	if s.Chat != nil {
		out[0] = s.Chat.Name
	}
	if s.Embed != nil {
		out[1] = s.Embed.Name
	}
	return out
}

func TestProbe(t *testing.T) {
	t.Parallel()
	ollamakit.Each(t, func(t *testing.T, target ollamakit.Target) {
		c := newClient(t, Config{Host: target.Host, ChatModel: ollamakit.ChatModel, EmbedModel: strings.ToUpper(ollamakit.EmbedModel) + ":latest"})
		first := settled(t, c)
		if want := [2]string{ollamakit.ChatModel, ollamakit.EmbedModel}; !first.Reachable || names(first) != want || first.Problem != nil {
			t.Fatalf("first Probe = %v, %v, want %v", names(first), first.Problem, want)
		}
		s := settled(t, c)
		if s.Version == "" || s.Chat.Context != 32768 || s.Embed.Context != 512 || s.Embed.Dims != 384 || len(s.Embed.Revision()) != 12 {
			t.Errorf("settled Probe = %q, %+v, %+v", s.Version, s.Chat, s.Embed)
		}
	})
}

func TestProbeChoice(t *testing.T) {
	t.Parallel()
	chat := func(name string) ollamakit.Model {
		return ollamakit.Model{Name: name, Family: "llama", Capabilities: []string{"completion"}, Context: 8192}
	}
	embed := ollamakit.Model{Name: "nomic-embed-text", Family: "nomic-bert", Capabilities: []string{"embedding"}, Dims: 768}
	painter := ollamakit.Model{Name: "painter", Family: "flux", Capabilities: []string{"image"}}
	remote := chat("big-cloud")
	remote.RemoteHost = "https://ollama.com"
	old := embed
	old.Capabilities = nil
	for _, c := range []struct {
		name    string
		cfg     Config
		models  []ollamakit.Model
		want    [2]string
		problem string // in the first thing to fix
	}{
		{name: "first of each", models: []ollamakit.Model{embed, chat("a"), chat("b")}, want: [2]string{"a", "nomic-embed-text"}},
		{name: "configured", cfg: Config{ChatModel: "b"}, models: []ollamakit.Model{embed, chat("a"), chat("b")}, want: [2]string{"b", "nomic-embed-text"}},
		{name: "with a tag", cfg: Config{ChatModel: "a:3b"}, models: []ollamakit.Model{chat("a"), chat("a:3b"), embed}, want: [2]string{"a:3b", "nomic-embed-text"}},
		{name: "no models", problem: "without a usable chat model; it has no models; run `ollama pull llama3.2`"},
		{name: "no embedding model", models: []ollamakit.Model{chat("a")}, want: [2]string{"a", ""}, problem: "run `ollama pull nomic-embed-text`"},
		{name: "configured is missing", cfg: Config{ChatModel: "qwen3"}, models: []ollamakit.Model{chat("a"), embed},
			want: [2]string{"", "nomic-embed-text"}, problem: "lacks the chat model qwen3; it has a, nomic-embed-text; run `ollama pull qwen3`"},
		{name: "configured cannot", cfg: Config{ChatModel: "nomic-embed-text"}, models: []ollamakit.Model{chat("a"), embed},
			want: [2]string{"", "nomic-embed-text"}, problem: "nomic-embed-text is not a chat model"},
		{name: "guess was wrong", models: []ollamakit.Model{painter, chat("a"), embed}, want: [2]string{"a", "nomic-embed-text"}},
		{name: "remote is not taken unasked", models: []ollamakit.Model{remote, embed}, want: [2]string{"", "nomic-embed-text"}, problem: "without a usable chat model"},
		{name: "remote when named", cfg: Config{ChatModel: "big-cloud"}, models: []ollamakit.Model{remote, embed}, want: [2]string{"big-cloud", "nomic-embed-text"}},
		{name: "old server", models: []ollamakit.Model{old, chat("a")}, want: [2]string{"a", "nomic-embed-text"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
				s.SetModels(c.models...)
				c.cfg.Hooks = cfg.Hooks
				client := newClient(t, c.cfg)
				settled(t, client)
				got := settled(t, client) // a wrong guess costs one round
				if diff := cmp.Diff(c.want, names(got)); diff != "" {
					t.Errorf("models (-want +got):\n%s", diff)
				}
				switch {
				case c.problem == "" && got.Problem != nil:
					t.Errorf("problem: %v", got.Problem)
				case c.problem != "" && (got.Problem == nil || !strings.Contains(got.Problem.Error(), c.problem)):
					t.Errorf("problem = %v, want %q", got.Problem, c.problem)
				}
			})
		})
	}
}

// A state is used for three seconds.
func TestProbeTTL(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		now := &clock{t: time.Unix(0, 0)}
		cfg.Now = now.now
		c := newClient(t, cfg)
		settled(t, c)
		before := len(s.Calls("/api/tags"))
		for _, step := range []struct {
			after time.Duration
			want  int // requests so far
		}{{0, 0}, {stateTTL - 1, 0}, {1, 1}, {stateTTL - 1, 1}} {
			now.add(step.after)
			c.Probe(t.Context())
			if n := len(s.Calls("/api/tags")) - before; n != step.want {
				t.Errorf("%s later: %d requests, want %d", step.after, n, step.want)
			}
		}
	})
}

// A server that stopped is noticed when its state has expired.
func TestProbeStoppedServer(t *testing.T) {
	t.Parallel()
	s := ollamakit.Start(t)
	now := &clock{t: time.Unix(0, 0)}
	c := newClient(t, Config{Host: s.Host(), Now: now.now})
	if got := settled(t, c); !got.Reachable {
		t.Fatalf("Probe of a running server: %v", got.Problem)
	}
	s.Stop()
	now.add(stateTTL)
	got := settled(t, c)
	if got.Reachable || got.Chat != nil || !strings.Contains(got.Problem.Error(), "not running at "+c.Host()) {
		t.Errorf("Probe of a stopped server = %+v", got)
	}
}

// A refused connection is not remembered: a server that starts is found at once.
func TestProbeStartedServer(t *testing.T) {
	t.Parallel()
	s := ollamakit.Start(t)
	late := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+s.Host()+r.URL.Path, http.StatusTemporaryRedirect)
	}))
	addr := late.Listener.Addr().String()
	if err := late.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, Config{Host: addr})
	for range 2 {
		if got := c.Probe(t.Context()); got.Reachable || !strings.Contains(got.Problem.What, "not running") {
			t.Fatalf("Probe of nothing = %+v", got.Problem)
		}
	}
	c.base.Host = s.Host()
	if got := c.Probe(t.Context()); !got.Reachable {
		t.Errorf("Probe after it appeared: %v", got.Problem)
	}
}

// A server that hangs costs each caller its patience, all callers share one
// probe, and the next question waits less for it.
func TestProbeHangs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		s.On("/api/tags", func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Hang: true} })
		c := newClient(t, cfg)
		begun := time.Now()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if got := c.Probe(t.Context()); got.Chat != nil || !strings.Contains(got.Problem.What, "did not answer within 1.5s") {
					t.Errorf("Probe of a server that hangs = %+v", got)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begun); took != firstPatience {
			t.Errorf("the first Probe took %s, want %s", took, firstPatience)
		}
		if n := len(s.Calls("/api/tags")); n != 1 {
			t.Errorf("%d probes at once, want one for all callers", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got := c.Probe(ctx); got.Chat != nil {
			t.Error("Probe with an ended context found a model")
		}
		c.work.Wait() // the probe reaches its limit
		c.forgetState()
		begun = time.Now()
		if got := c.Probe(t.Context()); !strings.Contains(got.Problem.What, "did not answer within 200ms") {
			t.Errorf("second Probe = %+v", got.Problem)
		}
		if took := time.Since(begun); took != leastPatience {
			t.Errorf("the second Probe took %s, want %s", took, leastPatience)
		}
	})
}

// A server that answers after a second is used, and the patience with it grows
// when it becomes slower.
func TestProbeSlowServer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		delay := time.Second
		s.On("/api/tags", func(ollamakit.Call) ollamakit.Reply {
			time.Sleep(delay)
			return ollamakit.Reply{}
		})
		c := newClient(t, cfg)
		for _, delay = range []time.Duration{time.Second, 1900 * time.Millisecond, 3700 * time.Millisecond} {
			if got := c.Probe(t.Context()); got.Chat == nil {
				t.Errorf("a server that answers after %s: %v", delay, got.Problem)
			}
			c.work.Wait()
			c.forgetState()
		}
	})
}

// A server that was there and now takes longer than its callers wait is still
// used: it is more likely busy than gone.
func TestProbeBusyServer(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		cfg.Now = nil
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		settled(t, c)
		time.Sleep(stateTTL)
		s.On("/api/tags", func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Hang: true} })
		if got := c.Probe(t.Context()); got.Chat == nil {
			t.Errorf("Probe of a busy server: %v", got.Problem)
		}
		time.Sleep(probeLimit)
		if got := c.Probe(t.Context()); got.Chat != nil {
			t.Error("a server that did not answer for five seconds is used")
		}
	})
}

func TestProbeGarbage(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		s.On("/api/tags", func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Garbage: "<html>router</html>"} })
		c := newClient(t, cfg)
		if got := c.Probe(t.Context()); !got.Reachable || got.Chat != nil || !strings.Contains(got.Problem.Error(), "is not Ollama") {
			t.Errorf("Probe of something else = %+v", got)
		}
	})
}

func TestProbeAfterClose(t *testing.T) {
	t.Parallel()
	s := ollamakit.Start(t)
	c := newClient(t, Config{Host: s.Host()})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := c.Probe(t.Context()); got.Reachable || got.Problem == nil {
		t.Errorf("Probe after Close = %+v", got)
	}
}

func TestFailureIsRemembered(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		now := &clock{t: time.Unix(0, 0)}
		cfg.Now = now.now
		c := newClient(t, cfg)
		m := settled(t, c).Chat
		s.OnChat(func(ollamakit.Call) ollamakit.Reply {
			return ollamakit.Reply{Status: 500, Error: "model requires more system memory (8 GiB) than is available (2 GiB)"}
		})
		_, err := c.Chat(t.Context(), ChatRequest{Model: *m, Messages: []prompt.Message{{Role: "user", Content: "hi"}}, MaxTokens: 5}, nil)
		if err == nil || !strings.Contains(err.Error(), "more system memory") {
			t.Fatalf("Chat = %v", err)
		}
		got := c.Probe(t.Context())
		if got.Chat != nil || got.Embed == nil || !strings.Contains(got.ChatProblem.Error(), "is installed but fails: ") {
			t.Errorf("Probe after a failure = %v, %v", names(got), got.ChatProblem)
		}
		now.add(failureTTL)
		if got := c.Probe(t.Context()); got.Chat == nil {
			t.Errorf("Probe half a minute later: %v", got.ChatProblem)
		}
	})
}
