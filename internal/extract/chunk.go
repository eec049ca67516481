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
	Flat   bool // headings do not begin a new chunk: for parts of a whole document
}

// Chunks splits a document's Markdown along its structure: at headings, between
// blocks, in long paragraphs at sentence ends. A table, a code block, a list item
// and a definition stay whole where they fit, together with a line that announces
// them (one that ends in ":"). For each chunk Text == doc[Start:End], without white
// space at its ends. Chunks are in ascending order, do not overlap, and together
// hold all of doc except white space. The result is never nil.
func Chunks(doc string, o ChunkOptions) []evidence.Chunk {
	if o.Max <= 0 {
		o.Max = max(DefaultChunkMax, o.Target)
	}
	if o.Target <= 0 {
		o.Target = DefaultChunkTarget
	}
	o.Target = min(o.Target, o.Max)

	out := []evidence.Chunk{}
	var open part // the chunk being built; empty if there is none
	flush := func() {
		if open.End > open.Start {
			out = append(out, evidence.Chunk{Start: open.Start, End: open.End, Text: doc[open.Start:open.End]})
		}
		open = part{}
	}
	parts := o.parts(doc)
	for i, next := range parts {
		joined := next
		if next.announces && i+1 < len(parts) && parts[i+1].End-next.Start <= o.Max {
			joined.End = parts[i+1].End // it moves on together with what it announces
		}
		if open.End > open.Start && !o.joins(doc, open, joined) {
			flush()
		}
		if open.End == open.Start {
			open = next
			continue
		}
		open.End, open.announces = next.End, next.announces
		open.heading = open.heading && next.heading
	}
	flush()
	return out
}

// part is a piece of a document that is not cut.
type part struct {
	evidence.Span
	heading   bool // nothing but headings
	entry     bool // a definition: it stands for itself
	announces bool // it ends in ":"
}

// parts returns the pieces that chunks are made of: sentences of prose, whole
// blocks of everything else.
func (o ChunkOptions) parts(doc string) []part {
	var out []part
	at := 0
	prose := func(sp evidence.Span) {
		for _, s := range text.Sentences(doc[sp.Start:sp.End]) {
			for _, piece := range pieces(doc, evidence.Span{Start: sp.Start + s.Start, End: sp.Start + s.End}, o) {
				out = append(out, part{Span: piece})
			}
		}
	}
	for _, b := range text.Blocks(doc) {
		prose(evidence.Span{Start: at, End: b.Start}) // rules and other marks between blocks
		at = b.End
		sp := evidence.Span{Start: b.Start, End: b.End}
		switch {
		case b.Kind == evidence.BlockParagraph || b.Kind == evidence.BlockQuote:
			prose(sp)
		case sp.End-sp.Start <= o.Max:
			out = append(out, part{Span: trimmed(doc, sp), heading: b.Kind == evidence.BlockHeading, entry: b.Kind == evidence.BlockDefinition})
		default:
			for _, piece := range o.lines(doc, sp) {
				out = append(out, part{Span: piece})
			}
		}
		if n := len(out); n > 0 {
			out[n-1].announces = strings.HasSuffix(doc[:out[n-1].End], ":")
		}
	}
	prose(evidence.Span{Start: at, End: len(doc)})
	return slices.DeleteFunc(out, func(p part) bool { return p.Start >= p.End })
}

// trimmed takes white space off both ends.
func trimmed(doc string, sp evidence.Span) evidence.Span {
	body := doc[sp.Start:sp.End]
	sp.End = sp.Start + len(strings.TrimRightFunc(body, unicode.IsSpace))
	sp.Start = sp.End - len(strings.TrimLeftFunc(doc[sp.Start:sp.End], unicode.IsSpace))
	return sp
}

// lines cuts a block that is longer than o.Max between its lines.
func (o ChunkOptions) lines(doc string, sp evidence.Span) []evidence.Span {
	var out []evidence.Span
	open := evidence.Span{Start: sp.Start, End: sp.Start}
	for at := sp.Start; at < sp.End; {
		end := sp.End
		if i := strings.IndexByte(doc[at:sp.End], '\n'); i >= 0 {
			end = at + i + 1
		}
		if end-open.Start > o.Max && open.End > open.Start {
			out = append(out, open)
			open.Start = at
		}
		open.End, at = end, end
	}
	out = append(out, open)
	var cut []evidence.Span
	for _, s := range out {
		cut = append(cut, pieces(doc, trimmed(doc, s), o)...)
	}
	return cut
}

// joins reports whether next belongs to the open chunk.
func (o ChunkOptions) joins(doc string, open, next part) bool {
	length, joined := open.End-open.Start, next.End-open.Start
	switch between := doc[open.End:next.Start]; {
	case joined > o.Max:
		return false
	case open.heading || open.announces:
		return true // a heading belongs to what follows
	case o.Flat:
		return joined <= o.Target || !next.heading
	case next.heading:
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
