package local

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"sync"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// takeVectors copies the valid vectors at unit length, and notes why others are
// left out.
func (e *entry) takeVectors(chunks evidence.Chunks) {
	all, model, note := intake.Vectors(chunks, len(e.chunks))
	if note != "" {
		e.notes = append(e.notes, note)
	}
	if all != nil {
		e.model, e.vectors = model, all
	}
}

func encode(v []float32) []byte {
	out := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(x))
	}
	return out
}

// decode is the inverse of encode for n vectors of dims numbers.
func decode(b []byte, n, dims int) ([]float32, error) {
	if err := hasVectors(b, n, dims); err != nil {
		return nil, err
	}
	out := make([]float32, n*dims)
	decodeTo(out, b)
	return out, nil
}

func hasVectors(b []byte, n, dims int) error {
	if n < 0 || dims <= 0 || len(b) != 4*n*dims {
		return fmt.Errorf("got %d bytes for %d vectors of %d dimensions", len(b), n, dims)
	}
	return nil
}

func decodeTo(out []float32, b []byte) {
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

// addVectors stores the vectors of e, unless the document has all of this
// model.
func addVectors(ctx context.Context, tx *sql.Tx, doc, first int64, e *entry, r *evidence.Receipt) error {
	if e.model.IsZero() {
		return nil
	}
	m, err := ensureModel(ctx, tx, e.model)
	if err != nil {
		return err
	}
	if m.model.Dims != e.model.Dims {
		r.Warnings = append(r.Warnings, intake.OtherDims(m.model, e.model.Dims)+"; the document is found by words")
		return nil
	}
	blob := encode(e.vectors)
	res, err := tx.ExecContext(ctx, `INSERT INTO vec(model, doc, first, n, v, sum) VALUES(?, ?, ?, ?, ?, ?)
		ON CONFLICT(doc, model) DO UPDATE SET v=excluded.v, sum=excluded.sum, missing=0 WHERE missing > 0`, m.id, doc, first, len(e.chunks), blob, checksum(blob))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return logChange(ctx, tx, doc)
}

// modelRow is a stored vector space.
type modelRow struct {
	id     int64
	model  evidence.Model
	active bool
	wanted bool
}

const modelColumns = "id, name, revision, dims, kind, active, wanted"

func scanModel(row scanner) (modelRow, error) {
	var m modelRow
	err := row.Scan(&m.id, &m.model.Name, &m.model.Revision, &m.model.Dims, &m.model.Kind, &m.active, &m.wanted)
	return m, err
}

func findModel(ctx context.Context, q querier, m evidence.Model) (modelRow, bool, error) {
	row, err := scanModel(q.QueryRowContext(ctx, "SELECT "+modelColumns+" FROM model WHERE name=? AND revision=?", m.Name, m.Revision))
	if errors.Is(err, sql.ErrNoRows) {
		return modelRow{}, false, nil
	}
	return row, err == nil, err
}

func activeModel(ctx context.Context, q querier) (modelRow, bool, error) {
	row, err := scanModel(q.QueryRowContext(ctx, "SELECT "+modelColumns+" FROM model WHERE active=1"))
	if errors.Is(err, sql.ErrNoRows) {
		return modelRow{}, false, nil
	}
	return row, err == nil, err
}

// ensureModel returns the row of m, which is created if necessary. The first
// model of a memory becomes the active one.
func ensureModel(ctx context.Context, tx *sql.Tx, m evidence.Model) (modelRow, error) {
	if row, ok, err := findModel(ctx, tx, m); err != nil || ok {
		return row, err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO model(name, revision, dims, kind, active)
		VALUES(?, ?, ?, ?, NOT EXISTS(SELECT 1 FROM model WHERE active=1))`, m.Name, m.Revision, m.Dims, m.Kind)
	if err != nil {
		return modelRow{}, err
	}
	row, _, err := findModel(ctx, tx, m)
	return row, err
}

// castagnoli is the table of the checksum of stored vectors. Making it takes longer than
// all else that this package does before main.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// checksum is the CRC-32C of an encoded vector, as stored beside it.
func checksum(blob []byte) int64 { return int64(crc32.Checksum(blob, castagnoli())) }
