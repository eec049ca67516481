package local

import (
	"context"
	"database/sql"
	"maps"

	"github.com/research-mcp/research-mcp/memory/cells"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// checkCells measures how many of the nearest vectors the cells of each loaded space find.
// If that are too few, a search reads more cells from now on.
func (l *Local) checkCells(ctx context.Context, r *contract.CheckReport) error {
	for _, h := range l.index.all() {
		if !h.isReady() || h.err != nil {
			continue
		}
		book, version, report, err := l.measureCells(ctx, h)
		if err != nil {
			return err
		}
		if book == nil {
			continue
		}
		if report.Recall < cells.Wanted && !l.readOnly {
			if book.Probes == 0 { // all processes learn cells anew; until then all of these are read
				err = l.removeBook(ctx, h.row.id)
				book.Probes = book.Cells()
			} else {
				err = l.write(ctx, "storing the cells of vectors", func(tx *sql.Tx) error {
					_, err := tx.ExecContext(ctx, "UPDATE codebook SET probes=?, recall=? WHERE model=? AND version=?", book.Probes, book.Recall, h.row.id, version)
					return err
				})
			}
			if err != nil {
				return err
			}
			h.space.readMore(version, book.Probes, book.Recall)
			report.Probes, report.Recall = book.Probes, book.Recall
		}
		r.Cells = append(r.Cells, report)
	}
	return nil
}

// measureCells returns the report of a space, and its book with as many probes as it needs.
// Without cells there is none.
func (l *Local) measureCells(ctx context.Context, h *spaceSlot) (*cells.Book, int64, contract.CellsReport, error) {
	s := h.space
	s.mu.RLock()
	book, version, n, docs := s.book, s.version, s.n, maps.Clone(s.docs) // of one moment
	s.mu.RUnlock()
	report := contract.CellsReport{Model: contract.ModelText(h.row.model), Vectors: n}
	if book == nil {
		return nil, 0, report, nil
	}
	report.Cells, report.Probes, report.Recall = book.Cells(), book.Probes, 1
	if book.Probes == 0 {
		return book, version, report, nil
	}
	dims := s.model.Dims
	assigned := make(map[int64][]uint16, len(docs))
	var all [][]float32
	for doc, sl := range docs {
		assigned[doc] = sl.cells
		for at := 0; at < len(sl.v); at += dims {
			if v := sl.v[at : at+dims]; !intake.IsZero(v) {
				all = append(all, v)
			}
		}
	}
	if len(all) == 0 {
		return book, version, report, nil
	}
	found, err := book.Measure(ctx, cells.Questions(all, measureWith), vectorsIn(docs, assigned, dims), l.pause(ctx))
	if err != nil {
		return nil, 0, report, err
	}
	report.Recall = found.Recall(book.Probes)
	return book.WithProbes(found), version, report, nil
}

// readMore has searches read so many cells, if the book is of that version and they are more.
func (s *space) readMore(version int64, probes int, recall float64) {
	s.mark(version, func(s *space) {
		if s.divided() && probes > s.book.Probes {
			more := *s.book
			more.Probes, more.Recall = min(probes, more.Cells()), recall
			s.book = &more
		}
	})
}
