package ollama

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
	"github.com/research-mcp/research-mcp/internal/models/writer"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
)

func ask(model, text string) ChatRequest {
	return ChatRequest{
		Model: ModelInfo{Name: model, Context: 32768}, Messages: []prompt.Message{{Role: "user", Content: text}},
		PromptTokens: writer.EstimatePrompt(text), MaxTokens: 8,
	}
}

func TestChat(t *testing.T) {
	t.Parallel()
	ollamakit.Each(t, func(t *testing.T, target ollamakit.Target) {
		c := newClient(t, Config{Host: target.Host})
		var pieces []string
		res, err := c.Chat(t.Context(), ask(ollamakit.ChatModel, "Say hello."), func(s string) { pieces = append(pieces, s) })
		if err != nil {
			t.Fatal(err)
		}
		if res.Text == "" || strings.Join(pieces, "") != res.Text || len(pieces) < 2 {
			t.Errorf("streamed %q, result %q", pieces, res.Text)
		}
		if res.PromptTokens == 0 || res.Truncated || res.Window != smallestWindow {
			t.Errorf("result = %+v", res)
		}
		again, err := c.Chat(t.Context(), ask(ollamakit.ChatModel, "Say hello."), nil)
		if err != nil || again.Text != res.Text {
			t.Errorf("the same prompt gave %q, then %q, %v", res.Text, again.Text, err)
		}
	})
}

func TestChatErrors(t *testing.T) {
	t.Parallel()
	ollamakit.Each(t, func(t *testing.T, target ollamakit.Target) {
		c := newClient(t, Config{Host: target.Host})
		for model, want := range map[string]string{
			"absent":             "lacks the model absent; run `ollama pull absent`",
			ollamakit.EmbedModel: "does not support chat",
		} {
			if _, err := c.Chat(t.Context(), ask(model, "hi"), nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Chat with %s: %v, want %q", model, err, want)
			}
		}
		req := ask(ollamakit.ChatModel, strings.Repeat("The quick brown fox. ", 200))
		req.Model.Context, req.PromptTokens = 256, 10 // an estimate that is far too low
		_, err := c.Chat(t.Context(), req, nil)
		if !errors.Is(err, writer.ErrTooLong) {
			t.Errorf("Chat with a prompt that does not fit: %v, want ErrTooLong", err)
		}
		if got := c.Probe(t.Context()); got.Chat == nil {
			t.Errorf("a prompt that is too long counts as a failure of the model: %v", got.ChatProblem)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Chat(ctx, ask(ollamakit.ChatModel, "hi"), nil); !errors.Is(err, context.Canceled) {
			t.Errorf("Chat with an ended context: %v", err)
		}
	})
}

func TestChatMisbehaves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		reply ollamakit.Reply
		text  string // what was written before
		want  string
	}{
		{"silent from the start", ollamakit.Reply{Hang: true}, "", "stopped responding"},
		{"silent in the middle", ollamakit.Reply{Tokens: []string{"a ", "b ", "c"}, HangAfter: 2}, "a b ", "stopped responding"},
		{"server error", ollamakit.Reply{Status: 500, Error: "llama runner process has terminated"}, "", "fails: llama runner process has terminated"},
		{"error within the stream", ollamakit.Reply{Tokens: []string{"a "}, Error: "out of memory"}, "a ", "fails: out of memory"},
		{"breaks off", ollamakit.Reply{Tokens: []string{"a "}, BreakOff: true}, "a ", "broke off"},
		{"garbage", ollamakit.Reply{Garbage: "<html>proxy\u202e</html>\n"}, "", "fails: <html>proxy</html>"},
		{"empty body", ollamakit.Reply{Garbage: "\n"}, "", "fails"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
				cfg.Silence = 30 * time.Second
				s.OnChat(func(ollamakit.Call) ollamakit.Reply { return c.reply })
				client := newClient(t, cfg)
				res, err := client.Chat(t.Context(), ask(ollamakit.ChatModel, "hi"), nil)
				var p *evidence.Problem
				if !errors.As(err, &p) || !strings.Contains(p.What, c.want) || p.Try == "" {
					t.Errorf("Chat = %v, want a problem with %q", err, c.want)
				}
				if res.Text != c.text {
					t.Errorf("text before the failure = %q, want %q", res.Text, c.text)
				}
			})
		})
	}
}

// A deadline in the middle of an answer: the first part is returned with the error,
// and the model is not considered failing.
func TestChatDeadline(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		s.OnChat(func(ollamakit.Call) ollamakit.Reply {
			return ollamakit.Reply{Tokens: []string{"slow ", "words"}, HangAfter: 1}
		})
		c := newClient(t, cfg)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		res, err := c.Chat(ctx, ask(ollamakit.ChatModel, "hi"), nil)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "too slow for the time that was left") || res.Text != "slow " {
			t.Errorf("Chat = %+v, %v", res, err)
		}
		if got := c.Probe(t.Context()); got.Chat == nil {
			t.Errorf("the model counts as failing: %v", got.ChatProblem)
		}
	})
}

func TestChatRequest(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		cfg.KeepAlive = time.Minute
		c := newClient(t, cfg)
		for _, step := range []struct {
			name     string
			prompt   int
			context  int
			thinking bool
			want     int // num_ctx
		}{
			{"small", 10, 32768, false, 4096},
			{"grows in powers of two", 5000, 32768, false, 8192},
			{"does not shrink: that would reload the model", 10, 32768, false, 8192},
			{"the model's own length", 10, 2048, false, 2048},
			{"room to think", 7000, 32768, true, 16384},
		} {
			req := ask(ollamakit.ChatModel, "hi")
			req.PromptTokens, req.Model.Context, req.Model.Thinking = step.prompt, step.context, step.thinking
			if _, err := c.Chat(t.Context(), req, nil); err != nil {
				t.Fatal(err)
			}
			calls := s.Calls("/api/chat")
			call := calls[len(calls)-1]
			if got := call.Option("num_ctx"); got != step.want {
				t.Errorf("%s: num_ctx = %d, want %d", step.name, got, step.want)
			}
			if call.Truncate == nil || *call.Truncate || string(call.KeepAlive) != `"1m0s"` || call.Option("seed") != seed {
				t.Errorf("%s: call = %+v", step.name, call)
			}
			if think := string(call.Think); step.thinking != (think == "false") {
				t.Errorf("%s: think = %q", step.name, think)
			}
		}
	})
}

func TestChatTruncated(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		s.OnChat(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Tokens: []string{"x"}, Prompt: 4096} })
		c := newClient(t, cfg)
		if res, err := c.Chat(t.Context(), ask(ollamakit.ChatModel, "hi"), nil); err != nil || !res.Truncated {
			t.Errorf("Chat whose prompt filled the window = %+v, %v", res, err)
		}
	})
}

func TestPreload(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		c := newClient(t, cfg)
		if err := c.Preload(t.Context(), ModelInfo{Name: ollamakit.ChatModel}); err != nil {
			t.Error(err)
		}
		if err := c.Preload(t.Context(), ModelInfo{Name: "absent"}); err == nil {
			t.Error("Preload of a model that is not there: no error")
		}
		if call := s.Calls("/api/chat")[0]; call.Option("num_ctx") != smallestWindow || len(call.Messages) != 0 {
			t.Errorf("call = %+v", call)
		}
	})
}
