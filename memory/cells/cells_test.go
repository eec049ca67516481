package cells_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/memory/cells"
)

const dims = 32

// clustered returns n unit vectors around so many directions.
func clustered(n, around int, noise float64, seed uint64) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	direction := func(at []float32, noise float64) []float32 {
		v, sum := make([]float32, dims), 0.0
		for i := range v {
			x := noise * r.NormFloat64() / math.Sqrt(dims)
			if at != nil {
				x += float64(at[i])
			}
			v[i], sum = float32(x), sum+x*x
		}
		for i := range v {
			v[i] = float32(float64(v[i]) / math.Sqrt(sum))
		}
		return v
	}
	var at [][]float32
	for range around {
		at = append(at, direction(nil, 1))
	}
	out := make([][]float32, n)
	for i := range out {
		out[i] = direction(at[i%around], noise)
	}
	return out
}

func learn(t *testing.T, sample [][]float32, k int) *cells.Book {
	t.Helper()
	b, err := cells.Learn(t.Context(), sample, dims, k, func() {})
	if err != nil || b == nil {
		t.Fatalf("Learn: %v, %v", b, err)
	}
	return b
}

func measured(t *testing.T, b *cells.Book, all [][]float32) (*cells.Book, cells.Found) {
	t.Helper()
	found, err := b.Measure(t.Context(), cells.Questions(all, 60), func(yield func([]float32, uint16) bool) {
		for _, v := range all {
			cell, _ := b.Cell(v)
			if !yield(v, cell) {
				return
			}
		}
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	return b.WithProbes(found), found
}

func TestFewCellsHoldWhatIsNear(t *testing.T) {
	t.Parallel()
	all := clustered(6000, 60, 0.6, 3)
	b, found := measured(t, learn(t, all, cells.Count(len(all))), all)
	if b.Probes == 0 || b.Probes > b.Cells()/3 {
		t.Fatalf("%d of %d cells are read", b.Probes, b.Cells())
	}
	if b.Recall < cells.Wanted || b.Recall != found.Recall(b.Probes) {
		t.Fatalf("recall %v with %d probes", b.Recall, b.Probes)
	}
	if got := found.Recall(b.Cells()); got != 1 {
		t.Errorf("all cells together have a recall of %v", got)
	}

	// Questions that the measurement did not ask: exact and by cells.
	hit, want := 0, 0
	for _, q := range cells.Questions(clustered(6000, 60, 0.6, 3), 40)[20:] {
		type near struct {
			at  int
			cos float32
		}
		var exact []near
		for i, v := range all {
			exact = append(exact, near{i, cells.Dot(q, v)})
		}
		slices.SortFunc(exact, func(a, b near) int {
			if a.cos > b.cos {
				return -1
			}
			return 1
		})
		read := b.Order(q)[:b.Probes]
		for _, n := range exact[:10] {
			want++
			if cell, _ := b.Cell(all[n.at]); slices.Contains(read, cell) {
				hit++
			}
		}
	}
	if float64(hit) < 0.95*float64(want) {
		t.Errorf("found %d of %d", hit, want)
	}
}

// TestNothingToDivide: vectors without any structure are not worth dividing.
func TestNothingToDivide(t *testing.T) {
	t.Parallel()
	all := clustered(4000, 4000, 0, 5)
	b, _ := measured(t, learn(t, all, cells.Count(len(all))), all)
	if b.Probes != 0 || b.Recall != 1 {
		t.Errorf("%d of %d cells, recall %v", b.Probes, b.Cells(), b.Recall)
	}
}

func TestDegenerateSamples(t *testing.T) {
	t.Parallel()
	same := make([][]float32, 500)
	for i := range same {
		same[i] = clustered(1, 1, 0, 9)[0]
	}
	if b, err := cells.Learn(t.Context(), same, dims, 20, func() {}); err != nil {
		t.Errorf("equal vectors: %v, %v", b, err)
	} else if b != nil { // whatever was made must hold them
		if cell, cos := b.Cell(same[0]); int(cell) >= b.Cells() || cos < 0.99 {
			t.Errorf("equal vectors: cell %d of %d, cosine %v", cell, b.Cells(), cos)
		}
	}
	for _, n := range []int{0, 1, 7, 15} {
		if b, err := cells.Learn(t.Context(), clustered(n, n+1, 0.5, 2), dims, 10, func() {}); b != nil || err != nil {
			t.Errorf("%d vectors: %v, %v", n, b, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := cells.Learn(ctx, clustered(3000, 30, 0.5, 2), dims, 50, func() {}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestNoCellTellsOfOne: the centre of a cell is never the vector of a single passage.
func TestNoCellTellsOfOne(t *testing.T) {
	t.Parallel()
	all := clustered(2000, 20, 0.3, 6)
	all = append(all, clustered(1, 1, 0, 77)...) // far from all others
	b := learn(t, all, 300)                      // far more cells than groups
	alone := all[len(all)-1]
	if _, cos := b.Cell(alone); cos > 0.999 {
		t.Errorf("a centre is the vector of one passage: cosine %v", cos)
	}
}

func TestEncodeDecode(t *testing.T) {
	t.Parallel()
	all := clustered(3000, 30, 0.5, 4)
	b := learn(t, all, 60)
	p := b.Encode()
	got, err := cells.Decode(p, dims)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range all[:100] {
		c1, s1 := b.Cell(v)
		c2, s2 := got.Cell(v)
		if c1 != c2 || s1 != s2 {
			t.Fatalf("cell %d %v, then %d %v", c1, s1, c2, s2)
		}
	}
	nan := slices.Clone(p)
	copy(nan[len(nan)-4:], []byte{0, 0, 0xc0, 0x7f})
	starts := slices.Clone(p)
	starts[12] = 0xff
	for name, bad := range map[string][]byte{"empty": nil, "short": p[:len(p)-4], "odd": p[:len(p)-1], "not finite": nan, "starts": starts,
		"many": {255, 255, 255, 255, 255, 255, 255, 255}} {
		if _, err := cells.Decode(bad, dims); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if _, err := cells.Decode(p, dims+1); err == nil {
		t.Error("other dimensions were read")
	}
}

func FuzzDecode(f *testing.F) {
	all := clustered(200, 4, 0.5, 4)
	if b, err := cells.Learn(context.Background(), all, dims, 4, func() {}); err == nil && b != nil {
		f.Add(b.Encode())
	}
	f.Add([]byte{1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0})
	f.Fuzz(func(_ *testing.T, p []byte) {
		b, err := cells.Decode(p, dims)
		if err != nil {
			return
		}
		v := make([]float32, dims)
		v[0] = 1
		_, _ = b.Cell(v)
		_ = b.Order(v)
	})
}
