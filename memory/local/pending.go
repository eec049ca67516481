package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/traces"
)

// interruptedAfter is the age at which an unfinished removal counts as
// interrupted: before, its process may still be working.
const interruptedAfter = 5 * time.Minute

// pendingErasure is a removal whose rows are deleted and whose bytes may
// remain.
type pendingErasure struct {
	id  int64
	sel *removal // still to be removed from the backups; nil: nothing
}

// removal is what the backups have to forget: the documents that were removed
// from the memory, and what the selector selects in the backup itself, because
// the memory may have lost it long ago.
type removal struct {
	contract.Selector
	Removed []string
}

// complete reads what an older program recorded: there the ids of the removed
// documents are among those of the selector.
func (r *removal) complete() {
	if r.Removed == nil {
		r.Removed, r.IDs = r.IDs, nil
	}
}

// recordPending records the pending erasure in the transaction that deletes the
// rows, so that a killed process leaves no bytes that no other knows of.
func (f *forgetting) recordPending(ctx context.Context, tx *sql.Tx, at int64, backups bool) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM gone WHERE at < ?", at-traces.KnownFor.Microseconds()); err != nil {
		return err
	}
	var hashes []int64
	if f.sel.WholeSession() {
		hashes = append(hashes, traces.IDHash(f.sel.Session))
	}
	for _, uid := range append(f.uids(), f.removedRuns...) {
		hashes = append(hashes, traces.IDHash(uid))
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO gone(mark, at) SELECT value, ? FROM json_each(?)", at, jsonIDs(hashes)); err != nil {
		return err
	}
	pending := ""
	if backups {
		b, err := json.Marshal(removal{Selector: f.sel, Removed: f.uids()})
		if err != nil {
			return err
		}
		pending = string(b)
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO due(at, selector) VALUES(?, ?)", at, pending)
	if err == nil {
		f.due, err = res.LastInsertId()
	}
	return err
}

// erased reports whether another removal has erased the bytes of f with its own, as one
// does with all that are due: after a wait, nothing is left to do.
func (l *Local) erased(ctx context.Context, f *forgetting) bool {
	var due bool
	err := l.rdb.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM due WHERE id=?)", f.due).Scan(&due)
	return err == nil && !due
}

// pendingErasures returns the removals that were recorded before a moment, in
// microseconds.
func pendingErasures(ctx context.Context, q rowsQuerier, before int64) ([]pendingErasure, error) {
	var out []pendingErasure
	err := eachRow(ctx, q, "SELECT id, selector FROM due WHERE at <= ? ORDER BY id", []any{before}, func(row scanner) error {
		var d pendingErasure
		var s string
		if err := row.Scan(&d.id, &s); err != nil {
			return err
		}
		if s != "" {
			d.sel = &removal{}
			if err := json.Unmarshal([]byte(s), d.sel); err != nil {
				return fmt.Errorf("reading a pending removal: %w", err)
			}
			d.sel.complete()
		}
		out = append(out, d)
		return nil
	})
	return out, err
}

// finishInterrupted completes interrupted removals, and reports whether there
// were any.
func (l *Local) finishInterrupted(ctx context.Context) (notes []string, some bool) {
	due, err := pendingErasures(ctx, l.rdb, l.now().Add(-interruptedAfter).UnixMicro())
	if err != nil || len(due) == 0 {
		return nil, false // reported by the next call
	}
	return l.finishErasure(ctx, nil), true
}

// finishErasure erases the bytes of what f and interrupted removals have
// removed, and returns what it could not do. f may be nil.
func (l *Local) finishErasure(ctx context.Context, f *forgetting) []string {
	const again = "the documents were removed from the memory, but %s: %v; the next `forget` or `serve` tries again"
	l.copies <- struct{}{} // held for a bounded time
	defer func() { <-l.copies }()
	if f != nil && l.erased(ctx, f) {
		return nil
	}
	due, err := pendingErasures(ctx, l.rdb, l.now().UnixMicro())
	if err != nil {
		return []string{fmt.Sprintf(again, "bytes of them may remain in the file", explain(l.path, err))}
	}
	notes, whole := l.removeUnfinishedBackups()
	if err := l.removeUnfinishedCopies(); err != nil {
		notes, whole = append(notes, fmt.Sprintf("a copy that a killed repair or export has left may still contain forgotten data: %v; the next `forget` or `serve` tries again, or delete it", err)), false
	}
	for _, d := range due {
		if d.sel == nil {
			continue
		}
		said, ok := l.forgetInBackups(ctx, *d.sel)
		notes, whole = append(notes, said...), whole && ok
		if !ok {
			continue
		}
		if _, err := l.wdb.ExecContext(ctx, "UPDATE due SET selector='' WHERE id=?", d.id); err != nil {
			return append(notes, fmt.Sprintf(again, "their ids are still recorded", explain(l.path, err)))
		}
	}
	said, wiped := l.eraseBytes(ctx, f, len(due) > 1 || f == nil)
	notes = append(notes, said...)
	if !wiped || !whole {
		return notes
	}
	for _, d := range due {
		if _, err := l.wdb.ExecContext(ctx, "DELETE FROM due WHERE id=?", d.id); err != nil {
			return append(notes, fmt.Sprintf(again, "their erasure is still recorded as pending", explain(l.path, err)))
		}
	}
	return notes
}
