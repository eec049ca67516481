package local

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

func testSpace(t *testing.T, dims int) *space {
	t.Helper()
	s, err := newSpace(evidence.Model{Name: "m", Dims: dims}, usual)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func chunksOf(found []near) []int64 {
	out := []int64{}
	for _, n := range found {
		out = append(out, n.chunk)
	}
	return out
}

func TestSpaceRefusesWhatChromemAccepts(t *testing.T) {
	t.Parallel()
	s := testSpace(t, 2)
	if err := s.add(t.Context(), 1, slab{first: 10, v: []float32{1, 0, 0, 1}}, nil); err != nil {
		t.Fatal(err)
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, v := range map[string][]float32{
		"another dimension":   {1, 0, 0},
		"not a number":        {nan, 0},
		"infinite":            {inf, 0},
		"not of length 1":     {3, 4},
		"one bad row of many": {0, 1, nan, 1},
	} {
		if err := s.add(t.Context(), 2, slab{first: 20, v: v}, nil); err == nil {
			t.Errorf("add(%s) was taken", name)
		}
	}
	got, err := s.query(t.Context(), []float32{1, 0}, 1000) // more than there are
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{10, 11}, chunksOf(got)); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	if _, err := newSpace(evidence.Model{Name: "m"}, usual); err == nil {
		t.Error("a space without dimensions was made")
	}
}

func TestSpaceReplacesAndRemoves(t *testing.T) {
	t.Parallel()
	s := testSpace(t, 2)
	for doc := range int64(5) {
		if err := s.add(t.Context(), doc+1, slab{first: 10 * doc, v: []float32{1, 0, 0, 0, 0, 1}}, nil); err != nil { // the middle one has none
			t.Fatal(err)
		}
	}
	if err := s.add(t.Context(), 1, slab{first: 100, v: []float32{0, 1}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.add(t.Context(), 2, slab{first: 200, v: []float32{0, 0}}, nil); err != nil { // a document without any
		t.Fatal(err)
	}
	for _, doc := range []int64{2, 3, 99} { // without vectors, with some, unknown
		if err := s.remove(doc); err != nil {
			t.Fatal(err)
		}
	}
	if n, docs := s.size(); n != 5 || docs != 3 || s.cells[0].Count() != 5 {
		t.Errorf("size = %d vectors of %d documents, %d in the collection; want 5 of 3, 5", n, docs, s.cells[0].Count())
	}
	got, err := s.query(t.Context(), []float32{0, 1}, 3)
	if err != nil || len(got) != 3 || got[0].cos < 0.99 || got[2].cos < 0.99 {
		t.Errorf("query = %+v, %v", got, err)
	}
	only, err := s.scan(t.Context(), []float32{0, 1}, 9, map[int64]bool{1: true, 3: true})
	if diff := cmp.Diff([]int64{100}, chunksOf(only)); diff != "" || err != nil {
		t.Errorf("scan of the allowed (-want +got):\n%s%v", diff, err)
	}
}

func TestSpaceReportsCancellation(t *testing.T) {
	t.Parallel()
	s := testSpace(t, 2)
	if err := s.add(t.Context(), 1, slab{first: 1, v: []float32{1, 0}}, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := s.query(ctx, []float32{1, 0}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("query = %v, %v, want the context's error", got, err)
	}
	if got, err := s.scan(ctx, []float32{1, 0}, 1, map[int64]bool{1: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("scan = %v, %v, want the context's error", got, err)
	}
	if err := s.add(ctx, 2, slab{first: 2, v: []float32{1, 0}}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("add = %v, want the context's error", err)
	}
}

func TestKeysOfChunksAreUnique(t *testing.T) {
	t.Parallel()
	for _, p := range [][2]int64{{0, 0}, {1, 5870}, {118139, 1}, {math.MaxInt64, math.MaxInt64 - 2}} {
		for i, id := range keys(p[0], p[1], 3) {
			if doc, chunk := unkey(id); doc != p[0] || chunk != p[1]+int64(i) {
				t.Errorf("key %d of %v is that of %d, %d", i, p, doc, chunk)
			}
		}
	}
}
