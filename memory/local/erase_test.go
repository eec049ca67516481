package local

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// Split pages may contain copies of rows that SQLite does not know of. Nothing
// of forgotten documents may remain in them.
func TestForgetLeavesNoCopyInSplitPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	r := rand.New(rand.NewPCG(3, 4))
	text := func(i int, verb string) string {
		return fmt.Sprintf("The unique%05dmark %s here. ", i, verb) + strings.Repeat(fmt.Sprintf("filler%d ", r.IntN(100)), r.IntN(300))
	}
	const n = 150
	var docs []evidence.Document
	for i := range n {
		d := textDoc(i, text(i, "stands"))
		docs = append(docs, d)
		if _, err := l.Put(t.Context(), d, evidence.Chunks{}); err != nil {
			t.Fatal(err)
		}
	}
	for range n { // rows that grow and shrink move others
		d := docs[r.IntN(n)]
		var i int
		if _, err := fmt.Sscanf(d.URL, "https://x.test/%d", &i); err != nil {
			t.Fatal(err)
		}
		d.Text = text(i, "stood")
		if _, err := l.Put(t.Context(), d, evidence.Chunks{}); err != nil {
			t.Fatal(err)
		}
	}
	forgotten, found := 0, 0
	for i := 0; i < n; i += 12 {
		forgotten++
		rec, err := l.Forget(t.Context(), contract.Selector{IDs: []string{docs[i].ID}})
		if err != nil || len(rec.Warnings) > 0 {
			t.Fatalf("Forget = %+v, %v", rec, err)
		}
		for _, path := range []string{l.path, l.path + "-wal"} {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, left := range []string{fmt.Sprintf("unique%05dmark", i), docs[i].ID} {
				if bytes.Contains(b, []byte(left)) {
					found++
					t.Errorf("%s holds %q after it was forgotten", path, left)
				}
			}
		}
	}
	t.Logf("forgotten bytes: %d documents forgotten among %d, words or ids of %d found in the files", forgotten, n, found)
	if rep, err := l.Check(t.Context()); err != nil || !rep.OK {
		t.Errorf("Check = %+v, %v", rep, err)
	}
}

func TestNeedles(t *testing.T) {
	t.Parallel()
	n := newNeedles()
	n.add("What was removed stands here, long enough to be found again.")
	for _, c := range []struct {
		name, in string
		want     bool
	}{
		{"whole", "xxWhat was removed stands here, long enough to be found again.yy", true},
		{"a piece", "x removed stands here, long enough", true},
		{"behind much", strings.Repeat("a", 3<<20-9) + "s removed stands here, long enough", true},
		{"nothing", strings.Repeat("another text altogether ", 1000), false},
		{"empty", "", false},
	} {
		if got, err := n.in(t.Context(), strings.NewReader(c.in)); len(got) > 0 != c.want || err != nil {
			t.Errorf("%s: in = %v, %v, want %v", c.name, got, err, c.want)
		}
	}
}

// Removals that wait for one another are erased together: the first erases the bytes of all,
// and the others find nothing to do.
func TestForgetsThatWaitAreErasedTogether(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	var waiting []*forgetting
	var marks []string
	for i := range 4 {
		marks = append(marks, fmt.Sprintf("unique%05dmark", i))
		d := textDoc(i, "The "+marks[i]+" stands here.")
		keep(t, l, d)
		if i == 3 {
			break // it stays
		}
		f, err := l.forgetRows(t.Context(), contract.Selector{IDs: []string{d.ID}, Confirm: true})
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, f)
	}
	if n := pendingCount(t, l); n != len(waiting) {
		t.Fatalf("%d removals are due, want %d", n, len(waiting))
	}
	for i, f := range waiting {
		if l.erased(t.Context(), f) != (i > 0) {
			t.Errorf("removal %d, erased: %v", i, l.erased(t.Context(), f))
		}
		if said := l.finishErasure(t.Context(), f); len(said) != 0 {
			t.Errorf("removal %d: %q", i, said)
		}
		if n := pendingCount(t, l); n != 0 {
			t.Errorf("after removal %d %d are due", i, n)
		}
	}
	for i, mark := range marks {
		if left := holding(t, filepath.Dir(l.path), mark); (len(left) > 0) != (i == 3) {
			t.Errorf("%s is in %q", mark, left)
		}
	}
}
