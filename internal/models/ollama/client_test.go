package ollama

import (
	"errors"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
)

func TestParseHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want, wrong string }{
		{in: "", want: "http://127.0.0.1:11434"},
		{in: "gpu-box", want: "http://gpu-box:11434"},
		{in: "10.0.0.7:9000", want: "http://10.0.0.7:9000"},
		{in: " 'localhost:1' ", want: "http://localhost:1"},
		{in: "http://gpu-box", want: "http://gpu-box:80"},
		{in: "https://gpu-box/ollama", want: "https://gpu-box:443/ollama"},
		{in: "ollama.com", want: "https://ollama.com:443"},
		{in: "0.0.0.0", want: "http://127.0.0.1:11434"},
		{in: "0.0.0.0:8080", want: "http://127.0.0.1:8080"},
		{in: "[::1]:5", want: "http://[::1]:5"},
		{in: "::1", want: "http://[::1]:11434"},
		{in: "[::]:5", want: "http://[::1]:5"},
		{in: ":8080", want: "http://127.0.0.1:8080"},
		{in: "ftp://x", wrong: `"ftp"`},
		{in: "host:99999", wrong: `"99999"`},
		{in: "host:port", wrong: `"port"`},
		{in: "two words", wrong: "not a host"},
	} {
		got, err := ParseHost(c.in)
		if c.wrong != "" {
			var p *evidence.Problem
			if !errors.As(err, &p) || !p.Usage || !strings.Contains(p.What, c.wrong) {
				t.Errorf("ParseHost(%q) = %v, %v, want a usage problem with %s", c.in, got, err, c.wrong)
			}
			continue
		}
		if err != nil || got.String() != c.want {
			t.Errorf("ParseHost(%q) = %v, %v, want %s", c.in, got, err, c.want)
		}
	}
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	ollamakit.Each(t, func(t *testing.T, target ollamakit.Target) {
		c := newClient(t, Config{Host: target.Host})
		m := ModelInfo{Name: ollamakit.EmbedModel}
		got, err := c.Embed(t.Context(), m, []string{"hello", "", strings.Repeat("word ", 700)})
		if err != nil || len(got) != 3 || len(got[0]) != 384 || len(got[1]) != 384 {
			t.Fatalf("Embed of three texts = %d vectors, %v", len(got), err)
		}
		if got, err := c.Embed(t.Context(), m, nil); err != nil || len(got) != 0 {
			t.Errorf("Embed of nothing = %v, %v", got, err)
		}
		for name, want := range map[string]string{"absent": "lacks the model absent", ollamakit.ChatModel: "does not support embeddings"} {
			_, err := c.Embed(t.Context(), ModelInfo{Name: name}, []string{"hello"})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Embed by %s: %v, want %q", name, err, want)
			}
		}
	})
}

func TestEmbedCount(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		s.OnEmbed(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Vectors: [][]float32{{1}}} })
		c := newClient(t, cfg)
		_, err := c.Embed(t.Context(), ModelInfo{Name: ollamakit.EmbedModel}, []string{"a", "b"})
		if err == nil || !strings.Contains(err.Error(), "1 vectors for 2 texts") {
			t.Errorf("Embed with too few vectors: %v", err)
		}
		if call := s.Calls("/api/embed")[0]; call.Truncate == nil || !*call.Truncate || len(call.KeepAlive) == 0 {
			t.Errorf("truncate and keep_alive are not said: %+v", call)
		}
	})
}
