package local

import (
	"context"
	"database/sql"

	"github.com/research-mcp/research-mcp/memory/rank"
)

// maxThread limits the turns among which one recall looks for neighbours.
const maxThread = 50_000

// addNeighbours adds to each turn a share of the scores of the adjacent turns
// of its conversation. A turn that was no candidate becomes one.
func addNeighbours(ctx context.Context, tx *sql.Tx, q *preparedQuery, cands []rank.Candidate, sem *semantics) ([]rank.Candidate, error) {
	turns := rank.TurnsOf(cands)
	if len(turns.Docs) == 0 {
		return cands, nil
	}
	if err := readThreads(ctx, tx, q, turns); err != nil {
		return nil, err
	}
	cands, err := addSilentTurns(ctx, tx, q, cands, sem, turns.Silent())
	if err != nil {
		return nil, err
	}
	turns.Add(cands)
	return cands, nil
}

// readThreads reads the conversations of turns.
func readThreads(ctx context.Context, tx *sql.Tx, q *preparedQuery, turns *rank.Turns) error {
	only, args := "", []any{jsonIDs(turns.Docs)}
	if q.Session != "" {
		only, args = " AND l.session = ?", append(args, q.Session)
	}
	return eachRow(ctx, tx, `SELECT l.session, d.id FROM link l JOIN doc d ON d.id = l.doc
		WHERE d.turn IS NOT NULL AND l.session IN (SELECT session FROM link WHERE doc IN (SELECT value FROM json_each(?)))`+only+`
		ORDER BY l.session, d.turn, d.id LIMIT ?`, append(args, maxThread), func(row scanner) error {
		var session string
		var doc int64
		if err := row.Scan(&session, &doc); err != nil {
			return err
		}
		turns.Next(session, doc)
		return nil
	})
}

// addSilentTurns adds turns that have no score of their own, if they pass the filter.
func addSilentTurns(ctx context.Context, tx *sql.Tx, q *preparedQuery, cands []rank.Candidate, sem *semantics, silent []int64) ([]rank.Candidate, error) {
	if len(silent) == 0 {
		return cands, nil
	}
	where, args := "c.ord = 0 AND c.doc IN (SELECT value FROM json_each(?))", []any{jsonIDs(silent)}
	if !q.filter.empty() {
		where, args = where+" AND "+q.filter.where, append(args, q.filter.args...)
	}
	more, err := readCandidates(ctx, tx, len(silent), where, args...)
	if err != nil {
		return nil, err
	}
	if err := compareVectors(ctx, tx, q, sem, more); err != nil { // for their vectors
		return nil, err
	}
	return append(cands, more...), nil
}
