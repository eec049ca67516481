package ollama

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/modelstest"
	"github.com/research-mcp/research-mcp/internal/testkit/ollamakit"
)

func TestEmbedderContract(t *testing.T) {
	t.Parallel()
	ollamakit.Each(t, func(t *testing.T, target ollamakit.Target) {
		modelstest.Embedder(t, newEmbedder(t, Config{Host: target.Host}))
	})
}

func TestEmbedderBatches(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		e := newEmbedder(t, cfg)
		texts := make([]string, 2*batchTexts+1)
		for i := range texts {
			texts[i] = fmt.Sprint("text ", i)
		}
		got, err := e.Embed(t.Context(), texts)
		if err != nil || len(got) != len(texts) {
			t.Fatalf("Embed = %d vectors, %v", len(got), err)
		}
		if n := len(s.Calls("/api/embed")); n != 3 {
			t.Errorf("%d calls for %d texts, want 3", n, len(texts))
		}
		last, err := e.Embed(t.Context(), texts[2*batchTexts:])
		if err != nil || !cmp.Equal(last[0], got[2*batchTexts]) {
			t.Errorf("the last vector is not that of the last text: %v", err)
		}
	})
}

func TestEmbedderBadVectors(t *testing.T) {
	t.Parallel()
	good := make([]float32, 384)
	good[0] = 3
	for _, c := range []struct {
		name   string
		vector []float32
		want   string
	}{
		{"zero", make([]float32, 384), "no direction"},
		{"empty", []float32{}, "is empty"},
		{"another dimension", []float32{1, 2}, "has 2 components, the model 384"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
				e := newEmbedder(t, cfg)
				s.OnEmbed(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Vectors: [][]float32{good}} })
				if _, err := e.Embed(t.Context(), []string{"a"}); err != nil {
					t.Fatal(err)
				}
				s.OnEmbed(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Vectors: [][]float32{c.vector}} })
				_, err := e.Embed(t.Context(), []string{"a"})
				var p *evidence.Problem
				if !errors.As(err, &p) || !strings.Contains(p.What, c.want) {
					t.Errorf("Embed = %v, want a problem with %q", err, c.want)
				}
			})
		})
	}
}

func TestEmbedderHang(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, s *ollamakit.Server, cfg Config) {
		e := newEmbedder(t, cfg)
		s.OnEmbed(func(ollamakit.Call) ollamakit.Reply { return ollamakit.Reply{Hang: true} })
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if v, err := e.Embed(ctx, []string{"a\xff"}); !errors.Is(err, context.DeadlineExceeded) || v != nil {
			t.Errorf("Embed = %v, %v, want the deadline", v, err)
		}
	})
}
