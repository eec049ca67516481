package minilm

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
)

func cosine(a, b []float32) float64 {
	var s float64
	for i := range a {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}

func TestEmbedFindsMeaning(t *testing.T) {
	t.Parallel()
	vs, err := New(0).Embed(t.Context(), []string{
		"The cat sat on the mat.",
		"A kitten was resting on the rug.",
		"Quarterly revenue grew by seven percent.",
		"",
	})
	if err != nil {
		t.Fatal(err)
	}
	near, far := cosine(vs[0], vs[1]), cosine(vs[0], vs[2])
	if near < 0.5 || far > 0.2 {
		t.Errorf("cosine of the paraphrase = %.3f, want ≥ .5; of the other = %.3f, want ≤ .2", near, far)
	}
	for i, v := range vs {
		if n := cosine(v, v); len(v) != Dims || math.Abs(n-1) > 1e-4 {
			t.Errorf("vector %d has %d components and square norm %g, want %d and 1", i, len(v), n, Dims)
		}
	}
}

// A vector must not depend on what is embedded beside it.
func TestEmbedBatchEqualsSingle(t *testing.T) {
	t.Parallel()
	e := New(0)
	texts := []string{"one", "a much longer text about nothing in particular, with many words", "two words", "Ünïcödé 漢字 text", "x"}
	all, err := e.Embed(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		alone, err := e.Embed(t.Context(), []string{text})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(all[i], alone[0]) {
			t.Errorf("%q has another vector in a batch: cosine %.6f", text, cosine(all[i], alone[0]))
		}
	}
}

// The weights can be given back at any moment, also while they are used.
func TestRest(t *testing.T) {
	t.Parallel()
	e := New(0)
	const text = "The weights are mapped again when they are needed."
	before, err := e.Embed(t.Context(), []string{text})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 20 {
			e.used.Store(true)
			e.Rest()
		}
	}()
	after, err := New(0).Embed(t.Context(), []string{text}) // with the same weights, and no vectors of its own
	<-ended
	if err != nil || !slices.Equal(before[0], after[0]) {
		t.Errorf("another vector after Rest, %v", err)
	}
}

func TestEmbedEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(0).Embed(ctx, []string{"a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Embed with a cancelled context = %v, want context.Canceled", err)
	}
}

func BenchmarkEmbed(b *testing.B) {
	e := New(0)
	for _, c := range []struct{ name, text string }{
		{"question", "How do goroutines get scheduled by the runtime?"},
		{"sentence", "The scheduler keeps a queue of runnable goroutines for each processor and steals from others when its own queue is empty, so that no processor idles."},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := e.Embed(b.Context(), []string{c.text}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
