package intake_test

import (
	"math"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/intake"
	"github.com/research-mcp/research-mcp/memory/rank"
)

func TestAsk(t *testing.T) {
	t.Parallel()
	trained, lexical := evidence.Model{Name: "trained", Dims: 2}, evidence.Model{Name: "lexical", Dims: 3}
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		q                    evidence.RecallQuery
		refused              bool
		vector, beside       bool
		model                evidence.Model
		hidden               bool
		terms, notes, k, max int
	}{
		"words":          {q: evidence.RecallQuery{Text: "cats sleep"}, terms: 2, k: contract.DefaultK, max: 200},
		"many":           {q: evidence.RecallQuery{Text: "cats", K: 1 << 20}, terms: 1, k: contract.MaxK, max: max(200, 4*contract.MaxK)},
		"no such mode":   {q: evidence.RecallQuery{Text: "cats", Mode: "magic"}, refused: true},
		"both":           {q: evidence.RecallQuery{Text: "cats", Vector: []float32{3, 4}, Model: trained, Lexical: []float32{1, 0, 0}, LexicalModel: lexical}, vector: true, beside: true, model: trained, terms: 1, k: contract.DefaultK, max: 200},
		"lexical alone":  {q: evidence.RecallQuery{Text: "cats", Vector: []float32{nan, 1}, Model: trained, Lexical: []float32{1, 0, 0}, LexicalModel: lexical}, vector: true, model: lexical, hidden: true, terms: 1, k: contract.DefaultK, max: 200},
		"not finite":     {q: evidence.RecallQuery{Text: "cats", Vector: []float32{nan, 1}, Model: trained}, model: trained, notes: 1, terms: 1, k: contract.DefaultK, max: 200},
		"vector of zero": {q: evidence.RecallQuery{Text: "cats", Vector: []float32{0, 0}, Model: trained, Mode: evidence.ModeVector}, refused: true},
		"vector alone":   {q: evidence.RecallQuery{Text: "cats", Vector: []float32{0, 2}, Model: trained, Mode: evidence.ModeVector, Lexical: []float32{1, 0, 0}, LexicalModel: lexical}, vector: true, model: trained, k: contract.DefaultK, max: 200},
		"bm25":           {q: evidence.RecallQuery{Text: "cats", Vector: []float32{0, 2}, Model: trained, Mode: evidence.ModeBM25}, model: trained, terms: 1, k: contract.DefaultK, max: 200},
	} {
		q, err := intake.Ask(c.q, rank.NewVocabulary())
		if (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		if (q.Vector != nil) != c.vector || (q.Lexical != nil) != c.beside || q.Hidden != c.hidden || q.Asked.Model != c.model ||
			len(q.Terms) != c.terms || len(q.Notes) != c.notes || q.Asked.K != c.k || q.Depth != c.max {
			t.Errorf("%s: %+v", name, q)
		}
		if q.Vector != nil && math.Abs(math.Hypot(float64(q.Vector[0]), float64(q.Vector[1]))-1) > 1e-6 {
			t.Errorf("%s: the vector is %v", name, q.Vector)
		}
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	chunks := evidence.Chunks{Model: evidence.Model{Name: "m"}, Items: []evidence.Chunk{{}, {Vector: []float32{3, 4}}, {Vector: []float32{1, 2, 3}}}}
	all, model, note := intake.Vectors(chunks, 3)
	if len(all) != 6 || !intake.IsZero(all[:2]) || all[2] != 0.6 || !intake.IsZero(all[4:]) || model.Dims != 2 || note == "" {
		t.Errorf("Vectors = %v, %v, %q", all, model, note)
	}
	if all, _, note := intake.Vectors(evidence.Chunks{Model: chunks.Model, Items: []evidence.Chunk{{Vector: []float32{0, 0}}}}, 1); all != nil || note == "" {
		t.Errorf("a vector of zeros: %v, %q", all, note)
	}
	if all, _, _ := intake.Vectors(evidence.Chunks{Items: chunks.Items}, 3); all != nil {
		t.Errorf("without a model: %v", all)
	}
}
