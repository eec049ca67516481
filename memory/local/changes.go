package local

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// keepChanges is how many changes are kept for other processes. One that missed
// more reads everything again.
const (
	keepChanges = 50_000
	cutChanges  = 1000 // the log is shortened every so many changes
)

func logChange(ctx context.Context, tx *sql.Tx, docs ...int64) error {
	// Of one document without a SELECT: SQLite would open a savepoint for it, at which
	// FTS5 writes its index.
	query, arg := "INSERT INTO change(doc) SELECT value FROM json_each(?)", any(jsonIDs(docs))
	if len(docs) == 1 {
		query, arg = "INSERT INTO change(doc) VALUES(?)", docs[0]
	}
	res, err := tx.ExecContext(ctx, query, arg)
	if err != nil || len(docs) == 0 {
		return err
	}
	seq, err := res.LastInsertId()
	if err != nil || seq/cutChanges == (seq-int64(len(docs)))/cutChanges {
		return err
	}
	_, err = tx.ExecContext(ctx, "DELETE FROM change WHERE seq <= ?", seq-keepChanges)
	return err
}

// Changes returns the documents that changed after since; see contract.ChangeFeed.
func (l *Local) Changes(ctx context.Context, since contract.Position) (contract.Changes, error) {
	out := contract.Changes{Documents: []contract.Change{}}
	from, err := parsePosition(since)
	if err != nil {
		return out, err
	}
	err = l.read(ctx, "reading the changes", func(tx *sql.Tx) error {
		last, err := lastChange(ctx, tx)
		if err != nil {
			return err
		}
		out.Next = contract.Position(strconv.FormatInt(last, 10))
		if since == "" {
			return nil
		}
		docs, whole, err := changedDocs(ctx, tx, from, last)
		if err != nil || !whole {
			out.Reset = !whole
			return err
		}
		return eachRow(ctx, tx, "SELECT j.value, coalesce(d.uid, '') FROM json_each(?) j LEFT JOIN doc d ON d.id = j.value ORDER BY j.id",
			[]any{jsonIDs(docs)}, func(row scanner) error {
				var c contract.Change
				err := row.Scan(&c.Key, &c.ID)
				out.Documents = append(out.Documents, c)
				return err
			})
	})
	return out, err
}

func parsePosition(p contract.Position) (int64, error) {
	if p == "" {
		return 0, nil
	}
	seq, err := strconv.ParseInt(string(p), 10, 64)
	if err != nil || seq < 0 {
		return 0, evidence.BadInput(fmt.Sprintf("%q is no position in the change feed", string(p)), "use the position of an earlier call, or none to begin")
	}
	return seq, nil
}

// changedDocs returns the row ids of the documents with changes after from, up to
// last, in the order of their last change. whole is false if the log does not
// reach back to from, or ends before it.
func changedDocs(ctx context.Context, q interface {
	querier
	rowsQuerier
}, from, last int64) (docs []int64, whole bool, err error) {
	var oldest int64
	if err := q.QueryRowContext(ctx, "SELECT coalesce(min(seq), 0) FROM change").Scan(&oldest); err != nil {
		return nil, false, err
	}
	if oldest > from+1 || from > last {
		return nil, false, nil
	}
	docs, err = int64s(ctx, q, "SELECT doc FROM change WHERE seq > ? AND seq <= ? AND doc > 0 GROUP BY doc ORDER BY max(seq)", from, last)
	return docs, err == nil, err
}

// lastChange returns the number of the newest change, 0 if there has been none.
func lastChange(ctx context.Context, q querier) (int64, error) {
	var seq int64
	err := q.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM change").Scan(&seq)
	return seq, err
}

// catchUp applies all changes to the loaded spaces and reports true. If more
// than limit changes are pending it applies none, wakes the background loader
// and reports false; limit 0 is no limit.
func (ix *index) catchUp(ctx context.Context, limit int64) (bool, error) {
	select {
	case ix.follow <- struct{}{}:
	default:
		if limit > 0 && ix.bulk.Load() {
			return false, nil
		}
		select {
		case ix.follow <- struct{}{}:
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	defer func() { <-ix.follow }()
	var version int64
	if err := ix.pin.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil {
		return false, fmt.Errorf("reading the data version: %w", err)
	}
	spaces := ix.all()
	if version == ix.version {
		return true, nil
	}
	last, err := lastChange(ctx, ix.pin)
	if err != nil {
		return false, fmt.Errorf("reading the change log: %w", err)
	}
	for _, h := range spaces {
		if !h.isReady() || h.err != nil || h.seq >= last {
			continue
		}
		if limit > 0 && last-h.seq > limit {
			ix.notify()
			return false, nil
		}
		ix.bulk.Store(last-h.seq > inlineChanges)
		err := ix.apply(ctx, h, last)
		ix.bulk.Store(false)
		if err != nil {
			return false, err
		}
	}
	ix.version = version
	ix.wakeTidy() // there may be vectors without cells, and the file may have other cells
	return true, ctx.Err()
}

// apply applies the changes up to last to a space.
func (ix *index) apply(ctx context.Context, h *spaceSlot, last int64) error {
	docs, whole, err := changedDocs(ctx, ix.pin, h.seq, last)
	if err != nil {
		return err
	}
	if !whole {
		s, seq, err := ix.load(ctx, h.row)
		if err != nil {
			return err
		}
		ix.replace(h, s, seq)
		return nil
	}
	for _, doc := range docs {
		found := false
		err := eachVec(ctx, ix.pin, "SELECT doc, first, n, v, NULL FROM vec WHERE doc=? AND model=?", []any{doc, h.row.id}, func(r vecRow) error {
			err := h.space.addRow(ctx, r)
			if err != nil && ctx.Err() == nil {
				ix.log.Warn("vectors of a document cannot be indexed", "doc", doc, "err", err)
				return nil // the document is still found by its words
			}
			found = err == nil
			return err
		})
		if err == nil && !found {
			err = h.space.remove(doc)
		}
		if err != nil {
			return err
		}
	}
	h.seq = last
	return nil
}

// replace exchanges h for a newly loaded space.
func (ix *index) replace(h *spaceSlot, s *space, seq int64) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	fresh := &spaceSlot{row: h.row, loaded: make(chan struct{}), space: s, seq: seq, used: h.used}
	close(fresh.loaded)
	if ix.spaces[h.row.id] == h {
		ix.spaces[h.row.id] = fresh
	}
}

func int64s(ctx context.Context, q rowsQuerier, query string, args ...any) ([]int64, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, rows.Err()
}
