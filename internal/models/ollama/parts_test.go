package ollama

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/models/modelstest"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
)

// A model divides a question; what is no division is nil or an error, and a model that is
// too slow is not asked.
func TestWriterParts(t *testing.T) {
	t.Parallel()
	const question = "How did canals change trade in the Veluna delta?"
	for _, c := range []struct {
		name  string
		reply ollamakit.Reply
		want  []string
		fails bool
	}{
		{"two", ollamakit.Reply{Tokens: []string{`{"questions": ["Which canals are in the Veluna delta?", "What trade is in the Veluna delta?"]}`}},
			[]string{"Which canals are in the Veluna delta?", "What trade is in the Veluna delta?"}, false},
		{"one thing", ollamakit.Reply{Tokens: []string{`{"questions": []}`}}, nil, false},
		{"prose", ollamakit.Reply{Tokens: []string{"First, which canals are there?"}}, nil, true},
		{"error", ollamakit.Reply{Status: 500, Error: "no"}, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
				s.OnChat(func(ollamakit.Call) ollamakit.Reply { return c.reply })
				got, err := newWriter(t, cfg).Parts(t.Context(), question, 4)
				if (err != nil) != c.fails {
					t.Errorf("error %v", err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("Parts (-want +got):\n%s", diff)
				}
			})
		})
	}
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		cfg.Speeds = pace.Open("", nil)
		c := newClient(t, cfg)
		model := *settled(t, c).Chat
		if err := cfg.Speeds.Note(c.speedKey(model), pace.Speed{Read: 11, Write: 8}); err != nil {
			t.Fatal(err)
		}
		w := NewWriter(c, model, func() string { return modelstest.Fence })
		if got, err := w.Parts(t.Context(), question, 4); got != nil || err != nil {
			t.Errorf("Parts by a slow model = %q, %v", got, err)
		}
		if n := len(s.Calls("/api/chat")); n != 0 {
			t.Errorf("the model was asked %d times", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.Parts(ctx, question, 4); !errors.Is(err, context.Canceled) {
			t.Errorf("Parts with an ended context: %v", err)
		}
	})
}
