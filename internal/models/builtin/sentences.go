package builtin

import (
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// margin is how many bytes around a passage are searched for the ends of its first
// and last sentence: a chunk may begin in the middle of one.
const margin = 600

// sentencesOf returns the sentences that overlap the passage, as spans of the
// document's text. A sentence that extends beyond the margin is left out.
func sentencesOf(e evidence.Evidence) []evidence.Span {
	doc, p := e.Document.Text, e.Passage
	if !sound(e) {
		return nil
	}
	from, to := max(0, p.Start-margin), min(len(doc), p.End+margin)
	for from > 0 && !utf8.RuneStart(doc[from]) {
		from--
	}
	for to < len(doc) && !utf8.RuneStart(doc[to]) {
		to++
	}
	var out []evidence.Span
	for _, sp := range text.Sentences(doc[from:to]) {
		sp.Start, sp.End = sp.Start+from, sp.End+from
		touches := sp.Start < p.End && sp.End > p.Start
		whole := (sp.Start > from || from == 0) && (sp.End < to || to == len(doc))
		if touches && whole {
			out = append(out, sp)
		}
	}
	return out
}

// sound reports whether the passage is within its document.
func sound(e evidence.Evidence) bool {
	p := e.Passage
	return p.Start >= 0 && p.Start < p.End && p.End <= len(e.Document.Text)
}
