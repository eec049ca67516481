package local

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/cells"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// semantics is the part of the vectors in one recall.
type semantics struct {
	state string // evidence.IndexReady, IndexWarming or IndexLexical
	model modelRow
	space *space // nil: vectors are read from the file
	// lexical finds candidates by the query's lexical vector; nil: none are needed, or
	// it is not loaded yet.
	lexical *space
}

// semantics finds the space of the query's model. Without one, the words decide
// alone, and the result says why.
func (l *Local) semantics(ctx context.Context, tx *sql.Tx, q *preparedQuery) (*semantics, error) {
	lexical := &semantics{state: evidence.IndexLexical}
	if q.vector == nil {
		return lexical, nil
	}
	row, ok, err := findModel(ctx, tx, q.Model)
	if err != nil {
		return nil, err
	}
	if !ok && q.useLexical() { // of a trained model that has embedded nothing yet
		return l.semantics(ctx, tx, q)
	}
	if !ok {
		if empty, err := isEmpty(ctx, tx); err != nil || empty && q.Mode != evidence.ModeVector {
			q.vector = nil
			return lexical, err
		}
		return lexical, q.noVectors(fmt.Sprintf("the memory has no vectors of the model %s", contract.ModelText(q.Model)),
			"run `research-mcp memory reindex`, or use mode hybrid")
	}
	if row.model.Dims != len(q.vector) && q.useLexical() {
		q.notes = append(q.notes, intake.OtherDims(row.model, len(q.Vector))+"; the memory was searched by words and n-grams")
		return l.semantics(ctx, tx, q)
	}
	if row.model.Dims != len(q.vector) {
		return lexical, q.noVectors(intake.OtherDims(row.model, len(q.vector)), "give the model another revision, or use mode hybrid")
	}
	if err := l.noteCoverage(ctx, tx, q, row); err != nil {
		return nil, err
	}
	sem := &semantics{state: evidence.IndexWarming, model: row}
	sem.space, err = l.loadedSpace(ctx, tx, q, row)
	if sem.space != nil {
		sem.state = evidence.IndexReady
	}
	return sem, err
}

// loadedSpace returns the space of a model in RAM, up to date, or nil where it is not
// loaded yet. For that of a small memory it waits.
func (l *Local) loadedSpace(ctx context.Context, tx *sql.Tx, q *preparedQuery, row modelRow) (*space, error) {
	h := l.index.request(row)
	if !h.isReady() {
		small, err := isSmall(ctx, tx)
		if err != nil || !small {
			return nil, err
		}
		select {
		case <-h.loaded:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.index.done:
			return nil, nil
		}
	}
	if h.err != nil {
		q.notes = append(q.notes, "the index of vectors could not be loaded; they are read from the file")
		return nil, nil //nolint:nilerr // reported as a warning: recall works without the index
	}
	fresh, err := l.index.catchUp(ctx, inlineChanges)
	if err != nil {
		return nil, err
	}
	// Applying the changes may have replaced the space.
	if h = l.index.request(row); fresh && h.isReady() && h.err == nil {
		return h.space, nil
	}
	return nil, nil
}

// addLexical loads the space of the lexical vector where it may find what words and the
// trained model do not: chunks without a vector, and misspelt words. Otherwise it need
// not be in RAM.
func (l *Local) addLexical(ctx context.Context, tx *sql.Tx, q *preparedQuery, sem *semantics, stats *termStats) error {
	if q.lexical == nil || q.vector == nil {
		return nil
	}
	if !stats.Unknown {
		if any, err := l.lacks.any(ctx, tx, sem.model.id); err != nil || !any {
			return err
		}
	}
	row, ok, err := findModel(ctx, tx, q.LexicalModel)
	if err != nil || !ok || row.model.Dims != len(q.lexical) {
		return err
	}
	sem.lexical, err = l.loadedSpace(ctx, tx, q, row)
	return err
}

func isSmall(ctx context.Context, tx *sql.Tx) (bool, error) {
	t, err := readTally(ctx, tx)
	return t["chunks"] <= smallMemory, err
}

// noteCoverage adds a warning if documents lack vectors of the model, and nothing else
// ranks them.
func (l *Local) noteCoverage(ctx context.Context, tx *sql.Tx, q *preparedQuery, row modelRow) error {
	if row.active && !row.wanted || q.lexical != nil {
		return nil
	}
	have, total, err := coverage(ctx, tx, row.id)
	if err == nil && have < total {
		q.notes = append(q.notes, fmt.Sprintf("vectors of the model %s: %d of %d documents; the others are found by words", contract.ModelText(row.model), have, total))
	}
	return err
}

