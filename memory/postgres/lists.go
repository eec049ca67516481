package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// listLimit is the number of entries of a list.
func listLimit(n int) int {
	if n <= 0 || n > contract.MaxListed {
		return contract.MaxListed
	}
	return n
}

// list appends what scan reads from each row of a query; see contract.Lister.
func list[T any](ctx context.Context, m *Memory, doing, query string, args []any, scan func(pgx.Row) (T, error)) ([]T, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []T
	err := m.read(ctx, doing, func(tx pgx.Tx) error {
		out = []T{}
		return eachRow(ctx, tx, func(row pgx.Row) error {
			entry, err := scan(row)
			out = append(out, entry)
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ListDocuments lists documents; see contract.Lister.
func (m *Memory) ListDocuments(ctx context.Context, f contract.DocumentFilter) ([]evidence.Document, error) {
	p := params{m.tenant, listLimit(f.Limit)}
	where := filterOf(evidence.RecallQuery{Source: f.Source, Tags: f.Tags, Since: f.Since}, m.tenant, &p)
	if where != "" {
		where = " and " + where
	}
	return list(ctx, m, "listing documents", "select "+docColumns+" from doc d where d.tenant = $1"+where+" order by d.retrieved desc, d.id desc limit $2", p,
		func(row pgx.Row) (evidence.Document, error) { return scanDoc(row) })
}

// ListSessions lists sessions; see contract.Lister.
func (m *Memory) ListSessions(ctx context.Context, limit int) ([]evidence.Session, error) {
	return list(ctx, m, "listing sessions", "select "+sessionColumns+" from session s where s.tenant = $1 order by s.updated desc, s.id desc limit $2",
		[]any{m.tenant, listLimit(limit)}, scanSession)
}

// ListRuns lists answers; see contract.Lister.
func (m *Memory) ListRuns(ctx context.Context, limit int) ([]contract.RunInfo, error) {
	return list(ctx, m, "listing answers", `select r.uid, s.uid, r.question, r.status, r.at, t.seq
		from run r join session s on s.tenant = r.tenant and s.id = r.session left join turn t on t.tenant = r.tenant and t.run = r.uid
		where r.tenant = $1 order by r.at desc, r.session desc, t.seq desc limit $2`, []any{m.tenant, listLimit(limit)},
		func(row pgx.Row) (contract.RunInfo, error) {
			var r contract.RunInfo
			var seq *int64
			err := row.Scan(&r.ID, &r.Session, &r.Question, &r.Status, &r.At, &seq)
			r.At = r.At.UTC()
			return r, err
		})
}
