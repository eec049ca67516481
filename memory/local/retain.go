package local

import (
	"context"
	"database/sql"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// batchRetained is how many documents one transaction removes; others write
// between two.
const batchRetained = 200

// Retain completes interrupted removals, removes what is older than Config.Keep
// allows, and then the oldest of what is too much; see contract.Retainer.
// Pinned documents are kept, and count. Answers that cite removed documents are
// kept.
func (l *Local) Retain(ctx context.Context) (evidence.Receipt, error) {
	r := evidence.Receipt{IDs: []string{}}
	r.Warnings, r.Resumed = l.finishInterrupted(ctx)
	l.sweepClaims(ctx)
	more := false // without work nothing is written
	err := l.read(ctx, "looking for old documents", func(tx *sql.Tx) error {
		docs, err := l.tooOld(ctx, tx)
		if err != nil {
			return err
		}
		more = len(docs) > 0
		t, err := readTally(ctx, tx)
		r.Remaining = int(t["documents"])
		return err
	})
	if err != nil {
		return r, err
	}
	for more {
		if more, err = l.retainBatch(ctx, &r); err != nil {
			return r, err
		}
	}
	if r.Documents == 0 {
		return r, nil
	}
	if err := purgeWordIndex(ctx, l.wdb); err != nil {
		return r, l.failed(ctx, "merging the word index", err)
	}
	_, err = l.wdb.ExecContext(ctx, "PRAGMA incremental_vacuum") // returns free pages to the file system
	return r, l.failed(ctx, "shrinking the file", err)
}

// retainBatch removes the next documents and adds them to r; more reports that
// there may be others.
func (l *Local) retainBatch(ctx context.Context, r *evidence.Receipt) (more bool, err error) {
	var removed []aged
	remaining := 0
	err = l.write(ctx, "removing old documents", func(tx *sql.Tx) error {
		var err error
		if removed, err = l.tooOld(ctx, tx); err != nil {
			return err
		}
		if err := setSecureDelete(ctx, tx, false); err != nil { // with it, the lock would be held for minutes
			return err
		}
		ids := make([]int64, 0, len(removed))
		for _, d := range removed {
			ids = append(ids, d.id)
		}
		if err := removeDocRows(ctx, tx, ids); err != nil {
			return err
		}
		if err := setSecureDelete(ctx, tx, true); err != nil {
			return err
		}
		t, err := readTally(ctx, tx)
		remaining = int(t["documents"])
		return err
	})
	if err != nil {
		return false, err
	}
	for _, d := range removed {
		r.IDs, r.Chunks, r.Documents = append(r.IDs, d.uid), r.Chunks+d.chunks, r.Documents+1
	}
	r.Remaining = remaining
	return len(removed) == batchRetained, nil
}

type aged struct {
	id     int64
	uid    string
	chunks int
	bytes  int64
	at     int64
}

// tooOld returns the next documents to remove, oldest first.
func (l *Local) tooOld(ctx context.Context, tx *sql.Tx) ([]aged, error) {
	keep := l.cfg.Keep
	if keep.MaxAge <= 0 && keep.MaxBytes <= 0 {
		return nil, ctx.Err()
	}
	t, err := readTally(ctx, tx)
	if err != nil {
		return nil, err
	}
	total, oldest := t["bytes"], l.now().Add(-keep.MaxAge).UnixMicro()
	var out []aged
	err = eachRow(ctx, tx, `SELECT d.id, d.uid, d.bytes, d.retrieved, (SELECT count(*) FROM chunk c WHERE c.doc=d.id)
		FROM doc d WHERE d.pinned=0 ORDER BY d.retrieved, d.id LIMIT ?`, []any{batchRetained}, func(row scanner) error {
		var a aged
		if err := row.Scan(&a.id, &a.uid, &a.bytes, &a.at, &a.chunks); err != nil {
			return err
		}
		if keep.MaxAge > 0 && a.at < oldest || keep.MaxBytes > 0 && total > keep.MaxBytes {
			out = append(out, a)
			total -= a.bytes
		}
		return nil
	})
	return out, err
}
