package postgres

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// scansOf is how often an index was used, by this connection and by those that have told.
func scansOf(t *testing.T, conn *pgxpool.Conn, index string) (n int) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), "select pg_stat_force_next_flush()"); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), "select idx_scan from pg_stat_all_indexes where indexrelid = $1::text::regclass", index).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Passages that were put a moment ago are found by the indexes, though the planner knows
// nothing of them: to rank all of them one by one takes seconds in a large memory.
func TestIndexesBeforeStatistics(t *testing.T) {
	t.Parallel()
	m := open(t)
	schema := m.server.schema
	admin(t, "alter table "+schema+".passage set (autovacuum_enabled = off)", "alter table "+schema+".doc set (autovacuum_enabled = off)")
	model := evidence.Model{Name: "m", Revision: "1", Dims: 2}
	doc, pieces := textDoc(1, ""), evidence.Chunks{Model: model}
	for i := range fewNear + 500 {
		from := len(doc.Text)
		doc.Text += fmt.Sprintf("Number %d is a zanzibar. ", i)
		pieces.Items = append(pieces.Items, evidence.Chunk{Start: from, End: len(doc.Text), Vector: []float32{float32(math.Cos(float64(i) / 1000)), float32(math.Sin(float64(i) / 1000))}})
	}
	doc.Retrieved = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	if _, err := m.Put(t.Context(), doc, pieces); err != nil {
		t.Fatal(err)
	}
	s, ok, err := m.findSpace(t.Context(), m.pool, model)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	admin(t, "alter table "+schema+"."+s.table()+" set (autovacuum_enabled = off)")
	conn, err := m.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	used := func(index, what string, f func(tx pgx.Tx) error) {
		t.Helper()
		before := scansOf(t, conn, index)
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), "select set_config($1, $2, true)", tenantSetting, m.tenant); err != nil {
			t.Fatal(err)
		}
		if err := f(tx); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		var sort string
		if err := tx.QueryRow(t.Context(), "show enable_sort").Scan(&sort); err != nil || sort != "on" {
			t.Errorf("%s leaves enable_sort = %s, %v", what, sort, err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := scansOf(t, conn, index); after <= before {
			t.Errorf("%s: the index %s was not used", what, index)
		}
	}
	total, err := m.counted(t.Context(), m.pool, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, since := range map[string]time.Time{"all": {}, "those since a year ago": doc.Retrieved.AddDate(-1, 0, 0)} {
		q, err := m.prepareQuery(evidence.RecallQuery{Text: "zanzibar 7", Vector: []float32{1, 1}, Model: model, K: 3, Since: since})
		if err != nil {
			t.Fatal(err)
		}
		if m.server.bm25 {
			used(schema+".passage_bm", "words of "+name, func(tx pgx.Tx) error {
				stats, err := m.termStats(t.Context(), tx, q.terms, total)
				if err != nil {
					return err
				}
				found, err := m.matchingIndexed(t.Context(), tx, q, stats)
				if err == nil && len(found) < q.depth {
					t.Errorf("%d passages, want %d", len(found), q.depth)
				}
				return err
			})
		}
		used(schema+"."+s.table()+"_v", "vectors of "+name, func(tx pgx.Tx) error {
			found, err := m.nearest(t.Context(), tx, q, s, q.vector, total.chunks)
			if err == nil && len(found) < nearDepth {
				t.Errorf("%d passages, want %d", len(found), nearDepth)
			}
			return err
		})
	}
}
