package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// docColumns are the columns that scanDoc reads, in its order; the table is
// named d.
const docColumns = `d.uid, d.source, d.url, d.title, d.language, d.license, d.revision, d.published, d.retrieved,
	d.score, d.untrusted, d.truncated, d.tags, d.meta`

// scanDoc reads docColumns, which do not include the text, and further columns
// into more.
func scanDoc(row pgx.Row, more ...any) (evidence.Document, error) {
	var d evidence.Document
	var published *time.Time
	dest := []any{&d.ID, &d.Source, &d.URL, &d.Title, &d.Language, &d.License, &d.Revision, &published, &d.Retrieved,
		&d.Score, &d.Untrusted, &d.Truncated, &d.Tags, &d.Meta}
	if err := row.Scan(append(dest, more...)...); err != nil {
		return d, err
	}
	d.Retrieved = d.Retrieved.UTC()
	if published != nil {
		d.Published = published.UTC()
	}
	if len(d.Tags) == 0 {
		d.Tags = nil
	}
	if len(d.Meta) == 0 {
		d.Meta = nil
	}
	return d, nil
}

// Document returns a stored document; see contract.Store.
func (m *Memory) Document(ctx context.Context, id string) (evidence.Document, bool, error) {
	var d evidence.Document
	found := false
	err := m.read(ctx, "reading a document", func(tx pgx.Tx) error {
		var body []byte
		var err error
		d, err = scanDoc(tx.QueryRow(ctx, "select "+docColumns+", b.text from doc d join body b on b.tenant = d.tenant and b.doc = d.id where d.tenant = $1 and d.uid = $2",
			m.tenant, storableID(id)), &body)
		if errors.Is(err, pgx.ErrNoRows) {
			found = false
			return nil
		}
		d.Text, found = string(body), err == nil
		return err
	})
	if err != nil || !found {
		return evidence.Document{}, false, err
	}
	return d, true, nil
}

// eachRow calls fn for each row of a query.
func eachRow(ctx context.Context, q querier, fn func(row pgx.Row) error, query string, args ...any) error {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// column returns the only column of a query.
func column[T any](ctx context.Context, q querier, query string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}
