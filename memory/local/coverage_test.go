package local

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// querying counts the queries.
type querying struct {
	querier
	n int
}

func (q *querying) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	q.n++
	return q.querier.QueryRowContext(ctx, query, args...)
}

// Of a memory ten times as large, as many counts are made: each takes ten times as long.
func TestFillCountsRarely(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	for _, total := range []int{100_000, 1_000_000} {
		execOn(t, l.path, fmt.Sprintf("UPDATE tally SET n=%d WHERE name='documents'", total))
		q, e := &querying{querier: l.rdb}, newEmbedding(&contract.Progress{})
		for looked := 0; looked < total; looked += fillBatch {
			if all, err := e.count(t.Context(), q, 1); err != nil || all {
				t.Fatalf("count = %v, %v", all, err)
			}
			e.owed, e.handed = e.owed-fillBatch, fillBatch
		}
		if most := countParts/fillBatch + 1; q.n > most {
			t.Errorf("what has vectors of %d documents was counted %d times, want at most %d", total, q.n, most)
		}
	}
}

// The progress never goes back, and is right at the end, also where documents are put,
// changed and removed between two counts.
func TestProgressBetweenCounts(t *testing.T) {
	t.Parallel()
	const docs = 2*countParts + 100 // counted every third time
	for _, reindex := range []bool{false, true} {
		l := openIn(t, t.TempDir())
		putMany(t, l, docs)
		batches := 0
		embed := func(_ context.Context, texts []string) ([][]float32, error) {
			if batches++; batches == 50 {
				keep(t, l, textDoc(docs, "A new page of the ledger."))
				keep(t, l, textDoc(docs-1, "Another page of the ledger."))
				keep(t, l, textDoc(0, "Another page of the ledger."))
				if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{textDoc(1, "").ID, textDoc(docs-2, "").ID}}); err != nil {
					t.Error(err)
				}
			}
			return nextVectors(texts), nil
		}
		last, steps, fill := 0, map[int]bool{}, l.FillVectors
		if reindex {
			fill = l.Reindex
		}
		p, err := fill(t.Context(), nextModel, embed, func(p contract.Progress) {
			if p.Done < last && p.Total != docs-1 {
				t.Errorf("reindex %v: %d documents were done, now %d of %d", reindex, last, p.Done, p.Total)
			}
			last, steps[p.Done] = p.Done, true
		})
		if err != nil || p.Done != docs-1 || p.Total != docs-1 || p.Skipped != 0 || last != p.Done {
			t.Errorf("reindex %v: %+v, %v, want %d documents", reindex, p, err, docs-1)
		}
		if q, err := l.MissingVectors(t.Context(), nextModel); err != nil || q.Documents != 0 {
			t.Errorf("reindex %v: %+v, %v are missing", reindex, q, err)
		}
		if per := docs / batchDocs; len(steps) < per {
			t.Errorf("reindex %v: the progress has %d steps, want one for each batch, %d", reindex, len(steps), per)
		}
	}
}

// putMany puts documents of one chunk in few transactions.
func putMany(t testing.TB, l *Local, docs int) {
	t.Helper()
	for at := 0; at < docs; at += 1000 {
		err := l.write(t.Context(), "putting documents", func(tx *sql.Tx) error {
			for i := at; i < min(docs, at+1000); i++ {
				e, err := l.prepareEntry(textDoc(i, fmt.Sprintf("Page %d of the ledger.", i)), evidence.Chunks{})
				if err != nil {
					return err
				}
				if err := putEntry(t.Context(), tx, e, &evidence.Receipt{}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
