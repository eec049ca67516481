package local

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// listLimit is the number of entries of a list.
func listLimit(n int) int {
	if n <= 0 || n > contract.MaxListed {
		return contract.MaxListed
	}
	return n
}

// list appends what scan reads from each row of a query; see contract.Lister.
func list[T any](ctx context.Context, l *Local, doing, query string, args []any, scan func(scanner) (T, error)) ([]T, error) {
	out := []T{}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err := l.read(ctx, doing, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			entry, err := scan(rows)
			if err != nil {
				return err
			}
			out = append(out, entry)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ListDocuments lists documents; see contract.Lister.
func (l *Local) ListDocuments(ctx context.Context, f contract.DocumentFilter) ([]evidence.Document, error) {
	where, args := []string{"1"}, []any{}
	add := func(condition string, arg any) { where, args = append(where, condition), append(args, arg) }
	if f.Source != "" {
		add("d.source=?", f.Source)
	}
	if !f.Since.IsZero() {
		add("d.retrieved>=?", intake.Bounded(f.Since).UnixMicro())
	}
	for _, tag := range f.Tags {
		add("EXISTS(SELECT 1 FROM tag WHERE tag.tag=? AND tag.doc=d.id)", intake.Tag(tag))
	}
	query := "SELECT " + docColumns + " FROM doc d WHERE " + strings.Join(where, " AND ") + " ORDER BY d.retrieved DESC, d.id DESC LIMIT ?"
	return list(ctx, l, "listing documents", query, append(args, listLimit(f.Limit)),
		func(row scanner) (evidence.Document, error) { return scanDoc(row) })
}

// ListSessions lists sessions; see contract.Lister.
func (l *Local) ListSessions(ctx context.Context, limit int) ([]evidence.Session, error) {
	return list(ctx, l, "listing sessions", "SELECT "+sessionColumns+" FROM session s ORDER BY s.updated DESC, s.id DESC LIMIT ?",
		[]any{listLimit(limit)}, scanSession)
}

// ListRuns lists answers; see contract.Lister.
func (l *Local) ListRuns(ctx context.Context, limit int) ([]contract.RunInfo, error) {
	return list(ctx, l, "listing answers", `SELECT r.uid, s.uid, r.body->>'question', r.body->>'status', r.at
		FROM run r JOIN session s ON s.id = r.session ORDER BY r.at DESC, r.rowid DESC LIMIT ?`, []any{listLimit(limit)},
		func(row scanner) (contract.RunInfo, error) {
			var r contract.RunInfo
			var at int64
			err := row.Scan(&r.ID, &r.Session, &r.Question, &r.Status, &at)
			r.At = time.UnixMicro(at).UTC()
			return r, err
		})
}
