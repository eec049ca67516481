package local

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/research-mcp/research-mcp/memory/rank"
)

// termStats is what BM25 needs to know of a query and the memory.
type termStats = rank.TermStats

func (l *Local) termStats(ctx context.Context, tx *sql.Tx, terms []string) (*termStats, error) {
	t, err := readTally(ctx, tx)
	if err != nil {
		return nil, err
	}
	return rank.NewTermStats(terms, t["chunks"], t["terms"], func(term string) (int64, error) {
		df, ok := l.df.Get(term, t["chunks"])
		if ok {
			return df, nil
		}
		err := tx.QueryRowContext(ctx, "SELECT doc FROM fts_row WHERE term=?", term).Scan(&df)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		l.df.Set(term, df)
		return df, nil
	})
}

// matching returns the ids of the chunks with the best BM25, best first.
func (l *Local) matching(ctx context.Context, tx *sql.Tx, q *preparedQuery, s *termStats) ([]int64, error) {
	if len(s.Terms) == 0 {
		return nil, nil
	}
	var quoted []string
	for _, t := range s.Sought() {
		quoted = append(quoted, `"`+strings.ReplaceAll(t, `"`, `""`)+`"`)
	}
	match := strings.Join(quoted, " OR ")
	if q.filter.empty() {
		oldest, err := oldestSought(ctx, tx, s)
		if err != nil {
			return nil, err
		}
		if oldest > 0 {
			found, err := int64s(ctx, tx, "SELECT rowid FROM fts WHERE fts MATCH ? AND rowid >= ? ORDER BY rank LIMIT ?", match, oldest, q.depth)
			if err != nil || len(found) >= q.depth {
				return found, err
			} // otherwise the term is one of the older documents
		}
		return int64s(ctx, tx, "SELECT rowid FROM fts WHERE fts MATCH ? ORDER BY rank LIMIT ?", match, q.depth)
	}
	args := append([]any{match}, q.filter.args...)
	return int64s(ctx, tx, `SELECT fts.rowid FROM fts CROSS JOIN chunk c ON c.id = fts.rowid CROSS JOIN doc d ON d.id = c.doc
		WHERE fts MATCH ? AND `+q.filter.where+` ORDER BY rank LIMIT ?`, append(args, q.depth)...)
}

// commonest is how many chunks with the rarest term of a query are ranked. Each costs about
// two microseconds, and in a large memory a question of one common word has very many.
const commonest = 20_000

// oldestSought returns the first chunk among which about commonest have the rarest term, 0
// for all: of a term that is so common that it tells little, the newest chunks will do.
func oldestSought(ctx context.Context, tx *sql.Tx, s *termStats) (id int64, err error) {
	if df := s.DF[0]; df > commonest {
		err = tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM chunk").Scan(&id)
		id -= int64(float64(id) * commonest / float64(df))
	}
	return id, err
}
