package tools

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// step takes something away and reports whether there was anything to take.
type step = func() bool

// shrink applies the steps in order, each for as long as it takes something
// away, until fits says that it is enough.
func shrink(fits func() bool, steps ...step) {
	for _, s := range steps {
		for !fits() {
			if !s() {
				break
			}
		}
	}
}

// jsonTokens estimates what v costs a model that reads it as JSON.
func jsonTokens(v any) int {
	b, err := json.Marshal(v)
	if err != nil { // plain structs of plain values: cannot happen
		return 0
	}
	return text.EstimateTokens(string(b))
}

// lost counts what was left out to keep a token budget, for the warning.
type lost struct {
	what []string
	n    []int
}

func (l *lost) add(what string, n int) {
	if n == 0 {
		return
	}
	if i := slices.Index(l.what, what); i >= 0 {
		l.n[i] += n
		return
	}
	l.what, l.n = append(l.what, what), append(l.n, n)
}

// warning is what was left out in one line, or empty.
func (l *lost) warning(maxTokens int) string {
	if len(l.what) == 0 {
		return ""
	}
	parts := make([]string, len(l.what))
	for i := range parts {
		parts[i] = fmt.Sprintf("%s (%d)", l.what[i], l.n[i])
	}
	return fmt.Sprintf("to keep max_tokens=%d, left out: %s", maxTokens, strings.Join(parts, ", "))
}

// with is the warnings and, behind them, what was left out.
func (l *lost) with(warnings []string, maxTokens int) []string {
	w := l.warning(maxTokens)
	if w == "" {
		return warnings
	}
	return append(slices.Clip(warnings), w)
}

// prefix is the beginning of s of at most n bytes, on a rune boundary and if
// possible after a whole word, without white space at its end. It is verbatim:
// its length is where it ends in s.
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

// longest is the index of the longest of n texts that is longer than least
// bytes, or -1.
func longest(n, least int, length func(i int) int) int {
	best := -1
	for i := range n {
		if l := length(i); l > least {
			best, least = i, l
		}
	}
	return best
}

// shares divides total bytes among texts of the given lengths, so that a short
// text is kept whole and what it does not need goes to the long ones.
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

// ellipsis shortens s to about n bytes for showing; the result is not verbatim.
func ellipsis(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return prefix(s, max(n-utf8.RuneLen('…'), 0)) + "…"
}
