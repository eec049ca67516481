package ollama

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/modelstest"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
)

// slowServer answers a chat after the time that a model of this speed needs, on the
// clock of a bubble. Loading takes three seconds.
func slowServer(s *ollamakit.Server, read, write float64) {
	wait := func(seconds float64) { <-time.After(time.Duration(seconds * float64(time.Second))) }
	s.OnChat(func(c ollamakit.Call) ollamakit.Reply {
		if len(c.Messages) == 0 {
			wait(3)
			return ollamakit.Reply{}
		}
		wait(float64(len(c.Prompt())) / 4 / read)
		tokens := strings.Split(strings.Repeat("word ", 20), " ")
		return ollamakit.Reply{Tokens: tokens, Step: func(int) { wait(1 / write) }}
	})
}

// A model is measured once, in the background, and what it can do is kept.
func TestMeasure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		read, write float64
		bound, fits bool
	}{
		{"fast", 1500, 60, false, true},
		{"too slow to read", 11, 8, true, false},
		{"too slow to write", 2000, 6, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
				defer func() { <-time.After(time.Minute) }() // of the bubble: the server's handlers end
				slowServer(s, c.read, c.write)
				dir := t.TempDir()
				cfg.Speeds = pace.Open(dir, nil)
				client := newClient(t, cfg)
				model := *settled(t, client).Chat
				begun := time.Now()
				client.Measure(model)
				client.Measure(model) // does nothing
				got, err := client.Speed(t.Context(), model)
				if err != nil || got.Bound != c.bound || got.Load != 3*time.Second {
					t.Fatalf("Speed = %+v, %v", got, err)
				}
				if took := time.Since(begun); took > 3*time.Second+measureLimit {
					t.Errorf("the measurement took %s", took)
				}
				if !c.bound && (got.Read < c.read/4 || got.Read > 2*c.read) || got.Write > 2*max(c.write, got.Read) {
					t.Errorf("Speed = %+v, want %v and %v", got, c.read, c.write)
				}
				calls := len(s.Calls("/api/chat"))
				again := cfg
				again.Speeds = pace.Open(dir, nil) // another process
				other := newClient(t, again)
				other.Measure(model)
				if kept, err := other.Speed(t.Context(), model); err != nil || kept.Read != got.Read || len(s.Calls("/api/chat")) != calls {
					t.Errorf("after a restart Speed = %+v, %v, with %d more calls", kept, err, len(s.Calls("/api/chat"))-calls)
				}
				w := NewWriter(client, model, func() string { return modelstest.Fence })
				in := evidence.Brief{Question: "What?", Evidence: []evidence.Evidence{modelstest.Whole("a", "A", strings.Repeat("word ", 600), 1)}}
				if fit := w.Fit(t.Context(), in, 12*time.Second); fit.TooSlow == c.fits {
					t.Errorf("Fit = %+v", fit)
				}
			})
		})
	}
}

// A caller waits for a measurement only as long as its context allows.
func TestMeasureIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		defer func() { <-time.After(time.Minute) }() // of the bubble: the server's handlers end
		slowServer(s, 11, 8)
		cfg.Speeds = pace.Open("", nil)
		client := newClient(t, cfg)
		model := *settled(t, client).Chat
		client.Measure(model)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		w := NewWriter(client, model, func() string { return modelstest.Fence })
		fit := w.Fit(ctx, evidence.Brief{Question: "What?", Evidence: modelstest.Library()}, 10*time.Second)
		if !fit.TooSlow || fit.Problem == nil || time.Since(begun) != time.Second {
			t.Errorf("Fit = %+v after %s", fit, time.Since(begun))
		}
	})
}

// A server that fails is not called slow.
func TestMeasureOfAModelThatFails(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		s.OnChat(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Status: 500, Error: "out of memory"} })
		cfg.Speeds = pace.Open("", nil)
		client := newClient(t, cfg)
		model := *settled(t, client).Chat
		client.Measure(model)
		if got, err := client.Speed(t.Context(), model); err == nil {
			t.Errorf("Speed = %+v", got)
		}
	})
}

// doctor says how fast the model is, and what would fit.
func TestStatusSaysHowFast(t *testing.T) {
	t.Parallel()
	s := ollamakit.Start(t)
	book := pace.Open("", nil)
	cfg := &config.Config{Ollama: config.Ollama{Enabled: true, Host: s.Host(), Silence: time.Minute}, Research: config.Research{Budget: 45 * time.Second}}
	opened, err := Open(cfg, models.Env{Speeds: book})
	if err != nil {
		t.Fatal(err)
	}
	p := opened.(*Provider)
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	model := *settled(t, p.client).Chat
	if err := book.Note(p.client.speedKey(model), pace.Speed{Read: 11.4, Write: 8.3}); err != nil {
		t.Fatal(err)
	}
	got := p.Status(t.Context())[1]
	if got.State != models.StateWarn || !strings.Contains(got.What, ollamakit.ChatModel+"; it reads 11 and writes 8.3 tokens a second: too slow") || !strings.Contains(got.Try, "times as fast") {
		t.Errorf("status = %+v", got)
	}
}
