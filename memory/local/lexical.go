package local

import (
	"context"
	"database/sql"
	"errors"
	"slices"
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

// matching returns the ids of the chunks with the best BM25, best first. Where terms are too
// common to be sought, they may be all that the chunks which pass a filter have: if few
// pass, all of them are compared. Otherwise the newest with the next rarest term are added
// until there are enough for the hits.
func (l *Local) matching(ctx context.Context, tx *sql.Tx, q *preparedQuery, s *termStats) ([]int64, error) {
	if len(s.Terms) == 0 {
		return nil, nil
	}
	sought := s.Sought()
	common := s.DF[0] > commonest && !q.filter.empty()
	if len(sought) == len(s.Terms) && !common {
		return withTerms(ctx, tx, q, s, sought)
	}
	pass, few, err := fewPassing(ctx, tx, q)
	if err != nil {
		return nil, err
	}
	if few {
		return bestOf(ctx, tx, q, s, pass)
	}
	if common { // then it is all that is sought
		found, err := newestWith(ctx, tx, q, s, s.Terms[0], commonest)
		if err != nil || len(found) >= q.depth {
			return found, err
		}
	}
	found, err := withTerms(ctx, tx, q, s, sought)
	if err != nil {
		return nil, err
	}
	budget := int64(commonest)
	for i := len(sought); i < len(s.Terms); i++ {
		if len(found) >= 2*q.K || budget <= 0 { // some are folded as near-duplicates
			break
		}
		some, err := newestWith(ctx, tx, q, s, s.Terms[i], budget)
		if !q.filter.empty() {
			budget -= s.DF[i]
		}
		if err != nil {
			return nil, err
		}
		found = append(found, slices.DeleteFunc(some, func(id int64) bool { return slices.Contains(found, id) })...)
	}
	return found, nil
}

// withTerms returns the chunks with the best BM25 of those that have one of some terms, best
// first.
func withTerms(ctx context.Context, tx *sql.Tx, q *preparedQuery, s *termStats, terms []string) ([]int64, error) {
	match := matchAny(terms)
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

// matchAny is the expression of FTS5 for chunks with one of some terms.
func matchAny(terms []string) string {
	quoted := make([]string, len(terms))
	for i, t := range terms {
		quoted[i] = `"` + strings.ReplaceAll(t, `"`, `""`) + `"`
	}
	return strings.Join(quoted, " OR ")
}

// fewChunks is how many chunks are read with all their terms, to be ranked. That takes less
// time than MatchBudget postings.
const fewChunks = 2000

// fewPassing returns the chunks that pass the filter, if there is one and they are few.
func fewPassing(ctx context.Context, tx *sql.Tx, q *preparedQuery) (pass []int64, few bool, err error) {
	if q.filter.empty() {
		return nil, false, nil
	}
	passing := "SELECT c.id FROM doc d CROSS JOIN chunk c ON c.doc = d.id WHERE " + q.filter.where
	var n int
	err = tx.QueryRowContext(ctx, "SELECT count(*) FROM ("+passing+" LIMIT ?)", append(slices.Clone(q.filter.args), fewChunks+1)...).Scan(&n)
	if err != nil || n > fewChunks {
		return nil, false, err
	}
	pass, err = int64s(ctx, tx, passing, q.filter.args...)
	return pass, true, err
}

// newestWith returns those with the best BM25 of the newest chunks with a term that pass the
// filter. FTS5 stops when there are enough: it goes through them in the order of their ids. If
// few pass, it would go through all that have the term: no more than budget are looked at then.
func newestWith(ctx context.Context, tx *sql.Tx, q *preparedQuery, s *termStats, term string, budget int64) ([]int64, error) {
	match := matchAny([]string{term})
	query, args := "SELECT rowid FROM fts WHERE fts MATCH ? ORDER BY rowid DESC LIMIT ?", []any{match, fewChunks}
	if !q.filter.empty() {
		query = `SELECT f.id FROM (SELECT rowid AS id FROM fts WHERE fts MATCH ? ORDER BY rowid DESC LIMIT ?) f
			CROSS JOIN chunk c ON c.id = f.id CROSS JOIN doc d ON d.id = c.doc WHERE ` + q.filter.where + " ORDER BY f.id DESC LIMIT ?"
		args = append(append([]any{match, budget}, q.filter.args...), fewChunks)
	}
	ids, err := int64s(ctx, tx, query, args...)
	if err != nil {
		return nil, err
	}
	return bestOf(ctx, tx, q, s, ids)
}

// bestOf returns those of some chunks that have the best BM25.
func bestOf(ctx context.Context, tx *sql.Tx, q *preparedQuery, s *termStats, ids []int64) ([]int64, error) {
	cands, err := candidatesOf(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	rank.ScoreWords(cands, s)
	out := make([]int64, 0, q.depth)
	for _, c := range rank.BestWords(cands, q.depth) {
		if c.Words > 0 {
			out = append(out, c.ID)
		}
	}
	return out, nil
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
