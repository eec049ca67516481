package builtin

import (
	"cmp"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of the entries that are looked at beside those of the best passages.
const (
	siblingPassages = 4
	mostSiblings    = 6
)

// siblings returns entries of the sections that the best passages are parts of, those
// that share the most with the question: which of forty options is meant is seldom told
// by the words of a question alone, but the section that has them all is found by them.
func siblings(asked string, list []evidence.Evidence, have []unit) []unit {
	var out []unit
	var texts []string
	type place struct {
		doc   string
		start int
	}
	seen := map[place]bool{} // a document may have several of the passages
	for i, e := range list[:min(siblingPassages, len(list))] {
		if !sound(e) {
			continue
		}
		blocks := text.Blocks(e.Document.Text)
		end := 0 // of the last entry
		for _, group := range entriesBeside(e, blocks) {
			u := newUnit(e, group)
			at := place{e.Document.ID, u.span.Start}
			if seen[at] || u.span.Start < end || covered(have, list, e.Document.ID, u.span) {
				continue
			}
			seen[at], end, u.evidence = true, u.span.End, i
			if len(u.text) <= longestUnit && u.readable() {
				out, texts = append(out, u), append(texts, u.text)
			}
		}
	}
	shared := text.SharedGrams(asked, texts)
	order := make([]int, len(out))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(shared[b], shared[a]) })
	best := make([]unit, 0, mostSiblings)
	for _, i := range order[:min(mostSiblings, len(order))] {
		best = append(best, out[i])
	}
	return best
}

// entriesBeside returns the blocks of each entry of the sections that have entries in
// the passage: definitions below the same headings, or sections whose heading names an
// entry and that have the same parent.
func entriesBeside(e evidence.Evidence, blocks []evidence.Block) [][]evidence.Block {
	heading := func(b evidence.Block) bool {
		return b.Kind == evidence.BlockHeading && namesEntry(strings.TrimSpace(e.Document.Text[b.Start:b.End]))
	}
	lists, parents := map[string]bool{}, map[string]bool{}
	for _, b := range clip(blocks, e.Passage) {
		path := strings.Join(b.Path, "\x00")
		switch {
		case b.Kind == evidence.BlockDefinition:
			lists[path] = true
		case heading(b):
			parents[path] = true
		}
	}
	var out [][]evidence.Block
	for i, b := range blocks {
		path := strings.Join(b.Path, "\x00")
		switch {
		case b.Kind == evidence.BlockDefinition && lists[path]:
			out = append(out, blocks[i:i+1])
		case heading(b) && parents[path]:
			n := i + 1
			for n < len(blocks) && blocks[n].Kind != evidence.BlockHeading {
				n++
			}
			if n > i+1 {
				out = append(out, blocks[i:n])
			}
		}
	}
	return out
}
