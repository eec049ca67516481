package local

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	// interruptedAfter is when a removal that is not finished is taken for broken off: the
	// process that began it may still be at it before.
	interruptedAfter = 5 * time.Minute
	// forgottenFor is how long an answer may be under way that quotes what was forgotten.
	forgottenFor = 6 * time.Hour
)

// pendingErasure is a removal whose rows are gone and whose bytes may be left.
type pendingErasure struct {
	id  int64
	sel *contract.Selector // what the backups have still to forget; nil: nothing
}

// note keeps what is left to do, in the transaction that removes the rows: a
// process that is killed right after it must not leave bytes that nobody knows of.
func (f *forgetting) recordPending(ctx context.Context, tx *sql.Tx, at int64, backups bool) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM gone WHERE at < ?", at-forgottenFor.Microseconds()); err != nil {
		return err
	}
	var gone []int64
	if f.sel.Session != "" {
		gone = append(gone, idHash(f.sel.Session))
	}
	for _, uid := range f.uids() {
		gone = append(gone, idHash(uid))
	}
	if _, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO gone(mark, at) SELECT value, ? FROM json_each(?)", at, jsonIDs(gone)); err != nil {
		return err
	}
	pending := ""
	if backups {
		sel := f.sel
		sel.IDs, sel.Confirm = f.uids(), true
		b, err := json.Marshal(sel)
		if err != nil {
			return err
		}
		pending = string(b)
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO due(at, selector) VALUES(?, ?)", at, pending)
	return err
}

// mark stands for an id that must not stay itself.
func idHash(uid string) int64 {
	sum := sha256.Sum256([]byte(uid))
	return int64(binary.LittleEndian.Uint64(sum[:8])) //nolint:gosec // bits, not a number
}

// duties are the removals that were noted before a moment, in microseconds.
func pendingErasures(ctx context.Context, q rowsQuerier, before int64) ([]pendingErasure, error) {
	var out []pendingErasure
	err := eachRow(ctx, q, "SELECT id, selector FROM due WHERE at <= ? ORDER BY id", []any{before}, func(row scanner) error {
		var d pendingErasure
		var s string
		if err := row.Scan(&d.id, &s); err != nil {
			return err
		}
		if s != "" {
			d.sel = &contract.Selector{}
			if err := json.Unmarshal([]byte(s), d.sel); err != nil {
				return fmt.Errorf("reading what is left to forget: %w", err)
			}
		}
		out = append(out, d)
		return nil
	})
	return out, err
}

// finishInterrupted does what a removal that was broken off has left, if there is any.
func (l *Local) finishInterrupted(ctx context.Context) (notes []string, some bool) {
	due, err := pendingErasures(ctx, l.rdb, l.now().Add(-interruptedAfter).UnixMicro())
	if err != nil || len(due) == 0 {
		return nil, false // the next look tells
	}
	return l.finishErasure(ctx, nil), true
}

// finish leaves no bytes of what was removed, by f and by whoever was broken off
// before, and says in words what it could not do. f may be nil.
func (l *Local) finishErasure(ctx context.Context, f *forgetting) []string {
	const again = "what was forgotten is gone from the memory, but %s: %v; the next `forget` or `serve` tries again, and so does forgetting it again"
	l.copies <- struct{}{} // whoever has it ends by itself
	defer func() { <-l.copies }()
	due, err := pendingErasures(ctx, l.rdb, l.now().UnixMicro())
	if err != nil {
		return []string{fmt.Sprintf(again, "bytes of it may stay in the file", explain(l.path, err))}
	}
	notes, whole := l.removeUnfinishedBackups()
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
			return append(notes, fmt.Sprintf(again, "its ids are still noted", explain(l.path, err)))
		}
	}
	said, wiped := l.eraseBytes(ctx, f, len(due) > 1 || f == nil)
	notes = append(notes, said...)
	if !wiped || !whole {
		return notes
	}
	for _, d := range due {
		if _, err := l.wdb.ExecContext(ctx, "DELETE FROM due WHERE id=?", d.id); err != nil {
			return append(notes, fmt.Sprintf(again, "that is not noted", explain(l.path, err)))
		}
	}
	return notes
}
