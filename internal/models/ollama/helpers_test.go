package ollama

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/research-mcp/research-mcp/internal/models/modelstest"
	"github.com/research-mcp/research-mcp/internal/models/writer"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
)

// newClient returns a client that is closed with the test. Its clock stands still
// unless cfg has one, so that a state stays valid however slow the machine is.
func newClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = (&clock{}).now
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// settled probes until the details of the chosen models are known.
func settled(t *testing.T, c *Client) State {
	t.Helper()
	c.Probe(t.Context())
	c.work.Wait()
	return c.Probe(t.Context())
}

// newWriter returns a writer with the server's chat model, its details known.
func newWriter(t *testing.T, cfg Config) *writer.Writer {
	t.Helper()
	c := newClient(t, cfg)
	s := settled(t, c)
	if s.Chat == nil {
		t.Fatalf("no chat model: %v", s.ChatProblem)
	}
	return NewWriter(c, *s.Chat, func() string { return modelstest.Fence })
}

// newEmbedder returns an embedder with the server's embedding model.
func newEmbedder(t *testing.T, cfg Config) *Embedder {
	t.Helper()
	c := newClient(t, cfg)
	s := settled(t, c)
	if s.Embed == nil {
		t.Fatalf("no embedding model: %v", s.EmbedProblem)
	}
	return NewEmbedder(c, *s.Embed)
}

// inBubble runs a test with a stand-in in memory, on the clock of a synctest
// bubble: deadlines pass when everything waits, not when the machine is slow.
func inBubble(t *testing.T, test func(t *testing.T, s *ollamakit.Server, cfg Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := ollamakit.New()
		t.Cleanup(s.Stop)
		test(t, s, Config{Hooks: modelstest.Hooks{RoundTripper: s.Transport()}})
	})
}

// clock shows the time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}
