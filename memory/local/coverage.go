package local

import (
	"context"
	"slices"
	"sync"

	"github.com/research-mcp/research-mcp/memory/contract"
)

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
	batches int   // until it is counted again
	owed    int   // documents that had no vectors when it was counted, less those that were looked at
	handed  int   // documents of the last batch
	last    int64 // the last change when nothing was left to embed; 0: not known
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
	if e.owed > 0 {
		return false, nil
	}
	return true, e.noteLast(ctx, q)
}

// countLast sets the progress when nothing is left to embed: now it is exact.
func (e *embedding) countLast(ctx context.Context, q querier, model int64) (err error) {
	e.batches = 0
	if e.p.Done, e.p.Total, err = coverage(ctx, q, model); err != nil {
		return err
	}
	return e.noteLast(ctx, q)
}

func (e *embedding) noteLast(ctx context.Context, q querier) (err error) {
	if e.last, err = lastChange(ctx, q); isDamaged(err) {
		e.last, err = 0, nil
	}
	return err
}

// ends is how each FillVectors of this process ended, by model. Where a document can get no
// vectors, all would be looked at again each time, though nothing has changed since.
type ends struct {
	mu sync.Mutex
	of map[int64]end
}

type end struct {
	last int64 // the last change then
	p    contract.Progress
}

// still returns the progress of the last FillVectors, if nothing has changed since.
func (s *ends) still(ctx context.Context, q querier, model int64) (contract.Progress, bool) {
	s.mu.Lock()
	was, ok := s.of[model]
	s.mu.Unlock()
	if !ok {
		return was.p, false
	}
	last, err := lastChange(ctx, q)
	was.p.Unreadable = slices.Clone(was.p.Unreadable)
	return was.p, err == nil && last == was.last
}

func (s *ends) keep(model int64, e *embedding) {
	if e.last == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[int64]end{}
	}
	p := *e.p
	p.Unreadable = slices.Clone(p.Unreadable)
	s.of[model] = end{e.last, p}
}
