package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/rank"
)

// preparedQuery is a RecallQuery with its limits applied, and its terms.
type preparedQuery struct {
	evidence.RecallQuery
	terms   []string  // stems, with repetitions, coded as they are stored
	vector  []float32 // of unit length; nil: words only
	lexical []float32 // of unit length, beside a vector of a trained model; nil: none
	hidden  bool      // vector is the lexical one in the place of the trained one, and hits have none
	depth   int
	notes   []string

	space    space // of vector
	near     space // of lexical, where it is searched too; zero: it is not
	filtered bool
	passing  int  // passages that pass the filter, or so many were counted
	exact    bool // passing is all of them, and all may be compared
}

// Recall finds chunks; see contract.Store.
func (m *Memory) Recall(ctx context.Context, rq evidence.RecallQuery) (evidence.RecallResult, error) {
	none := evidence.RecallResult{Hits: []evidence.Hit{}, Index: evidence.IndexLexical}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	var res evidence.RecallResult
	err := m.read(ctx, "recalling", func(tx pgx.Tx) error {
		q, err := m.prepareQuery(rq)
		if err != nil {
			return err
		}
		res = evidence.RecallResult{Index: evidence.IndexLexical}
		total, err := m.counted(ctx, tx, 0)
		if err != nil {
			return err
		}
		if err := m.chooseSpace(ctx, tx, q, total); err != nil {
			return err
		}
		if q.vector != nil {
			res.Index = evidence.IndexReady
		}
		cands, err := m.candidates(ctx, tx, q, total)
		if err != nil {
			return err
		}
		res.Hits, err = m.hits(ctx, tx, q, cands)
		res.Warnings = q.notes
		return err
	})
	if err != nil {
		return none, err
	}
	return res, nil
}

