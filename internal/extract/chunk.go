package extract

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Default sizes of chunks: one or two paragraphs, about 200 tokens, which small
// sentence encoders read without truncating.
const (
	DefaultChunkTarget = 900
	DefaultChunkMax    = 1400
)

// ChunkOptions holds sizes in bytes. Zero means the default.
type ChunkOptions struct {
	Target int  // a chunk ends at the last boundary before this size
	Max    int  // no chunk is longer, unless it is a single character
	Flat   bool // headings and definitions do not begin a new chunk: for parts of a whole document
}

// Chunks splits a document's text between blocks and before headings. A block is
// divided only if it is longer than o.Max: a table between its rows, code between
// its lines, anything else between sentences. A heading, a caption, and a line that
// ends in a colon stay with what follows. For each chunk Text == doc[Start:End],
// without white space at its ends, and Heading is the path of its first block.
// Chunks are in ascending order, do not overlap, and together hold all of doc
// except white space. The result is never nil.
func Chunks(doc string, o ChunkOptions) []evidence.Chunk {
	if o.Max <= 0 {
		o.Max = max(DefaultChunkMax, o.Target)
	}
	if o.Target <= 0 {
		o.Target = DefaultChunkTarget
	}
	o.Target = min(o.Target, o.Max)

	out := []evidence.Chunk{}
	var open evidence.Span // the chunk being built; empty if there is none
	var path []string
	add := func() {
		if open.End > open.Start {
			out = append(out, evidence.Chunk{Start: open.Start, End: open.End, Text: doc[open.Start:open.End], Heading: path})
		}
		open = evidence.Span{}
	}
	for _, u := range units(doc, o) {
		if open.End > open.Start && !o.joins(doc, open, u) {
			add()
		}
		if open.End == open.Start {
			open.Start, path = u.Start, u.heading
		}
		open.End = u.End
	}
	add()
	return out
}

// unit is a span that is in one chunk: blocks that belong together, or a part of
// a long block.
type unit struct {
	evidence.Span
	heading []string
	section bool // it begins a section
	entry   bool // it is a definition: it stands for itself
	bound   bool // the chunk must not end behind it
}

// units returns the units of doc. None is longer than o.Max, unless it is a single
// character.
func units(doc string, o ChunkOptions) []unit {
	var out []unit
	blocks := wholeBlocks(doc)
	for i, b := range blocks {
		sp := evidence.Span{Start: b.Start, End: b.End}
		bound := i+1 < len(blocks) && leads(doc, b, blocks[i+1])
		if n := len(out); n > 0 && out[n-1].bound && sp.End-out[n-1].Start <= o.Max {
			out[n-1].End, out[n-1].bound = sp.End, bound
			continue
		}
		parts := []evidence.Span{sp}
		if b.End-b.Start > o.Max {
			parts = divide(doc, b, o)
		}
		heading := sectionOf(doc, b)
		out = slices.Grow(out, len(parts))
		for j, p := range parts {
			out = append(out, unit{Span: p, heading: heading, section: b.Kind == evidence.BlockHeading && j == 0,
				entry: b.Kind == evidence.BlockDefinition, bound: bound && j == len(parts)-1})
		}
	}
	return out
}

// wholeBlocks returns the blocks of doc, each from the end of the one before, so
// that they hold all of doc except white space.
func wholeBlocks(doc string) []evidence.Block {
	var out []evidence.Block
	at := 0
	add := func(b evidence.Block, end int) {
		sp := trimSpan(doc, evidence.Span{Start: at, End: end})
		at = end
		if sp.End > sp.Start {
			b.Start, b.End = sp.Start, sp.End
			out = append(out, b)
		}
	}
	for _, b := range text.Blocks(doc) {
		if cut := strings.LastIndexByte(doc[at:b.Start], '\n'); cut > 0 { // what is between blocks, such as a rule
			add(evidence.Block{Kind: evidence.BlockParagraph, Path: b.Path}, at+cut)
		}
		add(b, b.End)
	}
	add(evidence.Block{Kind: evidence.BlockParagraph}, len(doc))
	return out
}

