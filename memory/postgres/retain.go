package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// batchRetained is how many documents one transaction removes; others write
// between two.
const batchRetained = 200

// Retain removes what is older than Config.Keep allows, and then the oldest of what is too
// much; see contract.Retainer. Pinned documents are kept, and count. Answers that cite
// removed documents are kept. Of several processes, one removes at a time.
func (m *Memory) Retain(ctx context.Context) (evidence.Receipt, error) {
	r := evidence.Receipt{IDs: []string{}}
	for more := true; more; {
		var found, removed []aged
		var total tally
		err := m.write(ctx, "removing old documents", func(tx attempt) error {
			if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1)", m.key(lockRetain)); err != nil {
				return err
			}
			if tx.again { // an attempt whose answer was lost may have removed them
				gone, err := m.areGone(ctx, tx, removed)
				if err != nil || gone {
					return err
				}
			}
			var err error
			if found, err = m.tooOld(ctx, tx); err != nil {
				return err
			}
			if removed, err = m.lockOld(ctx, tx, found); err != nil {
				return err
			}
			ids := make([]int64, 0, len(removed))
			for _, d := range removed {
				ids = append(ids, d.id)
			}
			if err := m.removeDocs(ctx, tx, ids); err != nil {
				return err
			}
			total, err = m.counted(ctx, tx, 0)
			return err
		})
		if err != nil {
			return r, err
		}
		for _, d := range removed {
			r.IDs, r.Chunks, r.Documents = append(r.IDs, d.uid), r.Chunks+d.chunks, r.Documents+1
		}
		r.Remaining = int(total.documents)
		more = len(found) == batchRetained
	}
	if err := m.trimChanges(ctx); err != nil {
		return r, err
	}
	if err := m.write(ctx, "shortening the log of removals", func(tx attempt) error { return m.tidyWipes(ctx, tx) }); err != nil {
		return r, err
	}
	return r, m.checkWords(ctx)
}

// areGone reports whether an attempt has removed documents.
func (m *Memory) areGone(ctx context.Context, tx pgx.Tx, removed []aged) (gone bool, err error) {
	ids := make([]int64, 0, len(removed))
	for _, d := range removed {
		ids = append(ids, d.id)
	}
	err = tx.QueryRow(ctx, "select not exists(select 1 from doc where tenant = $1 and id = any($2))", m.tenant, ids).Scan(&gone)
	return gone && len(ids) > 0, err
}

// checkWords has old words made anew that an older program has stored since this one was
// started.
func (m *Memory) checkWords(ctx context.Context) error {
	return m.read(ctx, "looking for old words", func(tx pgx.Tx) error {
		old, err := m.haveOldWords(ctx, tx)
		if old {
			m.followWords()
		}
		return err
	})
}

type aged struct {
	id     int64
	uid    string
	chunks int
	at     time.Time
}

// tooOld returns the next documents to remove, oldest first.
func (m *Memory) tooOld(ctx context.Context, tx pgx.Tx) ([]aged, error) {
	keep := m.cfg.Keep
	if keep.IsZero() {
		return nil, ctx.Err()
	}
	t, err := m.counted(ctx, tx, 0)
	if err != nil {
		return nil, err
	}
	total, oldest := t.bytes, m.now().Add(-keep.MaxAge)
	var out []aged
	err = eachRow(ctx, tx, func(row pgx.Row) error {
		var a aged
		var bytes int64
		if err := row.Scan(&a.id, &a.uid, &bytes, &a.at, &a.chunks); err != nil {
			return err
		}
		if keep.MaxAge > 0 && a.at.Before(oldest) || keep.MaxBytes > 0 && total > keep.MaxBytes {
			out = append(out, a)
			total -= bytes
		}
		return nil
	}, "select id, uid, bytes, retrieved, chunks from doc where tenant = $1 and not pinned order by retrieved, id limit $2", m.tenant, batchRetained)
	return out, err
}

// lockOld keeps others from changing the documents that are to be removed, and leaves out
// those that were pinned or retrieved again since they were found.
func (m *Memory) lockOld(ctx context.Context, tx pgx.Tx, found []aged) ([]aged, error) {
	if len(found) == 0 {
		return nil, nil
	}
	ids := make([]int64, 0, len(found))
	for _, d := range found {
		ids = append(ids, d.id)
	}
	if err := m.lockDocs(ctx, tx, "id", ids); err != nil {
		return nil, err
	}
	still := map[int64]time.Time{}
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var id int64
		var at time.Time
		err := row.Scan(&id, &at)
		still[id] = at
		return err
	}, "select id, retrieved from doc where tenant = $1 and id = any($2) and not pinned", m.tenant, ids)
	var out []aged
	for _, d := range found {
		if at, ok := still[d.id]; ok && at.Equal(d.at) {
			out = append(out, d)
		}
	}
	return out, err
}
