package toy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
)

// allTerms are the stems of s, stop words included: a rare one may be a name.
func allTerms(s string) []string {
	var out []string
	for _, t := range text.Tokenize(s) {
		out = append(out, t.Term)
	}
	return out
}

// unit returns v at length 1.
func unit(v []float32, dims int) ([]float32, error) {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	switch {
	case len(v) != dims:
		return nil, fmt.Errorf("it has %d dimensions, not %d", len(v), dims)
	case math.IsNaN(sum) || math.IsInf(sum, 0) || sum == 0:
		return nil, errors.New("it has no direction")
	}
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(float64(x) / math.Sqrt(sum))
	}
	return out, nil
}

func dot(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

// model returns the stored model of the same name and revision.
func (m *Memory) model(want evidence.Model) (evidence.Model, bool) {
	for _, have := range m.models {
		if have.Key() == want.Key() {
			return have, true
		}
	}
	return evidence.Model{}, false
}

// addVectors stores vectors of a model that e has none of, and reports whether
// it did.
func (m *Memory) addVectors(e *entry, chunks evidence.Chunks, r *evidence.Receipt) bool {
	model := chunks.Model
	if model.IsZero() || e.vectors[model.Key()] != nil {
		return false
	}
	if have, ok := m.model(model); ok {
		model = have
	}
	all, some := make([][]float32, len(e.chunks)), false
	var bad error
	for i, c := range chunks.Items {
		if c.Vector == nil || i >= len(all) {
			continue
		}
		if v, err := unit(c.Vector, model.Dims); err == nil {
			all[i], some = v, true
		} else {
			bad = err
		}
	}
	if bad != nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("vectors of the model %s were left out: %v", contract.ModelText(model), bad))
	}
	if !some {
		return false
	}
	if _, ok := m.model(model); !ok {
		m.models = append(m.models, model)
	}
	e.vectors[model.Key()] = all
	return true
}

// candidate is a chunk on its way to being a hit.
type candidate struct {
	e            *entry
	n            int // of the chunk
	vector       []float32
	words, score float64
}

// Recall implements contract.Store.
func (m *Memory) Recall(ctx context.Context, q evidence.RecallQuery) (evidence.RecallResult, error) {
	res := evidence.RecallResult{Hits: []evidence.Hit{}, Index: evidence.IndexLexical}
	unlock, err := m.lock(ctx)
	if err != nil {
		return res, err
	}
	defer unlock()
	vector, err := m.queryVector(&q, &res)
	if err != nil {
		return res, err
	}
	cands := m.candidates(q, vector)
	addNeighbours(cands)
	cands = slices.DeleteFunc(cands, func(c candidate) bool { return c.score <= 0.05 })
	slices.SortStableFunc(cands, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	if q.K <= 0 {
		q.K = contract.DefaultK
	}
	var kept []uint64
	for _, c := range cands {
		p := c.e.chunks[c.n]
		twin := slices.ContainsFunc(kept, func(h uint64) bool { return text.Distance(h, p.simhash) <= text.NearDuplicate })
		if len(res.Hits) == min(q.K, contract.MaxK) || p.simhash != 0 && twin {
			continue
		}
		if p.simhash != 0 {
			kept = append(kept, p.simhash)
		}
		d := c.e.copy()
		passage := evidence.Passage{DocumentID: d.ID, Start: p.start, End: p.end, Text: d.Text[p.start:p.end], Score: min(c.score, 1)}
		d.Text = ""
		res.Hits = append(res.Hits, evidence.Hit{Document: d, Passage: passage, Vector: slices.Clone(c.vector)})
	}
	return res, nil
}

// queryVector returns the query's vector, or nil if the words decide alone.
func (m *Memory) queryVector(q *evidence.RecallQuery, res *evidence.RecallResult) ([]float32, error) {
	switch q.Mode {
	case "":
		q.Mode = evidence.ModeHybrid
	case evidence.ModeBM25:
		return nil, nil
	case evidence.ModeHybrid, evidence.ModeVector:
	default:
		return nil, evidence.BadInput(fmt.Sprintf("there is no recall mode %q", q.Mode), "use hybrid, bm25 or vector")
	}
	var why string
	if q.Vector == nil {
		why = "the query has no vector"
	} else if model, ok := m.model(q.Model); !ok {
		why = "the memory has no vectors of the model " + contract.ModelText(q.Model)
	} else if v, err := unit(q.Vector, model.Dims); err != nil {
		why = "the query's vector cannot be used: " + err.Error()
	} else {
		res.Index = evidence.IndexReady
		return v, nil
	}
	if q.Mode == evidence.ModeVector {
		return nil, evidence.BadInput(why, "use mode hybrid")
	}
	if q.Vector != nil {
		res.Warnings = append(res.Warnings, why+"; the memory was searched by words alone")
	}
	return nil, nil
}

// candidates scores the chunks of the documents that pass the filters.
func (m *Memory) candidates(q evidence.RecallQuery, vector []float32) []candidate {
	var cands []candidate
	var terms [][]string
	for _, e := range m.sorted() {
		if !e.passes(q) {
			continue
		}
		vectors := e.vectors[q.Model.Key()]
		for n, p := range e.chunks {
			c := candidate{e: e, n: n}
			if vector != nil && vectors != nil {
				c.vector = vectors[n]
			}
			cands, terms = append(cands, c), append(terms, p.terms)
		}
	}
	query := text.QueryTerms(strings.ToValidUTF8(q.Text, " "))
	bm25, best := text.NewBM25(terms), 0.0
	for i := range cands {
		if q.Mode != evidence.ModeVector {
			cands[i].words = bm25.Score(query, i)
		}
		best = max(best, cands[i].words)
	}
	for i := range cands {
		c := &cands[i]
		if best > 0 {
			c.score = c.words / best
		}
		switch {
		case c.vector == nil:
		case q.Mode == evidence.ModeVector:
			c.score = max(dot(c.vector, vector), 0)
		default:
			c.score = 0.7*c.score + 0.3*max(dot(c.vector, vector), 0)
		}
	}
	return cands
}

// sorted are the documents in the order in which they were first put.
func (m *Memory) sorted() []*entry {
	out := make([]*entry, 0, len(m.docs))
	for _, e := range m.docs {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(len(a.key), len(b.key)), strings.Compare(a.key, b.key))
	})
	return out
}

func (e *entry) passes(q evidence.RecallQuery) bool {
	_, linked := e.links[q.Session]
	for _, t := range q.Tags {
		if !slices.Contains(e.doc.Tags, intake.Tag(t)) {
			return false
		}
	}
	return (q.Source == "" || q.Source == e.doc.Source) && (q.Session == "" || linked) &&
		(q.Since.IsZero() || !e.doc.Retrieved.Before(q.Since)) && (q.Until.IsZero() || !e.doc.Retrieved.After(q.Until))
}

// addNeighbours gives the turns of a conversation a share of the scores of those
// before and after. The candidates are in the order in which they were put.
func addNeighbours(cands []candidate) {
	bonus := make([]float64, len(cands))
	for i := 1; i < len(cands); i++ {
		a, b := cands[i-1].e.doc.Meta, cands[i].e.doc.Meta
		if a[evidence.MetaKind] == evidence.KindTurn && b[evidence.MetaKind] == evidence.KindTurn {
			bonus[i] += 0.3 * cands[i-1].score
			bonus[i-1] += 0.3 * cands[i].score
		}
	}
	for i := range cands {
		cands[i].score += bonus[i]
	}
}