func allowed(ctx context.Context, tx *sql.Tx, f filter) (map[int64]bool, error) {
	ids, err := int64s(ctx, tx, "SELECT d.id FROM doc d WHERE "+f.where, f.args...)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out, nil
}

// searchFiltered searches what is in RAM of the index among the documents that pass the
// filter, by the vector and by the lexical one.
func (s *semantics) searchFiltered(ctx context.Context, tx *sql.Tx, q *preparedQuery) (nearby, misspelt []near, err error) {
	pass, err := allowed(ctx, tx, q.filter)
	if err != nil {
		return nil, nil, err
	}
	if s.lexical != nil {
		if misspelt, err = s.lexical.scan(ctx, q.lexical, q.depth, pass); err != nil {
			return nil, nil, err
		}
	}
	if s.space != nil {
		nearby, err = s.space.scan(ctx, q.vector, q.depth, pass)
	}
	return nearby, misspelt, err
}

// scanFile finds the nearest chunks without the index, by reading all vectors.
func (s *semantics) scanFile(ctx context.Context, tx *sql.Tx, q *preparedQuery) ([]near, error) {
	query, args := "SELECT doc, first, n, v, NULL FROM vec WHERE model=?", []any{s.model.id}
	if !q.filter.empty() {
		query += " AND doc IN (SELECT d.id FROM doc d WHERE " + q.filter.where + ")"
		args = append(args, q.filter.args...)
	}
	out := topNear{k: q.depth}
	err := eachVec(ctx, tx, query, args, func(r vecRow) error {
		v, err := decode(r.v, r.n, s.model.model.Dims)
		if err != nil {
			return fmt.Errorf("reading the vectors of a document: %w", err)
		}
		out.compare(r.doc, slab{first: r.first, v: v}, q.vector, nil)
		return nil
	})
	return out.nearest(), err
}

// score sets the exact similarity of each candidate that has a vector.
func (s *semantics) score(ctx context.Context, tx *sql.Tx, q *preparedQuery, cands []candidate) error {
	if q.vector == nil || len(cands) == 0 {
		return nil
	}
	find := s.inRAM(cands)
	if s.space == nil {
		var err error
		if find, err = s.inFile(ctx, tx, cands); err != nil {
			return err
		}
	}
	for i := range cands {
		c := &cands[i]
		if v := find(*c); v != nil && !intake.IsZero(v) {
			c.vector, c.cos = v, float64(cells.Dot(q.vector, v))
		}
	}
	return nil
}

// inRAM returns a function that finds the vectors of candidates in the index.
func (s *semantics) inRAM(cands []candidate) func(candidate) []float32 {
	if s.space == nil {
		return nil
	}
	docs := make([]int64, 0, len(cands))
	for _, c := range cands {
		docs = append(docs, c.doc)
	}
	slabs, dims := s.space.slabs(docs), s.model.model.Dims
	return func(c candidate) []float32 {
		sl, ok := slabs[c.doc]
		at := int(c.id-sl.first) * dims
		if !ok || at < 0 || at+dims > len(sl.v) {
			return nil
		}
		return sl.v[at : at+dims]
	}
}

// inFile reads the vectors of candidates. One that cannot be read counts as
// missing.
func (s *semantics) inFile(ctx context.Context, tx *sql.Tx, cands []candidate) (func(candidate) []float32, error) {
	ids := make([]int64, 0, len(cands))
	for _, c := range cands {
		ids = append(ids, c.id)
	}
	width := 4 * s.model.model.Dims
	rows, err := tx.QueryContext(ctx, `SELECT c.id, substr(v.v, 1 + (c.id - v.first)*?1, ?1) FROM json_each(?2) j
		CROSS JOIN chunk c ON c.id = j.value CROSS JOIN vec v ON v.doc = c.doc AND v.model = ?3`, width, jsonIDs(ids), s.model.id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := make(map[int64][]float32, len(cands))
	for rows.Next() {
		var id int64
		var blob []byte
		if err := rows.Scan(&id, &blob); err != nil {
			return nil, err
		}
		if v, err := decode(blob, 1, s.model.model.Dims); err == nil && checkUnit(v) == nil {
			out[id] = v
		}
	}
	return func(c candidate) []float32 { return out[c.id] }, rows.Err()
}

// isEmpty reports whether the memory has no document.
func isEmpty(ctx context.Context, tx *sql.Tx) (bool, error) {
	var any bool
	if err := tx.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM doc)").Scan(&any); err != nil {
		return false, fmt.Errorf("looking for a document: %w", err)
	}
	return !any, nil
}
