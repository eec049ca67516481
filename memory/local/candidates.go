package local

import (
	"context"
	"database/sql"
	"slices"

	"github.com/research-mcp/research-mcp/memory/rank"
)

// candidate is a chunk as the part of the vectors knows it.
type candidate struct {
	id, doc int64
	cos     float64   // valid when vector is not nil
	vector  []float32 // of the chunk, read-only
}

// compareVectors sets the exact similarity of each candidate that has a vector.
func compareVectors(ctx context.Context, tx *sql.Tx, q *preparedQuery, sem *semantics, cands []rank.Candidate) error {
	chunks := make([]candidate, len(cands))
	for i, c := range cands {
		chunks[i] = candidate{id: c.ID, doc: c.Doc}
	}
	if err := sem.score(ctx, tx, q, chunks); err != nil {
		return err
	}
	for i, c := range chunks {
		cands[i].Cos, cands[i].Vector = c.cos, c.vector
	}
	return nil
}

// gather reads the candidates that the word search and the vector search found,
// each with the terms of the adjacent chunks. Chunks that were removed
// meanwhile are left out.
func gather(ctx context.Context, tx *sql.Tx, words []int64, nearby []near) ([]rank.Candidate, error) {
	named := make(map[int64]bool, len(words)+len(nearby))
	for _, id := range words {
		named[id] = true
	}
	for _, n := range nearby {
		named[n.chunk] = true
	}
	ids := make([]int64, 0, 3*len(named))
	for id := range named {
		ids = append(ids, id-1, id, id+1) // ids of one document are contiguous
	}
	slices.Sort(ids)
	all, err := candidatesOf(ctx, tx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	out := make([]rank.Candidate, 0, len(named))
	for i, c := range all {
		if !named[c.ID] {
			continue
		}
		if i > 0 && all[i-1].Doc == c.Doc && all[i-1].ID == c.ID-1 {
			c.Context = rank.WithoutTitle(all[i-1].Terms, c.Terms)
		}
		if i+1 < len(all) && all[i+1].Doc == c.Doc && all[i+1].ID == c.ID+1 {
			c.Context += " " + rank.WithoutTitle(all[i+1].Terms, c.Terms)
		}
		out = append(out, c)
	}
	return out, nil
}

// candidatesOf reads chunks by their ids. Those that do not exist are left out.
func candidatesOf(ctx context.Context, tx *sql.Tx, ids []int64) ([]rank.Candidate, error) {
	return readCandidates(ctx, tx, len(ids), "c.id IN (SELECT value FROM json_each(?))", jsonIDs(ids))
}

// readCandidates reads chunks, about so many as expected.
func readCandidates(ctx context.Context, tx *sql.Tx, expected int, where string, args ...any) ([]rank.Candidate, error) {
	rows, err := tx.QueryContext(ctx, `SELECT c.id, c.doc, c.ord, c.start, c.stop, c.simhash, c.terms, d.turn IS NOT NULL
		FROM chunk c JOIN doc d ON d.id = c.doc WHERE `+where+" ORDER BY c.id", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := make([]rank.Candidate, 0, expected)
	for rows.Next() {
		var c rank.Candidate
		var hash int64
		if err := rows.Scan(&c.ID, &c.Doc, &c.Ord, &c.Start, &c.Stop, &hash, &c.Terms, &c.Turn); err != nil {
			return nil, err
		}
		c.Simhash = uint64(hash) //nolint:gosec // bits, not a number
		out = append(out, c)
	}
	return out, rows.Err()
}
