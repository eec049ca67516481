package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/memory/contract"
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

// tryLock takes a lock of the cluster, which the end of its connection frees: that of a
// killed process too. It returns ErrFilling if another one has it.
func (m *Memory) tryLock(ctx context.Context, purpose string) (release func(), err error) {
	conn, err := m.pool.Acquire(ctx)
	if err != nil {
		return nil, m.failed("taking a lock", err)
	}
	var got bool
	if err := conn.QueryRow(ctx, "select pg_try_advisory_lock($1)", m.key(purpose)).Scan(&got); err != nil || !got {
		conn.Release()
		if err == nil {
			return nil, contract.ErrFilling
		}
		return nil, m.failed("taking a lock", err)
	}
	return func() {
		ctx := context.WithoutCancel(ctx)
		if _, err := conn.Exec(ctx, "select pg_advisory_unlock($1)", m.key(purpose)); err != nil {
			_ = conn.Conn().Close(ctx) // with it, the lock is gone
		}
		conn.Release()
	}, nil
}
