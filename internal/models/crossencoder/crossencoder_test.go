package crossencoder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
)

// folder holds the tiny reranker of package bert's tests, with a vocabulary of its
// size.
func folder(t *testing.T, settings string) string {
	t.Helper()
	dir := t.TempDir()
	raw, err := os.ReadFile("../bert/testdata/reranker.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	vocab := "[PAD]\n[UNK]\n[CLS]\n[SEP]\nwho\nwrote\nit\nthe\nauthor\n"
	for i := strings.Count(vocab, "\n"); i < 40; i++ {
		vocab += fmt.Sprintf("word%d\n", i)
	}
	for name, content := range map[string]string{"model.safetensors": string(raw), "vocab.txt": vocab, "config.json": settings} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "model.safetensors")
}

func TestRerank(t *testing.T) {
	t.Parallel()
	r := New(folder(t, `{"num_attention_heads": 2}`))
	passages := []string{"the author wrote it", "word10 word11", "who", "it it it it it it it it it it it it it it it it it it it it it it it it it it it it", "the author wrote it"}
	got, err := r.Rerank(t.Context(), "who wrote it", passages)
	if err != nil || len(got) != len(passages) {
		t.Fatalf("Rerank = %v, %v", got, err)
	}
	if got[0] == got[1] || got[0] != got[4] {
		t.Errorf("scores %v: want those of equal passages equal, and of others not", got)
	}
	for i, p := range passages { // a score does not depend on what is scored beside it
		alone, err := r.Rerank(t.Context(), "who wrote it", []string{p})
		if err != nil || alone[0]-got[i] > 1e-4 || got[i]-alone[0] > 1e-4 {
			t.Errorf("Rerank(%q) = %v, %v alone, %v in a batch", p, alone, err, got[i])
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Rerank(ctx, "who", passages); !errors.Is(err, context.Canceled) {
		t.Errorf("Rerank with a cancelled context = %v", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	good := folder(t, `{"num_attention_heads": 2}`)
	p, err := Open(&config.Config{Models: config.Models{Reranker: good}}, models.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if o := p.Offer(t.Context()); o.Reranker == nil || o.Reranker.Name() != "crossencoder/model.safetensors" {
		t.Errorf("Offer = %+v", o)
	}
	if s := p.Status(t.Context()); len(s) != 1 || s[0].State != models.StateOK {
		t.Errorf("Status = %+v", s)
	}
	if p, err := Open(&config.Config{}, models.Env{}); err != nil || p.Offer(t.Context()).Reranker != nil || len(p.Status(t.Context())) != 0 {
		t.Errorf("without a setting: %v, %+v", err, p)
	}
	var problem *evidence.Problem
	if _, err := Open(&config.Config{Models: config.Models{Reranker: "/no/such/file"}}, models.Env{}); !errors.As(err, &problem) || !strings.Contains(problem.What, "/no/such/file") {
		t.Errorf("a file that is not there: %v", err)
	}
	// An encoder, and broken settings, are told by doctor and fail the reranking.
	raw, err := os.ReadFile("../bert/testdata/encoder.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	encoder := folder(t, `{"num_attention_heads": 2}`)
	if err := os.WriteFile(encoder, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{encoder, folder(t, "{"), folder(t, `{"num_attention_heads": 7}`)} {
		p, err := Open(&config.Config{Models: config.Models{Reranker: path}}, models.Env{})
		if err != nil {
			t.Fatal(err)
		}
		if s := p.Status(t.Context()); s[0].State != models.StateWarn || s[0].Try == "" {
			t.Errorf("Status of %s = %+v", path, s)
		}
		if _, err := p.Offer(t.Context()).Reranker.Rerank(t.Context(), "q", []string{"p"}); err == nil {
			t.Errorf("Rerank with %s succeeded", path)
		}
	}
}
