package local

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/memory/cells"
)

// vecRow is a row of vec and, if they were asked for, the cells of its vectors. The bytes
// are valid until the function that was given them returns.
type vecRow struct {
	doc, first int64
	n          int
	v, cells   sql.RawBytes
}

// load reads a whole space as of one moment; seq is the last change in it.
func (ix *index) load(ctx context.Context, row modelRow) (s *space, seq int64, err error) {
	if s, err = newSpace(row.model, ix.sizes); err != nil {
		return nil, 0, err
	}
	tx, err := ix.rdb.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, 0, err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	if seq, err = lastChange(ctx, tx); err != nil {
		return nil, 0, err
	}
	book, version, err := readBook(ctx, tx, row)
	if err != nil {
		ix.warn(ctx, "reading the cells of the vectors, which will be learned anew", err)
	}
	if err := s.use(book, version); err != nil {
		return nil, 0, err
	}
	s.filed = book != nil
	type job struct {
		doc   int64
		slab  slab
		cells []uint16
	}
	jobs := make(chan job, loaders)
	patience := loadPatience
	t, err := readTally(ctx, tx)
	if err != nil || t["chunks"] <= smallMemory { // recalls wait for it instead
		patience = 0
	}
	ix.expect(4 * t["chunks"] * int64(row.model.Dims))
	blocks := packer{expected: int(t["chunks"]) * row.model.Dims}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(jobs)
		query := "SELECT v.doc, v.first, v.n, v.v, c.cells FROM vec v LEFT JOIN cell c ON c.doc=v.doc AND c.model=v.model AND c.version=? AND c.sum=ifnull(v.sum, c.sum) WHERE v.model=?"
		return eachVec(gctx, tx, query, []any{version, row.id}, func(r vecRow) error {
			patience = ix.yield(gctx, patience)
			if err := hasVectors(r.v, r.n, row.model.Dims); err != nil {
				ix.log.Warn("vectors of a document cannot be read", "doc", r.doc, "err", err)
				return nil // the document is still found by its words
			}
			sl := slab{first: r.first, v: blocks.take(len(r.v) / 4), packed: true}
			decodeTo(sl.v, r.v)
			select {
			case jobs <- job{r.doc, sl, decodeCells(r.cells)}:
				return nil
			case <-gctx.Done():
				return gctx.Err()
			}
		})
	})
	for range loaders {
		g.Go(func() error {
			for j := range jobs {
				if err := s.add(gctx, j.doc, j.slab, j.cells); err != nil && gctx.Err() == nil {
					ix.log.Warn("vectors of a document cannot be indexed", "doc", j.doc, "err", err)
				}
			}
			return nil
		})
	}
	if err := errors.Join(g.Wait(), ctx.Err()); err != nil {
		return nil, 0, err
	}
	s.reckon()
	return s, seq, nil
}

func (s *space) addRow(ctx context.Context, r vecRow) error {
	v, err := decode(r.v, r.n, s.model.Dims)
	if err != nil {
		return err
	}
	return s.add(ctx, r.doc, slab{first: r.first, v: v}, nil)
}

// eachVec calls fn for each row of doc, first, n, v and cells. Copies of the bytes would
// double the memory that loading needs.
func eachVec(ctx context.Context, q rowsQuerier, query string, args []any, fn func(vecRow) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r vecRow
		if err := rows.Scan(&r.doc, &r.first, &r.n, &r.v, &r.cells); err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readBook returns the stored cells of a model and their version, or none.
func readBook(ctx context.Context, q querier, row modelRow) (*cells.Book, int64, error) {
	var version int64
	var b cells.Book
	var blob []byte
	err := q.QueryRowContext(ctx, "SELECT version, vectors, probes, spread, recall, centres FROM codebook WHERE model=?", row.id).
		Scan(&version, &b.Learned, &b.Probes, &b.Spread, &b.Recall, &blob)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	if b.Probes <= 0 {
		b.Dims, b.Probes = row.model.Dims, 0
		if len(blob) > 0 { // of an older program, which stored centres that nobody reads
			return nil, 0, nil
		}
		return &b, version, nil
	}
	book, err := cells.Decode(blob, row.model.Dims)
	if err != nil {
		return nil, 0, err
	}
	book.Learned, book.Spread, book.Recall = b.Learned, b.Spread, b.Recall
	book.Probes = min(b.Probes, book.Cells())
	return book, version, nil
}

func encodeCells(c []uint16) []byte {
	out := make([]byte, 0, 2*len(c))
	for _, x := range c {
		out = binary.LittleEndian.AppendUint16(out, x)
	}
	return out
}

func decodeCells(b []byte) []uint16 {
	if len(b) == 0 || len(b)%2 != 0 {
		return nil
	}
	out := make([]uint16, len(b)/2)
	for i := range out {
		out[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return out
}