func (m *Memory) prepareQuery(rq evidence.RecallQuery) (*preparedQuery, error) {
	q, err := intake.Ask(rq, m.voc)
	if err != nil {
		return nil, err
	}
	for i, t := range q.Terms {
		q.Terms[i] = coded(t)
	}
	return &preparedQuery{RecallQuery: q.Asked, terms: q.Terms, vector: q.Vector, lexical: q.Lexical, hidden: q.Hidden,
		depth: q.Depth, notes: q.Notes, filtered: filterOf(rq, m.tenant, &params{}) != ""}, nil
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

// chooseSpace finds the space of the query's model. Without one, the words decide
// alone, and the result says why.
func (m *Memory) chooseSpace(ctx context.Context, tx pgx.Tx, q *preparedQuery, total tally) error {
	if q.vector == nil {
		return nil
	}
	s, ok, err := m.findSpace(ctx, tx, storableModel(q.Model))
	if err != nil {
		return err
	}
	if !ok && q.useLexical() { // of a trained model that has embedded nothing yet
		return m.chooseSpace(ctx, tx, q, total)
	}
	if !ok {
		if total.documents == 0 && q.Mode != evidence.ModeVector {
			q.vector = nil
			return nil
		}
		return q.noVectors(fmt.Sprintf("the memory has no vectors of the model %s", contract.ModelText(q.Model)),
			"run `research-mcp memory reindex`, or use mode hybrid")
	}
	if s.model.Dims != len(q.vector) {
		if given := len(q.Vector); q.useLexical() {
			q.notes = append(q.notes, intake.OtherDims(s.model, given)+"; the memory was searched by words and n-grams")
			return m.chooseSpace(ctx, tx, q, total)
		}
		return q.noVectors(intake.OtherDims(s.model, len(q.vector)), "give the model another revision, or use mode hybrid")
	}
	q.space = s
	return m.noteCoverage(ctx, tx, q, total)
}

func storableModel(model evidence.Model) evidence.Model {
	model.Name, model.Revision, model.Kind = storableID(model.Name), storableID(model.Revision), storableID(model.Kind)
	return model
}

// noteCoverage adds a warning if documents lack vectors of the model, and nothing else
// ranks them.
func (m *Memory) noteCoverage(ctx context.Context, tx pgx.Tx, q *preparedQuery, total tally) error {
	if q.space.active && !q.space.wanted || q.lexical != nil {
		return nil
	}
	have, err := m.counted(ctx, tx, q.space.id)
	if err == nil && have.documents < total.documents {
		q.notes = append(q.notes, fmt.Sprintf("vectors of the model %s: %d of %d documents; the others are found by words", contract.ModelText(q.space.model), have.documents, total.documents))
	}
	return err
}

// addLexical decides whether the lexical vector is searched too: it may find what words
// and the trained model do not, chunks without a vector, and misspelt words.
func (m *Memory) addLexical(ctx context.Context, tx pgx.Tx, q *preparedQuery, stats *rank.TermStats, total tally) error {
	if q.lexical == nil || q.vector == nil {
		return nil
	}
	have, err := m.counted(ctx, tx, q.space.id)
	if err != nil || have.documents >= total.documents && !stats.Unknown {
		return err
	}
	s, ok, err := m.findSpace(ctx, tx, storableModel(q.LexicalModel))
	if err == nil && ok && s.model.Dims == len(q.lexical) {
		q.near = s
	}
	return err
}

// candidates searches by words and by vectors and ranks what they find.
func (m *Memory) candidates(ctx context.Context, tx pgx.Tx, q *preparedQuery, total tally) ([]rank.Candidate, error) {
	stats, err := m.termStats(ctx, tx, q.terms, total)
	if err != nil {
		return nil, err
	}
	if err := m.addLexical(ctx, tx, q, stats, total); err != nil {
		return nil, err
	}
	words, nearest, err := m.search(ctx, tx, q, stats, total)
	if err != nil {
		return nil, err
	}
	table, err := m.gramsFor(ctx, tx, q, total)
	if err != nil {
		return nil, err
	}
	var grams *rank.Scorer
	if table != nil {
		grams = table.Scorer(q.Text)
	}
	cands, err := m.gather(ctx, tx, q, slices.Concat(words, nearest), grams)
	if err != nil {
		return nil, err
	}
	cands = withoutOthers(cands, nearest, stats)
	rank.ScoreWords(cands, stats)
	cands = rank.Scored(q.ranked(), cands, table != nil)
	if cands, err = m.addNeighbours(ctx, tx, q, cands); err != nil {
		return nil, err
	}
	for i := range cands {
		cands[i].Terms = decodedAll(cands[i].Terms) // near-duplicates are told apart by their numbers
	}
	return rank.Best(cands, q.K), nil
}

// ranked is the query as it is scored.
func (q *preparedQuery) ranked() rank.Query {
	return rank.Query{Text: q.Text, Mode: q.Mode, Vector: q.vector != nil, Trained: q.Model.Kind == evidence.KindTransformer, Depth: q.depth}
}

// place names a passage: its document and ordinal.
type place struct {
	Doc int64
	Ord int
}

// withoutOthers leaves out what neither the vectors nor the words have found: of a small
// memory pg_textsearch sorts all passages, those without any of the words last.
func withoutOthers(cands []rank.Candidate, nearest []place, stats *rank.TermStats) []rank.Candidate {
	near := make(map[place]bool, len(nearest))
	for _, at := range nearest {
		near[at] = true
	}
	return slices.DeleteFunc(cands, func(c rank.Candidate) bool { return !near[place{c.Doc, c.Ord}] && !stats.In(c.Terms) })
}

// search returns the passages that the words find, and those that the vectors find.
func (m *Memory) search(ctx context.Context, tx pgx.Tx, q *preparedQuery, stats *rank.TermStats, total tally) (words, nearest []place, err error) {
	if q.filtered {
		if err := m.countPassing(ctx, tx, q); err != nil {
			return nil, nil, err
		}
	}
	if words, err = m.matching(ctx, tx, q, stats); err != nil || q.vector == nil {
		return words, nil, err
	}
	if nearest, err = m.nearest(ctx, tx, q, q.space, q.vector, total.chunks); err != nil || q.near.id == 0 {
		return words, nearest, err
	}
	misspelt, err := m.nearest(ctx, tx, q, q.near, q.lexical, total.chunks)
	return words, append(nearest, misspelt...), err
}

// hits reads the documents and the vectors of the best candidates, and their texts as far
// as they were not read for the n-grams.
func (m *Memory) hits(ctx context.Context, tx pgx.Tx, q *preparedQuery, cands []rank.Candidate) ([]evidence.Hit, error) {
	if len(cands) == 0 {
		return []evidence.Hit{}, nil
	}
	places, starts, stops := make([]place, len(cands)), make([]int32, len(cands)), make([]int32, len(cands))
	for i, c := range cands {
		places[i] = place{c.Doc, c.Ord}
		if c.Surface == "" {
			starts[i], stops[i] = int32(c.Start), int32(c.Stop) //nolint:gosec // MaxText is smaller
		}
	}
	docs, ords := columnsOf(places)
	vector, join := "null::real[]", ""
	if q.vector != nil && !q.hidden {
		vector = "v.v::real[]"
		join = fmt.Sprintf(" left join %s v on v.tenant = $1 and v.doc = k.doc and v.ord = k.ord", q.space.table())
	}
	out := make([]evidence.Hit, len(cands))
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var n int
		var text []byte
		var v []float32
		d, err := scanDoc(row, &n, &text, &v)
		if err != nil {
			return err
		}
		c := cands[n]
		passage := string(text)
		if c.Surface != "" {
			passage = c.Surface[len(c.Surface)-(c.Stop-c.Start):]
		}
		if len(passage) != c.Stop-c.Start {
			return fmt.Errorf("chunk %d of document %s is not a piece of its text", c.Ord, d.ID)
		}
		out[n] = evidence.Hit{Document: d, Passage: evidence.Passage{DocumentID: d.ID, Start: c.Start, End: c.Stop, Text: passage, Score: c.Score}, Vector: v}
		return nil
	}, "select "+docColumns+`, k.n - 1, case when k.stop > 0 then substring(b.text from k.start + 1 for k.stop - k.start) end, `+vector+`
		from unnest($2::bigint[], $3::int[], $4::int[], $5::int[]) with ordinality k(doc, ord, start, stop, n)
		join doc d on d.tenant = $1 and d.id = k.doc left join body b on b.tenant = $1 and b.doc = case when k.stop > 0 then k.doc end`+join, m.tenant, docs, ords, starts, stops)
	if err != nil {
		return nil, fmt.Errorf("reading the hits: %w", err)
	}
	return out, nil
}
