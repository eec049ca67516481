package extract

import (
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
	Target int // a chunk ends at the last boundary before this size
	Max    int // no chunk is longer, unless it is a single character
}

// Chunks splits a document's text at sentence ends, preferably between paragraphs
// and before headings. For each chunk Text == doc[Start:End], without white space
// at its ends. Chunks are in ascending order, do not overlap, and together hold
// all of doc except white space. The result is never nil.
func Chunks(doc string, o ChunkOptions) []evidence.Chunk {
	if o.Max <= 0 {
		o.Max = max(DefaultChunkMax, o.Target)
	}
	if o.Target <= 0 {
		o.Target = DefaultChunkTarget
	}
	o.Target = min(o.Target, o.Max)

	out := []evidence.Chunk{}
	add := func(s evidence.Span) {
		out = append(out, evidence.Chunk{Start: s.Start, End: s.End, Text: doc[s.Start:s.End]})
	}
	var open evidence.Span // the chunk being built; empty if there is none
	for _, s := range text.Sentences(doc) {
		for _, piece := range pieces(doc, s, o) {
			if open.End > open.Start && !o.joins(doc, open, piece) {
				add(open)
				open = evidence.Span{}
			}
			if open.End == open.Start {
				open.Start = piece.Start
			}
			open.End = piece.End
		}
	}
	if open.End > open.Start {
		add(open)
	}
	return out
}

// joins reports whether next belongs to the open chunk.
func (o ChunkOptions) joins(doc string, open, next evidence.Span) bool {
	length, joined := open.End-open.Start, next.End-open.Start
	switch between := doc[open.End:next.Start]; {
	case joined > o.Max:
		return false
	case doc[next.Start] == '#' && strings.Contains(between, "\n"):
		return length < o.Target/4 // a heading starts a chunk
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
