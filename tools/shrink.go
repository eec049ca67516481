package tools

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

// step removes something from a result and reports whether there was anything to
// remove.
type step = func() bool

// shrink applies the steps in order, each until it has nothing to remove, and
// stops as soon as fits reports true.
func shrink(fits func() bool, steps ...step) {
	for _, s := range steps {
		for removed := true; removed; {
			if fits() {
				return
			}
			removed = s()
		}
	}
}

// budget is the size that a result must keep.
type budget struct {
	tokens     int
	structured bool // as JSON, too
}

// holds reports whether a result keeps the budget, by the bound of text.TokenBound.
// structured is called if the result is sent as JSON.
func (b budget) holds(markdown string, structured func() any) bool {
	if text.TokenBound(markdown) > b.tokens {
		return false
	}
	if !b.structured {
		return true
	}
	raw, err := encode(structured())
	return err == nil && text.TokenBound(string(raw)) <= b.tokens
}

// limit is the budget of a call with this argument max_tokens.
func (d Deps) limit(maxTokens *int) budget {
	return budget{tokens: orDefault(maxTokens, research.DefaultMaxTokens), structured: d.Structured}
}

// omissions counts what was left out to keep a token budget, for the warning.
type omissions struct {
	what  []string
	n     []int
	terse bool // the warning does not list them
}

func (o *omissions) add(what string, n int) {
	if n == 0 {
		return
	}
	if i := slices.Index(o.what, what); i >= 0 {
		o.n[i] += n
		return
	}
	o.what, o.n = append(o.what, what), append(o.n, n)
}

// mostListed is how many kinds of omissions are named: where there are more, little room
// is left for their list.
const mostListed = 3

// warning lists what was left out on one line, or is empty.
func (o *omissions) warning(maxTokens int) string {
	if len(o.what) == 0 {
		return ""
	}
	if o.terse {
		return fmt.Sprintf("to keep max_tokens=%d, much was left out", maxTokens)
	}
	parts := make([]string, min(len(o.what), mostListed))
	for i := range parts {
		parts[i] = fmt.Sprintf("%s (%d)", o.what[i], o.n[i])
	}
	list := strings.Join(parts, ", ")
	if len(o.what) > mostListed {
		list += " and more"
	}
	return fmt.Sprintf("to keep max_tokens=%d, left out: %s", maxTokens, list)
}

// with returns the warnings followed by the one about what was left out.
func (o *omissions) with(warnings []string, maxTokens int) []string {
	w := o.warning(maxTokens)
	if w == "" {
		return warnings
	}
	return append(slices.Clip(warnings), w)
}

// dropLast removes the last of a list and reports whether there was one.
func dropLast[T any](list *[]T, omitted *omissions, what string) bool {
	n := len(*list)
	if n == 0 {
		return false
	}
	*list = (*list)[: n-1 : n-1]
	omitted.add(what, 1)
	return true
}

// prefix returns the beginning of s of at most n bytes, cut on a rune boundary
// and if possible after a word, without trailing white space. It is verbatim: its
// length is the offset in s where it ends.
func prefix(s string, n int) string {
	short, cut := text.Cut(s, n)
	if !cut {
		return short
	}
	if i := strings.LastIndexAny(short, " \n\t"); i > len(short)/2 {
		short = short[:i]
	}
	return strings.TrimRight(short, " \n\t")
}

// longest returns the index of the longest of n texts, or -1 if none is longer
// than least bytes.
func longest(n, least int, length func(i int) int) int {
	best := -1
	for i := range n {
		if l := length(i); l > least {
			best, least = i, l
		}
	}
	return best
}

// shares divides total bytes among texts of the given lengths. A text shorter
// than its share is kept whole, and the rest of its share goes to longer ones.
func shares(lengths []int, total int) []int {
	order := make([]int, len(lengths))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return lengths[a] - lengths[b] })
	out := make([]int, len(lengths))
	for k, i := range order {
		out[i] = max(0, min(lengths[i], total/(len(order)-k)))
		total -= out[i]
	}
	return out
}

// ellipsis shortens s to about n bytes and marks the cut; the result is not
// verbatim.
func ellipsis(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return prefix(s, max(n-utf8.RuneLen('…'), 0)) + "…"
}
