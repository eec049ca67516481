package local

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/rank"
)

// rerank is how many of the best chunks by words are compared by vectors from
// the file while the index is loading.
const rerank = 100

// preparedQuery is a RecallQuery with its limits applied, its terms and its
// filter.
type preparedQuery struct {
	evidence.RecallQuery
	terms   []string  // as in the word index; with repetitions
	vector  []float32 // of unit length; nil: words only
	lexical []float32 // of unit length, beside a vector of a trained model; nil: none
	hidden  bool      // vector is the lexical one in the place of the trained one, and hits have none
	filter  filter
	depth   int
	notes   []string
}

// Recall finds chunks; see contract.Store.
func (l *Local) Recall(ctx context.Context, rq evidence.RecallQuery) (evidence.RecallResult, error) {
	res := evidence.RecallResult{Hits: []evidence.Hit{}, Index: evidence.IndexLexical}
	if err := ctx.Err(); err != nil {
		return res, err
	}
	q, err := l.prepareQuery(rq)
	if err != nil {
		return res, err
	}
	defer l.index.beginRecall()()
	err = l.read(ctx, "recalling", func(tx *sql.Tx) error {
		sem, err := l.semantics(ctx, tx, q)
		if err != nil {
			return err
		}
		res.Index = sem.state
		cands, err := l.candidates(ctx, tx, q, sem)
		if err != nil {
			return err
		}
		res.Hits, err = hits(ctx, tx, q, cands)
		return err
	})
	if err != nil {
		return evidence.RecallResult{Hits: []evidence.Hit{}, Index: evidence.IndexLexical}, err
	}
	res.Warnings = q.notes
	return res, nil
}

func (l *Local) prepareQuery(rq evidence.RecallQuery) (*preparedQuery, error) {
	q, err := intake.Ask(rq, l.voc.Vocabulary)
	if err != nil {
		return nil, err
	}
	return &preparedQuery{RecallQuery: q.Asked, terms: q.Terms, vector: q.Vector, lexical: q.Lexical, hidden: q.Hidden,
		depth: q.Depth, notes: q.Notes, filter: newFilter(rq)}, nil
}

// useLexical puts the lexical vector in the place of the trained model's, and reports
// whether there is one.
func (q *preparedQuery) useLexical() bool {
	if q.lexical == nil {
		return false
	}
	q.vector, q.Model, q.lexical, q.hidden = q.lexical, q.LexicalModel, nil, true
	return true
}

// noVectors falls back to words; in mode vector it returns an error.
func (q *preparedQuery) noVectors(why, try string) error {
	if q.Mode == evidence.ModeVector {
		return &evidence.Problem{What: why, Try: try}
	}
	q.vector = nil
	q.notes = append(q.notes, why+"; the memory was searched by words alone")
	return nil
}

// candidates searches by words and by vectors at the same time and ranks what
// they find.
func (l *Local) candidates(ctx context.Context, tx *sql.Tx, q *preparedQuery, sem *semantics) ([]rank.Candidate, error) {
	warming := sem.state == evidence.IndexWarming && q.Mode == evidence.ModeHybrid
	if warming { // the first recall of a process should not take longer
		q.depth = max(rerank, 4*q.K)
	}
	stats, err := l.termStats(ctx, tx, q.terms)
	if err != nil {
		return nil, err
	}
	if err := l.addLexical(ctx, tx, q, sem, stats); err != nil {
		return nil, err
	}
	words, nearby, err := l.search(ctx, tx, q, sem, stats)
	if err != nil {
		return nil, err
	}
	cands, err := gather(ctx, tx, words, nearby)
	if err != nil {
		return nil, err
	}
	rank.ScoreWords(cands, stats)
	if warming {
		cands = rank.BestWords(cands, q.depth)
	}
	table, err := l.compareGrams(ctx, tx, q, cands, stats.Chunks)
	if err != nil {
		return nil, err
	}
	if err := compareVectors(ctx, tx, q, sem, cands); err != nil {
		return nil, err
	}
	cands = rank.Scored(q.ranked(), cands, table != nil)
	if cands, err = addNeighbours(ctx, tx, q, cands, sem); err != nil {
		return nil, err
	}
	return rank.Best(cands, q.K), nil
}

// ranked is the query as it is scored.
func (q *preparedQuery) ranked() rank.Query {
	return rank.Query{Text: q.Text, Mode: q.Mode, Vector: q.vector != nil, Trained: q.Model.Kind == evidence.KindTransformer, Depth: q.depth}
}

