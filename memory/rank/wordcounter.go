package rank

import (
	"strings"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/text"
)

// wordCounter counts the words of one text after the other, and numbers them.
type wordCounter struct {
	ids   map[string]int
	at    []int // by id: where the word is in found, if it is one of the present text
	found []countedWord
}

// countedWord is a word of a text. Ids are 0, 1, 2 and so on, in the order in which
// the counter meets the words.
type countedWord struct {
	id    int
	text  string
	times int
}

func newWordCounter() *wordCounter { return &wordCounter{ids: map[string]int{}} }

// count returns the words of s as they are written, in lower case and without
// diacritics, each once, in the order of their first places. The result is valid until
// the next call.
func (c *wordCounter) count(s string) []countedWord {
	c.found = c.found[:0]
	for w := range strings.FieldsFuncSeq(text.Fold(s), isNoWord) {
		id, ok := c.ids[w]
		if !ok {
			id = len(c.at)
			c.ids[w] = id
			c.at = append(c.at, 0)
		}
		if at := c.at[id]; at < len(c.found) && c.found[at].id == id {
			c.found[at].times++
			continue
		}
		c.at[id] = len(c.found)
		c.found = append(c.found, countedWord{id, w, 1})
	}
	return c.found
}

// isNoWord reports whether a character separates words.
func isNoWord(r rune) bool {
	if r < unicode.MaxASCII { // most are
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && (r < 'A' || r > 'Z')
	}
	return !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// surfaceWords returns the words of s as they are written, in lower case and without
// diacritics, each as often as it occurs.
func surfaceWords(s string) []string { return strings.FieldsFunc(text.Fold(s), isNoWord) }
