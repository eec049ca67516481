package builtin

import (
	"cmp"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// optionLine begins an entry of a program's own help.
var optionLine = text.Pattern(`^\s*(-\w|--[a-zA-Z])[\w-]*[ ,=]`)

// leastOptions is how many options make a listing.
const leastOptions = 4

// bestOptions is how many entries of a listing are compared with the question.
const bestOptions = 4

// split returns the entries of a long listing of options that share the most with the
// question, each as a unit with the lines that continue it, and every other unit as it
// is.
func split(q query, u unit) []unit {
	if !u.has[evidence.BlockCode] || len(u.blocks) > 2 || len(u.text) < codeToCut {
		return []unit{u}
	}
	entries := optionEntries(u)
	if len(entries) < leastOptions {
		return []unit{u}
	}
	terms := make([][]string, len(entries))
	for i, e := range entries {
		terms[i] = text.IndexTerms(u.text[e.Start-u.span.Start:e.End-u.span.Start], "")
	}
	var asked []string
	for _, t := range q.terms {
		asked = append(asked, t.term)
	}
	order, scores := make([]int, len(entries)), text.NewBM25(terms).Scores(asked)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	var out []unit
	for _, i := range order[:min(bestOptions, len(order))] {
		e := entries[i]
		one := u
		one.span, one.text, one.entry = e, u.text[e.Start-u.span.Start:e.End-u.span.Start], true
		out = append(out, one)
	}
	return out
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
