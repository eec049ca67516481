package local

import "context"

// coverage counts the documents that have all vectors of a model, and all
// documents.
func coverage(ctx context.Context, q querier, model int64) (have, total int, err error) {
	err = q.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM vec WHERE model=?1) - (SELECT count(*) FROM vec WHERE model=?1 AND missing > 0), (SELECT n FROM tally WHERE name='documents')", model).Scan(&have, &total)
	return have, total, err
}

// countParts bounds how many times a fill counts what has vectors: counting takes time in
// proportion to the memory, so that of more documents it is done after more batches.
const countParts = 2048

// counting is what an embedding knows of its progress between two counts.
type counting struct {
	batches int // until it is counted again
	owed    int // documents that had no vectors when it was counted, less those that were looked at
	handed  int // documents of the last batch
}

// count sets the progress at the begin of a batch; it never goes back. all reports that all
// documents have vectors.
func (e *embedding) count(ctx context.Context, q querier, model int64) (all bool, err error) {
	shown := min(e.p.Done+e.handed, e.p.Total)
	e.handed = 0
	if e.batches--; e.batches > 0 && e.owed > 0 {
		e.p.Done = shown
		return false, nil
	}
	have, total, err := coverage(ctx, q, model)
	if err != nil {
		return false, err
	}
	e.batches, e.owed = 1+total/countParts, total-have
	if have < total {
		have = max(have, e.p.Done)
	}
	e.p.Done, e.p.Total = have, max(have, total)
	return e.owed <= 0, nil
}

// countLast sets the progress when nothing is left to embed: now it is exact.
func (e *embedding) countLast(ctx context.Context, q querier, model int64) (err error) {
	e.batches = 0
	e.p.Done, e.p.Total, err = coverage(ctx, q, model)
	return err
}