// search returns the chunks that the words find, and those that the vectors find,
// each best first.
func (l *Local) search(ctx context.Context, tx *sql.Tx, q *preparedQuery, sem *semantics, stats *termStats) (words []int64, nearby []near, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		var err error
		words, err = l.matching(gctx, tx, q, stats)
		return err
	})
	var misspelt []near
	if sem.space != nil && q.filter.empty() { // in RAM, while the file is read
		g.Go(func() error {
			var err error
			nearby, err = sem.space.query(gctx, q.vector, q.depth)
			return err
		})
	}
	if sem.lexical != nil && q.filter.empty() {
		g.Go(func() error {
			var err error
			misspelt, err = sem.lexical.query(gctx, q.lexical, q.depth)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	switch {
	case q.vector == nil:
	case (sem.space != nil || sem.lexical != nil) && !q.filter.empty(): // the filter is evaluated in the file
		nearby, misspelt, err = sem.searchFiltered(ctx, tx, q)
	case sem.space == nil && q.Mode == evidence.ModeVector:
		nearby, err = sem.scanFile(ctx, tx, q)
	}
	return words, append(nearby, misspelt...), err
}

// compareGrams scores the candidates by character n-grams. The table is nil if there is
// none yet.
func (l *Local) compareGrams(ctx context.Context, tx *sql.Tx, q *preparedQuery, cands []rank.Candidate, chunks int64) (*rank.GramTable, error) {
	if q.vector == nil || q.Mode != evidence.ModeHybrid {
		return nil, nil
	}
	table, due, err := l.index.grams.get(ctx, tx, chunks)
	if due {
		l.index.notify() // the background goroutine samples
	}
	if table == nil || err != nil {
		return nil, err
	}
	if err := readSurfaces(ctx, tx, cands, true); err != nil {
		return nil, fmt.Errorf("reading the candidates: %w", err)
	}
	table.Score(cands, q.Text)
	return table, nil
}

// filter is the filters of a query as part of a WHERE clause, over doc as d.
type filter struct {
	where string
	args  []any
}

func newFilter(q evidence.RecallQuery) filter {
	var parts []string
	var args []any
	add := func(part string, arg any) { parts, args = append(parts, part), append(args, arg) }
	if q.Source != "" {
		add("d.source = ?", q.Source)
	}
	if q.Session != "" {
		add("d.id IN (SELECT doc FROM link WHERE session = ?)", q.Session)
	}
	for _, t := range q.Tags {
		add("d.id IN (SELECT doc FROM tag WHERE tag = ?)", intake.Tag(t))
	}
	if !q.Since.IsZero() {
		add("d.retrieved >= ?", intake.Bounded(q.Since).UnixMicro())
	}
	if !q.Until.IsZero() {
		add("d.retrieved <= ?", intake.Bounded(q.Until).UnixMicro())
	}
	return filter{strings.Join(parts, " AND "), args}
}

func (f filter) empty() bool { return f.where == "" }

// hits reads the text of the best candidates.
func hits(ctx context.Context, tx *sql.Tx, q *preparedQuery, cands []rank.Candidate) ([]evidence.Hit, error) {
	out := []evidence.Hit{}
	texts := map[int64]string{}
	docs := map[int64]evidence.Document{}
	for _, c := range cands[:min(q.K, len(cands))] {
		if _, ok := docs[c.Doc]; !ok {
			var body string
			d, err := scanDoc(tx.QueryRowContext(ctx, "SELECT "+docColumns+", b.text FROM doc d JOIN body b ON b.doc=d.id WHERE d.id=?", c.Doc), &body)
			if err != nil {
				return nil, fmt.Errorf("reading a document: %w", err)
			}
			docs[c.Doc], texts[c.Doc] = d, body
		}
		body := texts[c.Doc]
		if err := c.Within(len(body)); err != nil {
			return nil, err
		}
		if q.hidden {
			c.Vector = nil
		}
		d := docs[c.Doc]
		d.Tags, d.Meta = slices.Clone(d.Tags), cloneMap(d.Meta)
		out = append(out, evidence.Hit{
			Document: d,
			Passage:  evidence.Passage{DocumentID: d.ID, Start: c.Start, End: c.Stop, Text: body[c.Start:c.Stop], Score: c.Score},
			Vector:   slices.Clone(c.Vector),
		})
	}
	return out, nil
}

func cloneMap(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// jsonIDs encodes ids as one parameter for json_each.
func jsonIDs(ids []int64) string {
	if len(ids) == 0 {
		return "[]" // json_each would make a row of null
	}
	b, _ := json.Marshal(ids) // numbers always marshal
	return string(b)
}
