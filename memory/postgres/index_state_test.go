package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// A memory that is opened while the index of words is made, or after that was broken off, does
// without it.
func TestIndexThatIsNotComplete(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := t.TempDir()
	m, err := openAt(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if !m.server.bm25 {
		t.Skip("not run: there is no pg_textsearch")
	}
	for i := range 20 {
		keep(t, m, textDoc(i, fmt.Sprintf("ledger number %d of blue", i)))
	}
	admin(t, "drop index "+m.server.bmIndex())
	writing := admin(t, "begin", "update "+schemaOf(dir)+".passage set ord = ord where doc = 1") // the index waits for its end
	making := admin(t, "set search_path = "+schemaOf(dir)+", public")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	made := make(chan error, 1)
	go func() {
		_, err := making.Exec(ctx, "create index concurrently "+bmName+" on passage "+bmForm)
		made <- err
	}()
	look := admin(t)
	eventually(t, "the index is begun", func() bool {
		var begun bool
		err := look.QueryRow(t.Context(), "select exists(select 1 from pg_index where indexrelid = to_regclass($1) and not indisvalid)", m.server.bmIndex()).Scan(&begun)
		return err == nil && begun
	})
	finds := func(when string) {
		t.Helper()
		other, err := openAt(t.Context(), contract.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close() //nolint:errcheck // it was opened to read
		r, err := other.Recall(t.Context(), evidence.RecallQuery{Text: "ledger 19", K: 1})
		if err != nil || len(r.Hits) != 1 || r.Hits[0].Document.ID != "d19" || other.server.bm25 {
			t.Errorf("%s: %d hits, %v, uses the index: %v", when, len(r.Hits), err, other.server.bm25)
		}
	}
	finds("while it is made")
	cancel()
	if err := <-made; err == nil {
		t.Fatal("the index was made")
	}
	if _, err := writing.Exec(t.Context(), "rollback"); err != nil {
		t.Fatal(err)
	}
	finds("after that was broken off")
}

// The passages are ranked once under a filter, also where the planner takes the documents that
// pass for fewer than they are.
func TestFilterRanksOnce(t *testing.T) {
	t.Parallel()
	m := open(t)
	if !m.server.bm25 {
		t.Skip("not run: there is no pg_textsearch")
	}
	schema, now := m.server.schema, time.Now()
	put := func(from, to int, at time.Time) {
		t.Helper()
		for i := from; i < to; i++ {
			text, c := "", evidence.Chunks{}
			for j := range 20 {
				piece := fmt.Sprintf("ledger number %d of a town %s. ", i*20+j, strings.Repeat("x", j+1))
				c.Items = append(c.Items, evidence.Chunk{Start: len(text), End: len(text) + len(piece)})
				text += piece
			}
			d := textDoc(i, text)
			d.Retrieved = at
			if _, err := m.Put(t.Context(), d, c); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(0, 300, now.Add(-1000*time.Hour))
	admin(t, "alter table "+schema+".doc set (autovacuum_enabled = off)", "alter table "+schema+".passage set (autovacuum_enabled = off)",
		"vacuum analyze "+schema+".doc", "vacuum analyze "+schema+".passage")
	put(300, 329, now)
	q, err := m.prepareQuery(evidence.RecallQuery{Text: "ledger of a town", K: 5, Since: now.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	total, err := m.counted(t.Context(), m.pool, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := m.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	before := scansOf(t, conn, schema+".passage_bm")
	err = pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), "select set_config($1, $2, true)", tenantSetting, m.tenant); err != nil {
			return err
		}
		stats, err := m.termStats(t.Context(), tx, q.terms, total)
		if err != nil {
			return err
		}
		found, err := m.matchingIndexed(t.Context(), tx, q, stats)
		if err == nil && len(found) < q.K {
			t.Errorf("%d passages match", len(found))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := scansOf(t, conn, schema+".passage_bm") - before; n < 1 || n > 4 {
		t.Errorf("the index of words was read %d times", n)
	}
}

// Servers are told apart whatever the digits of their ports.
func TestHostsOfStandbys(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]int{
		"postgres://u@10.0.0.1:15432,10.0.0.11:5432/db?sslmode=disable": 2,
		"postgres://u@h:5432,h:5433,h:5432/db?sslmode=prefer":           2,
		"postgres://u@h/db?sslmode=prefer":                              0,
	} {
		cfg, err := parse(url)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if s := newStandbys(cfg); s != nil {
			n = len(s.hosts)
		}
		if n != want {
			t.Errorf("%s: %d servers, want %d", url, n, want)
		}
	}
}

// A caller whose time is over says nothing of the server.
func TestEndedCallerAndServer(t *testing.T) {
	t.Parallel()
	m := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := m.read(ctx, "testing", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "select pg_sleep(60)")
		return err
	})
	if err == nil || m.away.Load() != 0 {
		t.Errorf("read = %v, and the server counts as away: %v", err, m.away.Load() != 0)
	}
}
