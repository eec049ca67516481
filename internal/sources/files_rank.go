package sources

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fileindex"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Weights and bounds of the ranking, chosen on half of a set of questions about
// documentation.
const (
	pieceGrams   = 0.4 // of character n-grams beside words: they survive misspelling
	pieceDefines = 0.3 // added to a piece that defines what the question asks for
	pieceOfSide  = 0.3 // added to a piece under a heading that names one of the things that are compared
	sidePieces   = 3   // of each of them
	maxPieces    = 200 // pieces that n-grams are counted in; the others match fewer words
)

// rank returns the parts of files that hold words of the query, each scored by its
// best piece, best first. Their Matched is set.
func (f *files) rank(ctx context.Context, index *fileindex.Index, q evidence.Query) ([]evidence.Document, error) {
	terms, err := searchTerms(ctx, index, q)
	if err != nil {
		return nil, err
	}
	best, err := index.Search(ctx, terms, maxPieces)
	if err != nil {
		return nil, err
	}
	bodies := make([]string, len(best))
	for i, r := range best {
		bodies[i] = r.Head + "\n" + r.Text
	}
	top := 0.0
	for _, r := range best {
		top = max(top, r.Score)
	}
	grams := text.SharedGrams(cmp.Or(q.Question, q.Text), bodies)
	mostGrams := slices.Max(append(grams, math.SmallestNonzeroFloat64))
	definition, sides := text.DefinitionOf(q.Question), text.SidesOf(q.Question)
	raised := make([]int, 2)
	found := map[*fileindex.FoundPart]map[int]float64{}
	var parts []*fileindex.FoundPart
	for i, r := range best {
		if found[r.Part] == nil {
			parts, found[r.Part] = append(parts, r.Part), map[int]float64{}
		}
		found[r.Part][r.Start] = (1-pieceGrams)*r.Score/top + pieceGrams*grams[i]/mostGrams
		if definition.In(r.Text) {
			found[r.Part][r.Start] += pieceDefines
		}
		if at := sides.Alone(r.Head); at >= 0 && raised[at] < sidePieces {
			raised[at]++
			found[r.Part][r.Start] += pieceOfSide
		}
	}
	docs := []evidence.Document{}
	for _, p := range parts {
		d := f.document(p)
		for _, s := range found[p] {
			d.Score = max(d.Score, s)
		}
		if d, ok := finish(d, f.now()); ok {
			if d.Text == p.Text { // else the offsets have moved
				d.Matched = found[p]
			}
			docs = append(docs, d)
		}
	}
	return byScore(docs)[:min(len(docs), clamp(q.Limit, 1, maxLimit))], nil
}
