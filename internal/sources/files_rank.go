package sources

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
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

// piece is a section of a file's text, or a part of a long one.
type piece struct {
	start int    // of its text in the part's
	head  string // file's names and the headings above it
	text  string
	terms []termCount // of both, ascending by hash
	total int         // terms, repeated ones included
}

// termCount is how often a term occurs. Its hash takes the place of its text: two
// terms that share one only rank a piece too high.
type termCount struct {
	hash  uint32
	count uint32
}

// pieces cuts a part of a file into what is ranked, and adds its words to the list.
func (x *folderIndex) pieces(names, body string) []piece {
	x.words.add(body + "\n" + names)
	language := text.DetectLanguage(body)
	var out []piece
	for _, c := range extract.Chunks(body, extract.ChunkOptions{}) {
		p := piece{start: c.Start, head: strings.Join(append([]string{names}, c.Heading...), "\n"), text: c.Text}
		counts := map[uint32]uint32{}
		for _, t := range slices.Concat(text.IndexTerms(p.head, language), text.IndexTerms(p.text, language)) {
			counts[x.hash(t)]++
			p.total++
		}
		for h, n := range counts {
			p.terms = append(p.terms, termCount{h, n})
		}
		slices.SortFunc(p.terms, func(a, b termCount) int { return cmp.Compare(a.hash, b.hash) })
		p.terms = slices.Clip(p.terms)
		out = append(out, p)
	}
	return out
}

func (x *folderIndex) hash(term string) uint32 { return uint32(maphash.String(x.seed, term)) }

// count returns how often the piece holds a term.
func (p *piece) count(hash uint32) float64 {
	i, ok := slices.BinarySearchFunc(p.terms, hash, func(t termCount, h uint32) int { return cmp.Compare(t.hash, h) })
	if !ok {
		return 0
	}
	return float64(p.terms[i].count)
}

// ranked is a piece with its score.
type ranked struct {
	part  *filePart
	piece *piece
	score float64
}

// rank returns the parts of files that hold words of the query, each scored by its
// best piece, best first. Their Matched is set.
func (f *files) rank(ctx context.Context, read []*indexedFile, q evidence.Query) ([]evidence.Document, error) {
	best := f.index.shortlist(read, f.index.terms(q))
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("searching the folder of sources.files.dir: %w", err)
	}
	bodies := make([]string, len(best))
	for i, r := range best {
		bodies[i] = r.piece.head + "\n" + r.piece.text
	}
	top := 0.0
	for _, r := range best {
		top = max(top, r.score)
	}
	grams := text.SharedGrams(cmp.Or(q.Question, q.Text), bodies)
	mostGrams := slices.Max(append(grams, math.SmallestNonzeroFloat64))
	definition, sides := text.DefinitionOf(q.Question), text.SidesOf(q.Question)
	raised := make([]int, 2)
	found := map[*filePart]map[int]float64{}
	var parts []*filePart
	for i, r := range best {
		if found[r.part] == nil {
			parts, found[r.part] = append(parts, r.part), map[int]float64{}
		}
		found[r.part][r.piece.start] = (1-pieceGrams)*r.score/top + pieceGrams*grams[i]/mostGrams
		if definition.In(r.piece.text) {
			found[r.part][r.piece.start] += pieceDefines
		}
		if at := sides.Alone(r.piece.head); at >= 0 && raised[at] < sidePieces {
			raised[at]++
			found[r.part][r.piece.start] += pieceOfSide
		}
	}
	docs := []evidence.Document{}
	for _, p := range parts {
		d := f.document(p)
		for _, s := range found[p] {
			d.Score = max(d.Score, s)
		}
		if d, ok := finish(d, f.now()); ok {
			if d.Text == p.text { // else the offsets have moved
				d.Matched = found[p]
			}
			docs = append(docs, d)
		}
	}
	return byScore(docs)[:min(len(docs), clamp(q.Limit, 1, maxLimit))], nil
}

// shortlist returns the pieces that match the query best by BM25, at most
// maxPieces.
func (x *folderIndex) shortlist(read []*indexedFile, query []string) []ranked {
	var all []ranked
	total := 0
	for _, file := range read {
		for _, part := range file.parts {
			for i := range part.pieces {
				all = append(all, ranked{part: part, piece: &part.pieces[i]})
				total += part.pieces[i].total
			}
		}
	}
	mean := float64(max(total, 1)) / float64(max(len(all), 1))
	for _, term := range query {
		h := x.hash(term)
		var holds []int
		for i := range all {
			if all[i].piece.count(h) > 0 {
				holds = append(holds, i)
			}
		}
		n := float64(len(holds))
		idf := math.Log(1 + (float64(len(all))-n+0.5)/(n+0.5))
		for _, i := range holds {
			tf := all[i].piece.count(h)
			norm := text.BM25K1 * (1 - text.BM25B + text.BM25B*float64(all[i].piece.total)/mean)
			all[i].score += idf * tf * (text.BM25K1 + 1) / (tf + norm)
		}
	}
	all = slices.DeleteFunc(all, func(r ranked) bool { return r.score <= 0 })
	slices.SortStableFunc(all, func(a, b ranked) int { return cmp.Compare(b.score, a.score) })
	return all[:min(len(all), maxPieces)]
}
