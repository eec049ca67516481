package local

import (
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

func TestPackerFillsBlocks(t *testing.T) {
	t.Parallel()
	p := packer{expected: 3 * blockFloats}
	given := 0
	for given < 3*blockFloats-2000 {
		given += len(p.take(1000))
	}
	if got := len(p.take(blockFloats)); got != blockFloats {
		t.Errorf("a large part has %d numbers", got)
	}
	small := packer{expected: 500}
	if small.take(100); cap(small.left) != 400 {
		t.Errorf("the block of a small memory has %d numbers left, want 400", cap(small.left))
	}
	a, b := small.take(10), small.take(10)
	if a = append(a, 1); b[0] != 0 {
		t.Error("a part can grow into the next", a)
	}
}

// TestPackingKeepsVectors: when many of the vectors that were loaded together are gone, the
// others get a new place, and are found as before.
func TestPackingKeepsVectors(t *testing.T) {
	t.Parallel()
	const dims, docs, each = 384, 300, 10
	s, err := newSpace(evidence.Model{Name: "m", Revision: "1", Dims: dims}, usual)
	if err != nil {
		t.Fatal(err)
	}
	blocks := packer{expected: docs * each * dims}
	was := map[int64]slab{}
	for doc := range int64(docs) {
		sl := slab{first: doc * each, v: blocks.take(each * dims), packed: true}
		for i := range each { // no two are equal
			sl.v[i*dims+int(doc)], sl.v[i*dims+docs+i] = 0.6, 0.8
		}
		if err := s.add(t.Context(), doc, sl, nil); err != nil {
			t.Fatal(err)
		}
		was[doc] = sl
	}
	gone := func(doc int64) bool { return doc%2 == 0 }
	for doc := range was {
		if gone(doc) {
			if err := s.remove(doc); err != nil {
				t.Fatal(err)
			}
		}
	}
	q := slices.Clone(was[7].v[3*dims : 4*dims])
	before, err := s.query(t.Context(), q, 40)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.pack(func() {}); err != nil {
		t.Fatal(err)
	}
	for doc, old := range was {
		now, ok := s.docs[doc]
		if ok == gone(doc) {
			t.Fatalf("document %d is there: %v", doc, ok)
		}
		if ok && (sameSlab(old, now) || !slices.Equal(old.v, now.v) || now.first != old.first) {
			t.Fatalf("document %d has kept its place, or has other vectors", doc)
		}
	}
	after, err := s.query(t.Context(), q, 40)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := s.size(); n != docs*each/2 || s.gone != 0 || !slices.Equal(before[:1], after[:1]) || len(before) != 40 || len(after) != 40 {
		t.Errorf("%d vectors, %d numbers gone; found %v, then %v", n, s.gone, before[:1], after[:1])
	}
	docsNow := s.snapshot()
	if err := s.pack(func() {}); err != nil { // nothing is loose
		t.Fatal(err)
	}
	for doc, sl := range s.docs {
		if !sameSlab(sl, docsNow[doc]) {
			t.Fatal("vectors were moved again")
		}
	}
}
