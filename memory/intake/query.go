package intake

import (
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/rank"
)

// depth is the fewest chunks that each kind of search contributes.
const depth = 200

// Query is a question as every backend searches it.
type Query struct {
	Asked   evidence.RecallQuery // with its mode, and K within its limits
	Terms   []string             // with repetitions
	Vector  []float32            // of unit length; nil: words only
	Lexical []float32            // of unit length, beside a vector of a trained model; nil: none
	Hidden  bool                 // Vector is the lexical one in the place of the trained one, and hits have none
	Depth   int                  // how many chunks each kind of search contributes
	Notes   []string
}

// Ask checks a query. Without a valid vector the words decide alone; in mode vector that is
// an error.
func Ask(rq evidence.RecallQuery, voc *rank.Vocabulary) (*Query, error) {
	switch rq.Mode {
	case "":
		rq.Mode = evidence.ModeHybrid
	case evidence.ModeHybrid, evidence.ModeBM25, evidence.ModeVector:
	default:
		return nil, evidence.BadInput(fmt.Sprintf("there is no recall mode %q", rq.Mode), "use hybrid, bm25 or vector")
	}
	if rq.K <= 0 {
		rq.K = contract.DefaultK
	}
	rq.K = min(rq.K, contract.MaxK)
	q := &Query{Asked: rq, Depth: max(depth, 4*rq.K)}
	if rq.Mode != evidence.ModeVector {
		q.Terms = voc.Query(strings.ToValidUTF8(rq.Text, " "))
	}
	if rq.Mode == evidence.ModeBM25 {
		return q, nil
	}
	return q, q.takeVectors()
}

func (q *Query) takeVectors() error {
	rq := &q.Asked
	if v := make([]float32, len(rq.Lexical)); rq.Mode == evidence.ModeHybrid && !rq.LexicalModel.IsZero() && Unit(v, rq.Lexical) == nil {
		q.Lexical = v
	}
	why := "the query has no vector"
	if rq.Vector != nil && !rq.Model.IsZero() {
		v := make([]float32, len(rq.Vector))
		err := Unit(v, rq.Vector)
		if err == nil {
			q.Vector = v
			return nil
		}
		why = fmt.Sprintf("the vector of the query cannot be used: %v", err)
	}
	if q.Lexical != nil {
		q.Vector, rq.Model, q.Lexical, q.Hidden = q.Lexical, rq.LexicalModel, nil, true
		return nil
	}
	if rq.Mode == evidence.ModeVector {
		return evidence.BadInput(why, "give a vector and its model, or use mode hybrid")
	}
	if rq.Vector != nil {
		q.Notes = append(q.Notes, why+"; the memory was searched by words alone")
	}
	return nil
}
