package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/rank"
)

// depth is the fewest chunks that each kind of search contributes.
const depth = 200

// preparedQuery is a RecallQuery with its limits applied, and its terms.
type preparedQuery struct {
	evidence.RecallQuery
	terms   []string  // stems, with repetitions
	vector  []float32 // of unit length; nil: words only
	lexical []float32 // of unit length, beside a vector of a trained model; nil: none
	hidden  bool      // vector is the lexical one in the place of the trained one, and hits have none
	depth   int
	notes   []string

	space    space // of vector
	near     space // of lexical, where it is searched too; zero: it is not
	filtered bool
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
	q := &preparedQuery{RecallQuery: rq}
	q.filtered = filterOf(rq, m.tenant, &params{}) != ""
	switch q.Mode {
	case "":
		q.Mode = evidence.ModeHybrid
	case evidence.ModeHybrid, evidence.ModeBM25, evidence.ModeVector:
	default:
		return nil, evidence.BadInput(fmt.Sprintf("there is no recall mode %q", q.Mode), "use hybrid, bm25 or vector")
	}
	if q.K <= 0 {
		q.K = contract.DefaultK
	}
	q.K = min(q.K, contract.MaxK)
	q.depth = max(depth, 4*q.K)
	if q.Mode != evidence.ModeVector {
		q.terms = m.voc.Query(strings.ToValidUTF8(q.Text, " "))
	}
	if q.Mode == evidence.ModeBM25 {
		return q, nil
	}
	if v := make([]float32, len(q.Lexical)); q.Mode == evidence.ModeHybrid && !q.LexicalModel.IsZero() && intake.Unit(v, q.Lexical) == nil {
		q.lexical = v
	}
	return q, q.takeVector()
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

// takeVector checks the vector of the query. Without a valid one the words
// decide alone; in mode vector that is an error.
func (q *preparedQuery) takeVector() error {
	why := "the query has no vector"
	if q.Vector != nil && !q.Model.IsZero() {
		v := make([]float32, len(q.Vector))
		err := intake.Unit(v, q.Vector)
		if err == nil {
			q.vector = v
			return nil
		}
		why = fmt.Sprintf("the vector of the query cannot be used: %v", err)
	}
	if q.useLexical() {
		return nil
	}
	if q.Mode == evidence.ModeVector {
		return evidence.BadInput(why, "give a vector and its model, or use mode hybrid")
	}
	if q.Vector != nil {
		q.notes = append(q.notes, why+"; the memory was searched by words alone")
	}
	return nil
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
			q.notes = append(q.notes, otherDims(s.model, given)+"; the memory was searched by words and n-grams")
			return m.chooseSpace(ctx, tx, q, total)
		}
		return q.noVectors(otherDims(s.model, len(q.vector)), "give the model another revision, or use mode hybrid")
	}
	q.space = s
	return m.noteCoverage(ctx, tx, q, total)
}

func storableModel(model evidence.Model) evidence.Model {
	model.Name, model.Revision = storableID(model.Name), storableID(model.Revision)
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
	found, err := m.search(ctx, tx, q, stats)
	if err != nil {
		return nil, err
	}
	cands, err := m.gather(ctx, tx, q, found)
	if err != nil {
		return nil, err
	}
	rank.ScoreWords(cands, stats)
	table, err := m.gramsFor(ctx, tx, q, total)
	if err != nil {
		return nil, err
	}
	if table != nil {
		table.Score(cands, q.Text)
	}
	cands = rank.Scored(q.ranked(), cands, table != nil)
	if cands, err = m.addNeighbours(ctx, tx, q, cands); err != nil {
		return nil, err
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

// search returns the passages that the words and the vectors find.
func (m *Memory) search(ctx context.Context, tx pgx.Tx, q *preparedQuery, stats *rank.TermStats) ([]place, error) {
	found, err := m.matching(ctx, tx, q, stats)
	if err != nil || q.vector == nil {
		return found, err
	}
	exact := false
	if q.filtered {
		if exact, err = m.isSelective(ctx, tx, q); err != nil {
			return nil, err
		}
	}
	nearest, err := m.nearest(ctx, tx, q, q.space, q.vector, exact)
	if err != nil {
		return nil, err
	}
	found = append(found, nearest...)
	if q.near.id == 0 {
		return found, nil
	}
	misspelt, err := m.nearest(ctx, tx, q, q.near, q.lexical, exact)
	return append(found, misspelt...), err
}

// hits reads the documents and the vectors of the best candidates.
func (m *Memory) hits(ctx context.Context, tx pgx.Tx, q *preparedQuery, cands []rank.Candidate) ([]evidence.Hit, error) {
	docs, vectors := map[int64]evidence.Document{}, map[place][]float32{}
	ids, places := []int64{}, []place{}
	for _, c := range cands {
		ids, places = append(ids, c.Doc), append(places, place{c.Doc, c.Ord})
	}
	err := eachRow(ctx, tx, func(row pgx.Row) error {
		var id int64
		d, err := scanDoc(row, &id)
		docs[id] = d
		return err
	}, "select "+docColumns+", d.id from doc d where d.tenant = $1 and d.id = any($2)", m.tenant, ids)
	if err != nil {
		return nil, fmt.Errorf("reading documents: %w", err)
	}
	texts, err := m.texts(ctx, tx, places)
	if err != nil {
		return nil, err
	}
	if q.vector != nil && !q.hidden {
		if vectors, err = m.vectorsOf(ctx, tx, q.space, places); err != nil {
			return nil, err
		}
	}
	out := []evidence.Hit{}
	for _, c := range cands {
		d, at := docs[c.Doc], place{c.Doc, c.Ord}
		d.Tags, d.Meta = slices.Clone(d.Tags), maps.Clone(d.Meta)
		if len(texts[at]) != c.Stop-c.Start {
			return nil, fmt.Errorf("chunk %d of document %s is not a piece of its text", c.Ord, d.ID)
		}
		out = append(out, evidence.Hit{
			Document: d,
			Passage:  evidence.Passage{DocumentID: d.ID, Start: c.Start, End: c.Stop, Text: texts[at], Score: c.Score},
			Vector:   vectors[at],
		})
	}
	return out, nil
}
