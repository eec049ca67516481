package local

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"github.com/research-mcp/research-mcp/memory/cells"
)

// The centre of a cell is the mean of vectors. While others are left in the cell, it does
// not tell what one was that has been forgotten; when too few are left, it does. Then the
// model's cells are removed from the file, with the documents and in one transaction, and
// are learned anew from what is left.

var errEnough = errors.New("all cells have enough vectors")

// removeTellingCells removes the cells of each model that has a cell with too few vectors
// beside those of the documents ids.
func removeTellingCells(ctx context.Context, tx *sql.Tx, ids string) error {
	// An older program stored centres without the cells of documents: those that nobody reads,
	// and those of vectors that have no checksum.
	_, err := tx.ExecContext(ctx, `DELETE FROM codebook AS b WHERE b.probes=0 AND length(b.centres) > 0 OR b.probes > 0
		AND EXISTS(SELECT 1 FROM vec v WHERE v.doc IN (SELECT value FROM json_each(?)) AND v.model=b.model AND v.sum IS NULL
			AND NOT EXISTS(SELECT 1 FROM cell c WHERE c.doc=v.doc AND c.model=v.model AND c.version=b.version))`, ids)
	if err != nil {
		return err
	}
	concerned := map[int64]map[uint16]int{} // by model: the cells of ids, and how many vectors of others they have
	err = eachRow(ctx, tx, "SELECT c.model, c.cells FROM cell c JOIN codebook b ON b.model=c.model AND b.version=c.version WHERE c.doc IN (SELECT value FROM json_each(?))",
		[]any{ids}, func(r scanner) error {
			var model int64
			var blob []byte
			err := r.Scan(&model, &blob)
			for _, c := range decodeCells(blob) {
				if concerned[model] == nil {
					concerned[model] = map[uint16]int{}
				}
				if c != cells.None {
					concerned[model][c] = 0
				}
			}
			return err
		})
	if err != nil {
		return err
	}
	for model, left := range concerned {
		enough, err := haveOthers(ctx, tx, model, ids, left)
		if err != nil {
			return err
		}
		if enough {
			continue
		}
		for _, table := range []string{"codebook", "cell"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table+" WHERE model=?", model); err != nil {
				return err
			}
		}
	}
	return nil
}

// neighbours is how many documents are looked at on each side of those concerned before all
// are: what was stored together is often about the same, so that its cells may be at the end
// of the table only.
const neighbours = 500

// haveOthers reports whether all cells in left have cells.Fewest vectors of documents that
// are not in ids. It reads no further than it needs to.
func haveOthers(ctx context.Context, tx *sql.Tx, model int64, ids string, left map[uint16]int) (enough bool, err error) {
	if len(left) == 0 {
		return true, nil
	}
	var first, last int64
	if err := tx.QueryRowContext(ctx, "SELECT min(value), max(value) FROM json_each(?)", ids).Scan(&first, &last); err != nil {
		return false, err
	}
	for _, c := range []struct {
		docs string
		args []any
	}{
		{" AND doc < ?2 ORDER BY doc DESC LIMIT ?3", []any{first, neighbours}},
		{" AND doc > ?2 ORDER BY doc LIMIT ?3", []any{last, neighbours}},
		{" AND doc NOT IN (SELECT value FROM json_each(?2))", []any{ids}},
	} {
		if len(c.args) == 1 { // the neighbours are among these
			for cell := range left {
				left[cell] = 0
			}
		}
		if enough, err = countCells(ctx, tx, c.docs, append([]any{model}, c.args...), left); err != nil || enough {
			break
		}
	}
	return enough, err
}

// countCells counts the vectors of some documents in the cells in left, until each has
// cells.Fewest, which it reports.
func countCells(ctx context.Context, tx *sql.Tx, docs string, args []any, left map[uint16]int) (enough bool, err error) {
	few := 0
	for _, n := range left {
		if n < cells.Fewest {
			few++
		}
	}
	err = eachRow(ctx, tx, "SELECT cells FROM cell WHERE model=?1 AND version=(SELECT version FROM codebook WHERE model=?1)"+docs,
		args, func(r scanner) error {
			var blob sql.RawBytes
			if err := r.Scan(&blob); err != nil {
				return err
			}
			for _, c := range decodeCells(blob) {
				n, ok := left[c]
				if !ok {
					continue
				}
				if left[c] = n + 1; n+1 == cells.Fewest {
					if few--; few == 0 {
						return errEnough
					}
				}
			}
			return nil
		})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}

// telling reports whether a cell of gone documents has too few vectors of the others.
func telling(assigned map[int64][]uint16, gone []int64) bool {
	left, concerned := map[uint16]int{}, map[uint16]bool{}
	for _, some := range assigned {
		for _, c := range some {
			left[c]++
		}
	}
	for _, doc := range gone {
		for _, c := range assigned[doc] {
			left[c]--
			concerned[c] = c != cells.None
		}
	}
	for c, is := range concerned {
		if is && left[c] < cells.Fewest {
			return true
		}
	}
	return false
}

// goneSince returns the documents that were removed or replaced while a book was learned:
// their cells are not in the file, or are those of other vectors. If the log of changes does
// not reach back so far, all documents are looked at.
func goneSince(ctx context.Context, tx *sql.Tx, model int64, n learned) ([]int64, error) {
	last, err := lastChange(ctx, tx)
	if err != nil {
		return nil, err
	}
	gone, whole, err := changedDocs(ctx, tx, n.seq, last)
	if err != nil || whole && len(gone) == 0 {
		return nil, err
	}
	query, args := "SELECT doc, sum FROM cell WHERE model=? AND version=?", []any{model, n.version}
	if whole {
		query += " AND doc IN (SELECT value FROM json_each(?))"
		args = append(args, jsonIDs(gone))
	} else {
		gone = slices.Collect(maps.Keys(n.assigned))
	}
	left := map[int64]bool{}
	err = eachRow(ctx, tx, query, args, func(r scanner) error {
		var doc, sum int64
		err := r.Scan(&doc, &sum)
		left[doc] = sum == checksum(encode(n.docs[doc].v))
		return err
	})
	return slices.DeleteFunc(gone, func(doc int64) bool { return left[doc] }), err
}

// hasBook reports whether the cells of a model in the file are those of version.
func hasBook(ctx context.Context, q querier, model, version int64) (bool, error) {
	var ok bool
	err := q.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM codebook WHERE model=? AND version=?)", model, version).Scan(&ok)
	return ok, err
}
