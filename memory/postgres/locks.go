package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// lockDoc is findDoc, and keeps others from storing, changing or removing the document
// until the transaction ends. The locks are taken by statements before the one that reads:
// a statement that waits for a lock has looked at the rest of its rows before it waited.
func (m *Memory) lockDoc(ctx context.Context, tx pgx.Tx, uid string) (storedDoc, error) {
	b := &pgx.Batch{}
	b.Queue("select pg_advisory_xact_lock($1)", m.key(lockDoc+uid)) // it may not be stored yet
	b.Queue("select 1 from doc where tenant = $1 and uid = $2 for update", m.tenant, uid)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return storedDoc{}, err
	}
	return m.findDoc(ctx, tx, uid)
}

// lockDocs keeps others from changing documents, named by their id or uid, until the
// transaction ends. What a later statement reads of them is as it stays.
func (m *Memory) lockDocs(ctx context.Context, tx pgx.Tx, by string, docs any) error {
	_, err := tx.Exec(ctx, "select 1 from doc where tenant = $1 and "+by+" = any($2) order by id for update", m.tenant, docs)
	return err
}
