package local

import (
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/memory/cells"
)

func TestDriftAndGrowth(t *testing.T) {
	t.Parallel()
	book := &cells.Book{Dims: 2, Learned: 30_000, Spread: 0.6}
	type some struct {
		n   int
		cos float32
	}
	for name, c := range map[string]struct {
		came []some
		n    int
		want bool
	}{
		"as learned":       {nil, 30_000, false},
		"grown a little":   {[]some{{9000, 0.57}}, 39_000, false},
		"grown much":       {[]some{{70_000, 0.6}}, 100_000, true},
		"shrunk":           {nil, 9_000, true},
		"another subject":  {[]some{{6000, 0.4}}, 36_000, true},
		"few of another":   {[]some{{1000, 0.1}}, 31_000, false},
		"nearer than ever": {[]some{{6000, 0.9}}, 36_000, false},
		"another at last":  {[]some{{40_000, 0.58}, {5000, 0.3}}, 75_000, true},
		"another for once": {[]some{{5000, 0.3}, {40_000, 0.58}}, 75_000, true},
	} {
		var d drift
		for _, s := range c.came {
			for range s.n {
				d.add(book, s.cos)
			}
		}
		if got := d.stale(book, c.n); got != c.want {
			t.Errorf("%s: stale = %v", name, got)
		}
	}
}

// TestDriftOutlivesTheProcess: what few vectors of each start are of another subject is
// noticed when they are many.
func TestDriftOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	onceUnderRace(t)
	dir := t.TempDir()
	l := divided(t, dir)
	version := cellSpace(t, l).bookVersion()
	for i := range 3 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = openIn(t, dir)
		if cellSpace(t, l).tidyWork() == learnCells {
			t.Fatalf("after %d of another subject the cells are learned anew", 2000*i)
		}
		for j := range 2 {
			d, c := newThemed(uint64(50+2*i+j)).doc(200+2*i+j, 1000)
			for k := range c.Items { // in half of the dimensions
				c.Items[k].Vector = slices.Concat(newThemed(uint64(3000 + 100*i + k%50)).vector()[:cellDims/2], make([]float32, cellDims/2))
			}
			if _, err := l.Put(t.Context(), d, c); err != nil {
				t.Fatal(err)
			}
		}
		cellSpace(t, l)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openIn(t, dir)
	waitForCells(t, l)
	if s := cellSpace(t, l); s.bookVersion() == version {
		t.Errorf("the cells are those of before: drift %+v, spread %v", s.fresh, s.book.Spread)
	}
}
