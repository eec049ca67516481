// Package modelstest is the contract suite of models: every implementation of
// an interface in package models runs the test of that interface.
package modelstest

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/models"
)

// Embedder tests e against the contract of models.Embedder. The model may learn
// its dimensions with the first call.
func Embedder(t *testing.T, e models.Embedder) {
	t.Helper()
	texts := []string{
		"The transformer is built on attention.", "transformers", "日本語の文章", "", " \n\t", "…!?", "\xff\xfe broken",
		"The Who", strings.Repeat("a long text about attention. ", 200), "👩‍👩‍👧", strings.Repeat("x", 5000),
	}
	got, err := e.Embed(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	m := e.Model()
	if m.Name == "" || m.Revision == "" || m.Kind == "" || m.Dims <= 0 {
		t.Errorf("Model() = %+v after the first Embed, want every field", m)
	}
	if len(got) != len(texts) {
		t.Fatalf("%d vectors for %d texts", len(got), len(texts))
	}
	for i, v := range got {
		if len(v) != m.Dims {
			t.Errorf("vector of %.20q has %d components, want %d", texts[i], len(v), m.Dims)
		}
		if n := dot(v, v); math.IsNaN(n) || math.Abs(n-1) > 1e-3 {
			t.Errorf("vector of %.20q has squared length %v, want 1", texts[i], n)
		}
	}
	t.Run("order", func(t *testing.T) { testOrder(t, e) })
	t.Run("no texts", func(t *testing.T) {
		if v, err := e.Embed(t.Context(), nil); err != nil || len(v) != 0 {
			t.Errorf("Embed(nil) = %v, %v, want no vectors", v, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if v, err := e.Embed(ctx, texts[:2]); !errors.Is(err, context.Canceled) || v != nil {
			t.Errorf("Embed with a cancelled context = %d vectors, %v, want context.Canceled", len(v), err)
		}
	})
}

// testOrder embeds texts alone, at the same time, and in a batch.
func testOrder(t *testing.T, e models.Embedder) {
	before := e.Model()
	texts := []string{"attention is all you need", "wheat grows in Kansas"}
	batch, err := e.Embed(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i, s := range texts {
		wg.Go(func() {
			one, err := e.Embed(t.Context(), []string{s})
			if err != nil {
				t.Error(err)
				return
			}
			if d := dot(one[0], batch[i]); d < 0.999 {
				t.Errorf("%q alone and in a batch have a cosine of %v, want 1", s, d)
			}
		})
	}
	wg.Wait()
	if d := dot(batch[0], batch[1]); d > 0.9 {
		t.Errorf("two texts without a common word have a cosine of %v", d)
	}
	if diff := cmp.Diff(before, e.Model()); diff != "" {
		t.Errorf("Model() changes from call to call (-before +after):\n%s", diff)
	}
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
