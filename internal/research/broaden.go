package research

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// broader returns a keyword to ask with when sources answered and none found
// anything, or "". Many sources want every word of a query on the page, and
// "goroutine leak" is on none that says that a goroutine "leaks".
func (g *gathering) broader() string {
	if !g.answered || g.open() > 0 || len(g.seen) > 0 || len(g.asked) >= g.most {
		return ""
	}
	word := longestWord(g.r.answer.Topics)
	if g.asked[strings.ToLower(word)] {
		return ""
	}
	return word
}

// longestWord returns the longest word of the keywords that have more than one,
// or "". It is likely the most specific; numbers alone say nothing.
func longestWord(topics []string) string {
	best := ""
	for _, topic := range topics {
		tokens := text.Tokenize(topic)
		if len(tokens) < 2 {
			continue
		}
		for _, t := range tokens {
			word := topic[t.Start:t.End]
			if !t.Stop && strings.ContainsFunc(word, unicode.IsLetter) && utf8.RuneCountInString(word) > utf8.RuneCountInString(best) {
				best = word
			}
		}
	}
	return best
}
