package local

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// counted counts how many times what has vectors is counted.
type counted struct {
	lacksQuerier
	n *int
}

func (c counted) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if strings.Contains(query, "count(*) FROM vec") {
		*c.n++
	}
	return c.lacksQuerier.QueryRowContext(ctx, query, args...)
}

// lacksAny asks l, and counts.
func lacksAny(t *testing.T, l *Local, model int64) (any, want bool, counts int) {
	t.Helper()
	err := l.read(t.Context(), "asking", func(tx *sql.Tx) error {
		var err error
		if any, err = l.lacks.any(t.Context(), counted{tx, &counts}, model); err != nil {
			return err
		}
		have, total, err := coverage(t.Context(), tx, model)
		want = have < total
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return any, want, counts
}

// Whether documents lack vectors is known to be as it is counted, whatever this process and
// another do.
func TestLacksAsCounted(t *testing.T) {
	t.Parallel()
	const docs, steps = 6, 400
	dir := t.TempDir()
	both := []*Local{openIn(t, dir), openIn(t, dir)}
	row, err := both[0].spaceOf(t.Context(), nextModel)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[bool]int{}
	for step := range steps {
		l, d := both[r.IntN(2)], textDoc(r.IntN(docs), fmt.Sprintf("Page %d of the ledger.", r.IntN(2)))
		switch r.IntN(5) {
		case 0:
			keep(t, l, d)
		case 1:
			c := evidence.Chunks{Model: nextModel, Items: []evidence.Chunk{{End: len(d.Text), Vector: []float32{0, 1}}}}
			if _, err := l.Put(t.Context(), d, c); err != nil {
				t.Fatal(err)
			}
		case 2:
			if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{d.ID}}); err != nil {
				t.Fatal(err)
			}
		default: // some of them, or all
			left := r.IntN(docs)
			_, _ = l.FillVectors(t.Context(), nextModel, func(_ context.Context, texts []string) ([][]float32, error) {
				if left -= len(texts); left < 0 {
					return nil, context.Canceled
				}
				return nextVectors(texts), nil
			}, nil)
		}
		any, want, _ := lacksAny(t, both[r.IntN(2)], row.id)
		if any != want {
			t.Fatalf("step %d: documents lack vectors = %v, counted %v", step, any, want)
		}
		seen[any]++
	}
	if seen[true] < steps/10 || seen[false] < steps/10 {
		t.Errorf("documents lacked vectors, or not: %v times: the test sees only one of them", seen)
	}
}

// What is put and filled in one after the other is looked at by itself: nothing is counted.
func TestLacksCountsOnce(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	row, err := l.spaceOf(t.Context(), nextModel)
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	ask := func(want bool) {
		t.Helper()
		any, _, n := lacksAny(t, l, row.id)
		if all += n; any != want {
			t.Errorf("documents lack vectors = %v, want %v", any, want)
		}
	}
	embed := func(_ context.Context, texts []string) ([][]float32, error) {
		ask(true)
		return nextVectors(texts), nil
	}
	for i := range 3 * fillBatch {
		keep(t, l, textDoc(i, "A page of the ledger."))
		ask(true)
	}
	if _, err := l.FillVectors(t.Context(), nextModel, embed, nil); err != nil {
		t.Fatal(err)
	}
	ask(false)
	if all != 2 { // at the start, and when the last one had got its vectors
		t.Errorf("it was counted %d times, want 2", all)
	}
	for i := range 50 { // as in a conversation
		d := textDoc(100+i, "What was said.")
		c := evidence.Chunks{Model: nextModel, Items: []evidence.Chunk{{End: len(d.Text), Vector: []float32{0, 1}}}}
		if _, err := l.Put(t.Context(), d, c); err != nil {
			t.Fatal(err)
		}
		ask(false)
	}
	if all != 2 {
		t.Errorf("it was counted %d times, want 2", all)
	}
}
