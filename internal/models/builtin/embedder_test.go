package builtin

import (
	"strings"
	"testing"
)

// cosine is that of two unit vectors.
func cosine(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestEmbedderNearness(t *testing.T) {
	t.Parallel()
	e := NewEmbedder()
	for _, c := range []struct{ name, a, near, far string }{
		{"inflection", "transformer attention", "Transformers attend to tokens", "The harvest of wheat in Kansas"},
		{"spelling", "colour theory", "theory of color", "steam engines of Cornwall"},
		{"typing error", "photosynthesis", "photosynthesys", "parliament"},
		{"diacritics", "café", "CAFE", "tea house"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := e.Embed(t.Context(), []string{c.a, c.near, c.far})
			if err != nil {
				t.Fatal(err)
			}
			near, far := cosine(v[0], v[1]), cosine(v[0], v[2])
			if near < far+0.2 {
				t.Errorf("%q: cosine %.2f with %q, %.2f with %q", c.a, near, c.near, far, c.far)
			}
		})
	}
}

// Stored vectors are compared with new ones as long as the revision is the same:
// this fails when the hashing changes and the revision does not.
func TestEmbedderRevision(t *testing.T) {
	t.Parallel()
	v, err := NewEmbedder().Embed(t.Context(), []string{"Attention is all you need."})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for i, x := range v[0] {
		sum += float64(x) * float64(i%7)
	}
	const want = 0.56469 // of revision 1
	if diff := sum - want; diff > 1e-4 || diff < -1e-4 {
		t.Errorf("fingerprint = %.5f, want %.5f: give builtinRevision a new value", sum, want)
	}
}

func BenchmarkEmbedder(b *testing.B) {
	chunk := strings.Repeat("The transformer is a deep learning architecture based on the multi-head attention mechanism, "+
		"in which text is converted to numerical representations called tokens. ", 6)
	texts := make([]string, 64)
	for i := range texts {
		texts[i] = chunk
	}
	e := NewEmbedder()
	b.SetBytes(int64(len(chunk) * len(texts)))
	for b.Loop() {
		if _, err := e.Embed(b.Context(), texts); err != nil {
			b.Fatal(err)
		}
	}
}
