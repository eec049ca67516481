package embed

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// embedder is what the rest of the program sees of every embedder.
type embedder interface {
	Model() evidence.Model
	Embed(ctx context.Context, texts []string) ([][]float32, error)
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// testContract holds an embedder to what the package promises.
func testContract(t *testing.T, e embedder) {
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
	t.Run("order and sameness", func(t *testing.T) { testSame(t, e) })
	t.Run("nothing", func(t *testing.T) {
		if v, err := e.Embed(t.Context(), nil); err != nil || len(v) != 0 {
			t.Errorf("Embed(nil) = %v, %v, want nothing", v, err)
		}
	})
	t.Run("ended context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if v, err := e.Embed(ctx, texts[:2]); !errors.Is(err, context.Canceled) || v != nil {
			t.Errorf("Embed with an ended context = %d vectors, %v, want context.Canceled", len(v), err)
		}
	})
}

func testSame(t *testing.T, e embedder) {
	texts := []string{"attention is all you need", "wheat grows in Kansas"}
	both, err := e.Embed(t.Context(), texts)
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
			if d := dot(one[0], both[i]); d < 0.999 {
				t.Errorf("%q alone and in a batch have a cosine of %v, want 1", s, d)
			}
		})
	}
	wg.Wait()
	if d := dot(both[0], both[1]); d > 0.9 {
		t.Errorf("two texts without a common word have a cosine of %v", d)
	}
	if before := e.Model(); cmp.Diff(before, e.Model()) != "" {
		t.Error("Model() changes from call to call")
	}
}

func TestBuiltinContract(t *testing.T) {
	t.Parallel()
	testContract(t, NewBuiltin())
}
