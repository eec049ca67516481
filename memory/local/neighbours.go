package local

import (
	"context"
	"database/sql"
)

// maxThread limits the turns among which one recall looks for neighbours.
const maxThread = 50_000

// addNeighbours adds to each turn a share of the scores of the adjacent turns
// of its conversation. A turn that was no candidate becomes one: the answer
// beside a question may share no word with it.
func addNeighbours(ctx context.Context, tx *sql.Tx, q *preparedQuery, cands []candidate, sem *semantics) ([]candidate, error) {
	own := map[int64]float64{} // best score of each turn
	var docs []int64
	for _, c := range cands {
		if !c.turn {
			continue
		}
		if _, ok := own[c.doc]; !ok {
			docs = append(docs, c.doc)
		}
		own[c.doc] = max(own[c.doc], c.score)
	}
	if len(docs) == 0 {
		return cands, nil
	}
	bonus, err := neighbours(ctx, tx, q, docs, own)
	if err != nil {
		return nil, err
	}
	if cands, err = addSilentTurns(ctx, tx, q, cands, sem, own, bonus); err != nil {
		return nil, err
	}
	best := 1.0
	for i := range cands {
		if cands[i].turn {
			cands[i].score += bonus[cands[i].doc]
			best = max(best, cands[i].score)
		}
	}
	for i := range cands {
		cands[i].score /= best
	}
	return cands, nil
}

// neighbours returns the bonus of each turn: a share of the scores of the
// adjacent ones.
func neighbours(ctx context.Context, tx *sql.Tx, q *preparedQuery, docs []int64, own map[int64]float64) (map[int64]float64, error) {
	only, args := "", []any{jsonIDs(docs)}
	if q.Session != "" {
		only, args = " AND l.session = ?", append(args, q.Session)
	}
	rows, err := tx.QueryContext(ctx, `SELECT l.session, d.id FROM link l JOIN doc d ON d.id = l.doc
		WHERE d.turn IS NOT NULL AND l.session IN (SELECT session FROM link WHERE doc IN (SELECT value FROM json_each(?)))`+only+`
		ORDER BY l.session, d.turn, d.id LIMIT ?`, append(args, maxThread)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	bonus := map[int64]float64{}
	var session string
	var before int64
	for rows.Next() {
		var s string
		var doc int64
		if err := rows.Scan(&s, &doc); err != nil {
			return nil, err
		}
		if s == session && before != 0 {
			bonus[doc] += neighbourShare * own[before]
			bonus[before] += neighbourShare * own[doc]
		}
		session, before = s, doc
	}
	return bonus, rows.Err()
}

// addSilentTurns adds the turns that have a bonus but no score of their own, if
// they pass the filter.
func addSilentTurns(ctx context.Context, tx *sql.Tx, q *preparedQuery, cands []candidate, sem *semantics, own, bonus map[int64]float64) ([]candidate, error) {
	var silent []int64
	for doc, b := range bonus {
		if _, ok := own[doc]; !ok && b > 0 {
			silent = append(silent, doc)
		}
	}
	if len(silent) == 0 {
		return cands, nil
	}
	where, args := "c.ord = 0 AND c.doc IN (SELECT value FROM json_each(?))", []any{jsonIDs(silent)}
	if !q.filter.empty() {
		where, args = where+" AND "+q.filter.where, append(args, q.filter.args...)
	}
	more, err := readCandidates(ctx, tx, where, args...)
	if err != nil {
		return nil, err
	}
	if err := sem.score(ctx, tx, q, more); err != nil { // for their vectors
		return nil, err
	}
	return append(cands, more...), nil
}
