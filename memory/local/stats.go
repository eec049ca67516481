package local

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const backendName = "local"

// Backend returns "local".
func (l *Local) Backend() string { return backendName }

// Place is the file, without links on the way to it; see contract.Placed.
func (l *Local) Place(context.Context) (string, error) { return filepath.EvalSymlinks(l.path) }

// Stats counts what the memory holds; see contract.Describer.
func (l *Local) Stats(ctx context.Context) (contract.Stats, error) {
	s := contract.Stats{Backend: backendName, Path: l.path, BySource: map[string]int{}, Models: []contract.ModelStats{},
		Index: evidence.IndexLexical, Warnings: []string{}, Bytes: l.diskBytes()}
	err := l.read(ctx, "counting", func(tx *sql.Tx) error {
		t, err := readTally(ctx, tx)
		if err != nil {
			return err
		}
		s.Documents, s.Chunks, s.TextBytes = int(t["documents"]), int(t["chunks"]), t["bytes"]
		var oldest, newest sql.NullInt64
		err = tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM turn), (SELECT count(*) FROM run),
			(SELECT min(retrieved) FROM doc), (SELECT max(retrieved) FROM doc)`).Scan(&s.Sessions, &s.Turns, &s.Runs, &oldest, &newest)
		if err != nil {
			return err
		}
		s.Oldest, s.Newest = fromMicros(oldest), fromMicros(newest)
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&s.Schema); err != nil {
			return err
		}
		if err := bySource(ctx, tx, s.BySource); err != nil {
			return err
		}
		return l.modelStats(ctx, tx, &s)
	})
	return s, err
}

func (l *Local) diskBytes() int64 {
	total := int64(0)
	for _, p := range []string{l.path, l.path + "-wal"} {
		if info, err := os.Stat(p); err == nil {
			total += info.Size()
		}
	}
	return total
}

func bySource(ctx context.Context, tx *sql.Tx, out map[string]int) error {
	rows, err := tx.QueryContext(ctx, "SELECT source, count(*) FROM doc GROUP BY source")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var n int
		if err := rows.Scan(&name, &n); err != nil {
			return err
		}
		out[name] = n
	}
	return rows.Err()
}

func (l *Local) modelStats(ctx context.Context, tx *sql.Tx, s *contract.Stats) error {
	models, err := allModels(ctx, tx)
	if err != nil {
		return err
	}
	for _, m := range models {
		have, total, err := coverage(ctx, tx, m.id)
		if err != nil {
			return err
		}
		s.Models = append(s.Models, contract.ModelStats{Name: m.model.Name, Revision: m.model.Revision, Kind: m.model.Kind,
			Dims: m.model.Dims, Documents: have, Active: m.active})
		if m.wanted {
			s.Reindex = &contract.Progress{Model: contract.ModelText(m.model), Done: have, Total: total}
		}
		if !m.active {
			continue
		}
		s.Embedder = contract.ModelText(m.model)
		s.Index = evidence.IndexWarming
		if h, ok := l.index.peek(m.id); ok && h.isReady() && h.err == nil {
			s.Index = evidence.IndexReady
			s.Indexed, _ = h.space.size()
		}
	}
	return nil
}

func allModels(ctx context.Context, q rowsQuerier) ([]modelRow, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+modelColumns+" FROM model ORDER BY id")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []modelRow
	for rows.Next() {
		m, err := scanModel(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// peek returns the space of a model if it was requested before.
func (ix *index) peek(model int64) (*spaceSlot, bool) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	h, ok := ix.spaces[model]
	return h, ok
}