// sectionOf is the path of headings to b; a heading begins its own section.
func sectionOf(doc string, b evidence.Block) []string {
	if b.Kind != evidence.BlockHeading {
		return b.Path
	}
	title := strings.Trim(doc[b.Start:b.End], "# \t\n=-")
	return append(append(make([]string, 0, len(b.Path)+1), b.Path...), title)
}

// leads reports whether b belongs to the block after it.
func leads(doc string, b, next evidence.Block) bool {
	switch b.Kind {
	case evidence.BlockHeading:
		return true
	case evidence.BlockParagraph, evidence.BlockItem:
		if next.Kind == evidence.BlockTable && strings.Count(doc[b.End:next.Start], "\n") == 1 {
			return true // a caption
		}
		return doc[b.End-1] == ':' || strings.HasSuffix(doc[b.Start:b.End], "：")
	}
	return false
}

// divide splits a block that is longer than o.Max.
func divide(doc string, b evidence.Block, o ChunkOptions) []evidence.Span {
	var parts []evidence.Span
	switch b.Kind {
	case evidence.BlockTable, evidence.BlockCode:
		for at := b.Start; at < b.End; {
			end := b.End
			if i := strings.IndexByte(doc[at:b.End], '\n'); i >= 0 {
				end = at + i
			}
			if p := trimSpan(doc, evidence.Span{Start: at, End: end}); p.End > p.Start {
				parts = append(parts, p)
			}
			at = end + 1
		}
	default:
		parts = text.Sentences(doc[b.Start:b.End])
		for i := range parts {
			parts[i].Start, parts[i].End = b.Start+parts[i].Start, b.Start+parts[i].End
		}
	}
	out := make([]evidence.Span, 0, len(parts))
	for _, p := range parts {
		if p.End-p.Start > o.Max {
			out = append(out, pieces(doc, p, o)...)
		} else {
			out = append(out, p)
		}
	}
	return out
}

func trimSpan(doc string, s evidence.Span) evidence.Span {
	body := doc[s.Start:s.End]
	s.End = s.Start + len(strings.TrimRightFunc(body, unicode.IsSpace))
	if s.End > s.Start {
		s.Start += len(body) - len(strings.TrimLeftFunc(body, unicode.IsSpace))
	}
	return s
}

// joins reports whether next belongs to the open chunk.
func (o ChunkOptions) joins(doc string, open evidence.Span, next unit) bool {
	length, joined := open.End-open.Start, next.End-open.Start
	switch between := doc[open.End:next.Start]; {
	case joined > o.Max:
		return false
	case o.Flat:
	case next.section:
		return false
	case next.entry:
		return joined <= o.Target/2
	case strings.Count(between, "\n") > 1 && length >= o.Target*2/3:
		return false
	}
	// Exceed the target only where the chunk would otherwise be shorter than half of it.
	return joined <= o.Target || length < o.Target/2
}

// pieces splits a sentence that is longer than o.Max: a minified line, a table
// row, prose without full stops.
func pieces(doc string, s evidence.Span, o ChunkOptions) []evidence.Span {
	var out []evidence.Span
	for s.End-s.Start > o.Max {
		cut := s.Start + cutAt(doc[s.Start:s.End], o)
		end := s.Start + len(strings.TrimRightFunc(doc[s.Start:cut], unicode.IsSpace))
		out = append(out, evidence.Span{Start: s.Start, End: end})
		s.Start = s.End - len(strings.TrimLeftFunc(doc[cut:s.End], unicode.IsSpace))
	}
	if s.End > s.Start {
		out = append(out, s)
	}
	return out
}

// cutAt returns the offset at which to cut s, which is longer than o.Max: after
// the last white space or punctuation between half the target and the limit, else
// after the last whole character.
func cutAt(s string, o ChunkOptions) int {
	limit := o.Max
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	if limit == 0 {
		_, limit = utf8.DecodeRuneInString(s)
		return limit
	}
	from := min(o.Target/2, limit)
	for _, kind := range []func(rune) bool{unicode.IsSpace, unicode.IsPunct} {
		for end := limit; end > from; {
			r, n := utf8.DecodeLastRuneInString(s[:end])
			if kind(r) {
				return end
			}
			end -= n
		}
	}
	return limit
}
