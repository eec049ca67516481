package research

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// relax asks for less when sources answered and none found anything: many want
// every word of a query on the page, and "goroutine leak" is on none that says
// that a goroutine "leaks". It asks with one more keyword, as far as the depth
// has room for it, and reports whether it did.
func (g *gathering) relax() bool {
	if !g.heard || g.open() > 0 || len(g.seen) > 0 || len(g.asked) >= g.r.depth.topics {
		return false
	}
	word := broader(g.r.answer.Topics)
	if word == "" || g.asked[strings.ToLower(word)] {
		return false
	}
	g.ask(word)
	return true
}

// broader is the longest word of the keywords, the one that says most, or empty
// where a keyword has no more than one. Numbers say nothing by themselves.
func broader(topics []string) string {
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
