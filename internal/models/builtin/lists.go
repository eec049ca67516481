package builtin

import (
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// wholeLists makes an answer to a question for a list or for steps whole. Where the best
// unit is a paragraph, the list that its section announces in words of the question comes
// next; a list that a passage cuts goes on to its end.
func wholeLists(asked string, q query, in evidence.Brief, picked, pool []unit) []unit {
	list := asksList().MatchString(asked)
	if !list && !asksHow().MatchString(asked) {
		return picked
	}
	if u, ok := announcedList(q, in, picked[0], pool); ok && list {
		picked = slices.DeleteFunc(slices.Clone(picked), u.same)
		picked = slices.Insert(picked, min(1, len(picked)), u)
		picked = picked[:min(mostQuoted, len(picked))]
	}
	var out []unit
	for _, u := range picked {
		u = grown(in, u)
		within := func(have unit) bool {
			return in.Evidence[have.evidence].Document.ID == in.Evidence[u.evidence].Document.ID && u.span.Start < have.span.End && have.span.Start < u.span.End
		}
		if !slices.ContainsFunc(out, within) {
			out = append(out, u)
		}
	}
	return out
}

// announcedList returns the list in the section of a unit that has none itself, if the
// line that announces it has a word of the question.
func announcedList(q query, in evidence.Brief, best unit, pool []unit) (unit, bool) {
	if best.has[evidence.BlockItem] || best.has[evidence.BlockTable] {
		return unit{}, false
	}
	i := slices.IndexFunc(pool, func(u unit) bool {
		if u.head != best.head || in.Evidence[u.evidence].Document.ID != in.Evidence[best.evidence].Document.ID || !u.has[evidence.BlockItem] {
			return false
		}
		line, _, _ := strings.Cut(strings.TrimSpace(u.text), "\n")
		if !strings.HasSuffix(line, ":") {
			return false
		}
		terms := text.Terms(line)
		return slices.ContainsFunc(q.terms, func(t queryTerm) bool { return t.weight == 1 && slices.Contains(terms, t.term) })
	})
	if i < 0 {
		return unit{}, false
	}
	return pool[i], true
}

// grown returns a unit that ends with an item of a list with the items that follow it in
// the document, as far as a unit may be long.
func grown(in evidence.Brief, u unit) unit {
	last := u.blocks[len(u.blocks)-1]
	if last.Kind != evidence.BlockItem || u.entry {
		return u
	}
	doc := in.Evidence[u.evidence].Document.Text
	for _, b := range text.Blocks(doc) {
		switch {
		case b.Start < last.Start || b.End <= u.span.End:
			continue
		case b.Kind != evidence.BlockItem || b.End-u.span.Start > longestUnit || strings.TrimSpace(doc[u.span.End:max(u.span.End, b.Start)]) != "":
			return u
		}
		u.span.End = b.End
		u.text = doc[u.span.Start:u.span.End]
	}
	return u
}
