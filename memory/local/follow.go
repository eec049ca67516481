package local

import (
	"context"
	"fmt"
)

func lastChange(ctx context.Context, q querier) (int64, error) {
	var seq int64
	err := q.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM change").Scan(&seq)
	return seq, err
}

// catchUp brings the ready spaces to the newest change and reports true. When
// more than limit changes wait it does nothing, wakes the keeper and reports
// false; limit 0 is no limit.
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
		return false, fmt.Errorf("asking for changes: %w", err)
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
			ix.wrote()
			return false, nil
		}
		ix.bulk.Store(last-h.seq > inlineChanges)
		err := ix.bring(ctx, h, last)
		ix.bulk.Store(false)
		if err != nil {
			return false, err
		}
	}
	ix.version = version
	return true, ctx.Err()
}

// bring applies the changes up to last to a space.
func (ix *index) bring(ctx context.Context, h *held, last int64) error {
	var oldest int64
	if err := ix.pin.QueryRowContext(ctx, "SELECT coalesce(min(seq), 0) FROM change").Scan(&oldest); err != nil {
		return err
	}
	if oldest > h.seq+1 { // the log was cut behind our back
		s, seq, err := ix.load(ctx, h.row)
		if err != nil {
			return err
		}
		ix.replace(h, s, seq)
		return nil
	}
	docs, err := int64s(ctx, ix.pin, "SELECT DISTINCT doc FROM change WHERE seq > ? AND seq <= ? AND doc > 0", h.seq, last)
	if err != nil {
		return err
	}
	for _, doc := range docs {
		found := false
		err := eachVec(ctx, ix.pin, "SELECT doc, first, n, v FROM vec WHERE doc=? AND model=?", []any{doc, h.row.id}, func(doc, first int64, n int, blob []byte) error {
			err := h.space.addBlob(ctx, doc, first, n, blob)
			if err != nil && ctx.Err() == nil {
				ix.log.Warn("vectors of a document cannot be indexed", "doc", doc, "err", err)
				return nil // it is found by its words
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

// replace puts a freshly loaded space in h's place.
func (ix *index) replace(h *held, s *space, seq int64) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	fresh := &held{row: h.row, loaded: make(chan struct{}), space: s, seq: seq, used: h.used}
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
