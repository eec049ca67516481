package local

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// All needles are found wherever they stand, in a text and in a stream that comes in any
// pieces, and nothing else is.
func TestNeedlesAreFound(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 13)) //nolint:gosec // a seed
	pieces := func(n int) (out []string) {
		for range n {
			out = append(out, fmt.Sprintf("%016x", r.Uint64()))
		}
		return out
	}
	for _, count := range []int{0, 1, 300, 20_000} {
		wanted, others := pieces(count), pieces(1000)
		n := newNeedles()
		for _, w := range wanted {
			n.add(w)
		}
		if len(n.set) != count || len(n.filter)*64 < count*bitsOfNeedle {
			t.Fatalf("%d needles and %d bits of %d", len(n.set), len(n.filter)*64, count)
		}
		text := strings.Join(others, "-")
		if found := n.inText(text); len(found) != 0 {
			t.Errorf("of %d needles %d are found in a text without them", count, len(found))
		}
		text += "x" + strings.Join(wanted, "yz")
		if found := n.inText(text); len(found) != count {
			t.Errorf("of %d needles %d are found in a text", count, len(found))
		}
		for name, in := range map[string]func() (map[uint64]struct{}, error){
			"whole": func() (map[uint64]struct{}, error) { return n.in(t.Context(), strings.NewReader(text)) },
			"halves": func() (map[uint64]struct{}, error) {
				return n.in(t.Context(), iotest.HalfReader(strings.NewReader(text)))
			},
			"bytes": func() (map[uint64]struct{}, error) {
				return n.in(t.Context(), iotest.OneByteReader(strings.NewReader(text)))
			},
		} {
			if found, err := in(); err != nil || len(found) != count {
				t.Errorf("of %d needles %d are found in a stream, %s: %v", count, len(found), name, err)
			}
		}
	}
}

// A removal that waits holds little, and looking through a row of the memory allocates no
// buffer.
func TestNeedlesAreSmall(t *testing.T) {
	n := newNeedles()
	n.add(strings.Repeat("A note of some length, with a harbour and a crane. ", 40))
	const most = 32 << 10
	if held := len(n.filter) * 8; held == 0 || held > most {
		t.Errorf("the filter for %d needles has %d bytes, want %d at most", len(n.set), held, most)
	}
	text := strings.Repeat("Another note. ", 100)
	if got := testing.AllocsPerRun(100, func() { n.inText(text) }); got > 2 {
		t.Errorf("looking through a text takes %v allocations, want 2: the search and what it finds", got)
	}
}
