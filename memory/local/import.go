package local

import (
	"context"
	"database/sql"
	"errors"
	"io"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/transfer"
)

// Import reads what Export wrote; see contract.Exporter.
func (l *Local) Import(ctx context.Context, r io.Reader, opts contract.ImportOptions) (contract.Moved, error) {
	return transfer.Import(ctx, r, opts, l.target(false))
}

// target is this memory as that of an import. lenient stores as much as possible of the
// lines of a damaged one.
func (l *Local) target(lenient bool) transfer.Target[*sql.Tx] {
	return transfer.Target[*sql.Tx]{
		Batch: func(ctx context.Context, fn func(*sql.Tx) error) error { return l.write(ctx, "importing", fn) },
		Alone: alone,
		Model: func(_ context.Context, m *transfer.ModelLine) (func(context.Context, *sql.Tx) error, error) {
			return func(ctx context.Context, tx *sql.Tx) error { return importModel(ctx, tx, m) }, nil
		},
		Document: l.readyLine,
		Session:  l.importSession,
		Passing:  passing,
		IsFull:   isFullDisk,
		Place:    l.path,
		Lenient:  lenient,
	}
}

func alone(ctx context.Context, tx *sql.Tx, fn func() error) error {
	if _, err := tx.ExecContext(ctx, "SAVEPOINT line"); err != nil {
		return err
	}
	if err := fn(); err != nil {
		_, back := tx.ExecContext(ctx, "ROLLBACK TO line")
		return errors.Join(err, back)
	}
	_, err := tx.ExecContext(ctx, "RELEASE line")
	return err
}

// passing returns the error that a later attempt may not meet, or nil.
func passing(err error) *evidence.Problem {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return nil
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE:
		return nil
	}
	var p *evidence.Problem
	if errors.As(err, &p) {
		return p
	}
	return &evidence.Problem{What: err.Error(), Try: "check that the export is readable and the data folder is writable"}
}
