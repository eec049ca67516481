package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// tally is what is counted, of the memory or of a model.
type tally struct{ documents, chunks, terms, bytes int64 }

// slots spread the counters over rows, so that writers do not wait for one another.
const slots = 16

// counting adds to the counters of $2, and the values from $3 on.
const counting = `insert into tally(tenant, model, slot, documents, chunks, terms, bytes) values($1, $2, pg_backend_pid() % $3, $4, $5, $6, $7)
	on conflict(tenant, model, slot) do update set documents = tally.documents + excluded.documents, chunks = tally.chunks + excluded.chunks,
		terms = tally.terms + excluded.terms, bytes = tally.bytes + excluded.bytes`

func (m *Memory) countArgs(model int, t tally) []any {
	return []any{m.tenant, model, slots, t.documents, t.chunks, t.terms, t.bytes}
}

// count adds to the counters. Callers count the memory before its models: two
// transactions in one slot must not wait for each other.
func (m *Memory) count(ctx context.Context, tx pgx.Tx, model int, t tally) error {
	if t == (tally{}) {
		return nil
	}
	_, err := tx.Exec(ctx, counting, m.countArgs(model, t)...)
	return err
}

func (m *Memory) queueCount(b *pgx.Batch, model int, t tally) {
	b.Queue(counting, m.countArgs(model, t)...)
}

// querier is a transaction or the pool.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// counted returns the counters of the memory (model 0) or of a model.
func (m *Memory) counted(ctx context.Context, q querier, model int) (t tally, err error) {
	err = q.QueryRow(ctx, `select coalesce(sum(documents), 0)::bigint, coalesce(sum(chunks), 0)::bigint, coalesce(sum(terms), 0)::bigint, coalesce(sum(bytes), 0)::bigint
		from tally where tenant = $1 and model = $2`, m.tenant, model).Scan(&t.documents, &t.chunks, &t.terms, &t.bytes)
	return t, err
}

// removePassages removes the passages of documents, with their vectors: those have tables
// that reference nothing (migrations/0006_vectors.sql).
func (m *Memory) removePassages(ctx context.Context, tx pgx.Tx, docs []int64) error {
	// Who adds vectors has the document's row, too: none come after they were removed.
	if _, err := tx.Exec(ctx, "select 1 from doc where tenant = $1 and id = any($2) order by id for update", m.tenant, docs); err != nil {
		return err
	}
	models, err := column[int](ctx, tx, "select id from model where tenant = $1 order by id", m.tenant)
	if err != nil {
		return err
	}
	var chunks, terms int64
	err = tx.QueryRow(ctx, "select coalesce(sum(chunks), 0)::bigint, coalesce(sum(terms), 0)::bigint from doc where tenant = $1 and id = any($2)", m.tenant, docs).Scan(&chunks, &terms)
	if err != nil {
		return err
	}
	if err := m.count(ctx, tx, 0, tally{chunks: -chunks, terms: -terms}); err != nil {
		return err
	}
	if err := m.uncountVectors(ctx, tx, docs); err != nil {
		return err
	}
	b := &pgx.Batch{}
	for _, id := range models {
		b.Queue("delete from "+space{id: id}.table()+" where tenant = $1 and doc = any($2)", m.tenant, docs)
	}
	b.Queue("delete from embedded where tenant = $1 and doc = any($2)", m.tenant, docs)
	b.Queue("delete from passage where tenant = $1 and doc = any($2)", m.tenant, docs)
	return tx.SendBatch(ctx, b).Close()
}

// uncountVectors takes documents out of the counters of the models.
func (m *Memory) uncountVectors(ctx context.Context, tx pgx.Tx, docs []int64) error {
	rows, err := tx.Query(ctx, `select e.model, count(*), coalesce(sum(d.chunks), 0)::bigint from embedded e join doc d on d.tenant = e.tenant and d.id = e.doc
		where e.tenant = $1 and e.doc = any($2) and e.missing = 0 group by e.model order by e.model`, m.tenant, docs)
	if err != nil {
		return err
	}
	type part struct {
		Model             int
		Documents, Chunks int64
	}
	parts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[part])
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := m.count(ctx, tx, p.Model, tally{documents: -p.Documents, chunks: -p.Chunks}); err != nil {
			return err
		}
	}
	return nil
}

// removeDocs removes documents from all tables but those of the conversations, and logs
// the changes.
func (m *Memory) removeDocs(ctx context.Context, tx pgx.Tx, docs []int64) error {
	if len(docs) == 0 {
		return nil
	}
	var n, size int64
	err := tx.QueryRow(ctx, "select count(*), coalesce(sum(bytes), 0)::bigint from doc where tenant = $1 and id = any($2)", m.tenant, docs).Scan(&n, &size)
	if err != nil {
		return err
	}
	if err := m.count(ctx, tx, 0, tally{documents: -n, bytes: -size}); err != nil {
		return err
	}
	if err := m.removePassages(ctx, tx, docs); err != nil {
		return err
	}
	b := &pgx.Batch{}
	b.Queue("delete from doc where tenant = $1 and id = any($2)", m.tenant, docs)
	b.Queue("insert into change(tenant, doc) select $1, unnest($2::bigint[])", m.tenant, docs)
	return tx.SendBatch(ctx, b).Close()
}
