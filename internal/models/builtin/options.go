package builtin

import (
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// optionLine begins an entry of a program's own help.
var optionLine = text.Pattern(`^\s*(-\w|--[a-zA-Z])[\w-]*[ ,=]`)

// leastOptions is how many options make a listing.
const leastOptions = 4

// optionEntry returns the entry that answers best of a long listing of options,
// with the lines that continue it.
func optionEntry(q query, u unit) (evidence.Span, bool) {
	if !u.has[evidence.BlockCode] || len(u.blocks) > 2 || len(u.text) < codeToCut {
		return evidence.Span{}, false
	}
	entries := optionEntries(u)
	if len(entries) < leastOptions {
		return evidence.Span{}, false
	}
	terms := make([][]string, len(entries))
	for i, e := range entries {
		terms[i] = text.IndexTerms(u.text[e.Start-u.span.Start:e.End-u.span.Start], "")
	}
	var asked []string
	for _, t := range q.terms {
		asked = append(asked, t.term)
	}
	best, top := -1, 0.0
	for i, s := range text.NewBM25(terms).Scores(asked) {
		if s > top {
			best, top = i, s
		}
	}
	if best < 0 {
		return evidence.Span{}, false
	}
	return entries[best], true
}

// optionEntries returns the entries of a listing, or nil when most of its lines
// belong to something else.
func optionEntries(u unit) []evidence.Span {
	var out []evidence.Span
	at, lines := u.span.Start, 0
	for line := range strings.Lines(u.text) {
		trimmed := strings.TrimSpace(line)
		end := at + len(strings.TrimRight(line, "\n"))
		switch {
		case trimmed == "" || strings.HasPrefix(trimmed, "```"):
		case optionLine().MatchString(line):
			lines++
			out = append(out, evidence.Span{Start: at, End: end})
		default:
			if lines++; len(out) > 0 {
				out[len(out)-1].End = end
			}
		}
		at += len(line)
	}
	if 2*len(out) < lines {
		return nil
	}
	return out
}
