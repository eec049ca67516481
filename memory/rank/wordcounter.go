package rank

import (
	"strings"
	"unicode"
	"unicode/utf8"

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

func newWordCounter() *wordCounter { return &wordCounter{ids: make(map[string]int, usualWords)} }

// usualWords is about how many words the texts that one recall compares have.
const usualWords = 4096

// forget has the counter begin anew. It keeps no text.
func (c *wordCounter) forget() {
	clear(c.ids)
	clear(c.found[:cap(c.found)])
	c.at, c.found = c.at[:0], c.found[:0]
}

// count returns the words of s as they are written, in lower case and without
// diacritics, each once, in the order of their first places. The result is valid until
// the next call.
func (c *wordCounter) count(s string) []countedWord {
	c.found = c.found[:0]
	s = text.Fold(s)
	from := 0 // where the present word begins
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf { // the rest has to be read by runes
			for w := range strings.FieldsFuncSeq(s[from:], isNoWord) {
				c.add(w)
			}
			return c.found
		}
		if !ofWords[s[i]] {
			if i > from {
				c.add(s[from:i])
			}
			from = i + 1
		}
	}
	if from < len(s) {
		c.add(s[from:])
	}
	return c.found
}

func (c *wordCounter) add(w string) {
	id, ok := c.ids[w]
	if !ok {
		id = len(c.at)
		c.ids[w] = id
		c.at = append(c.at, 0)
	}
	if at := c.at[id]; at < len(c.found) && c.found[at].id == id {
		c.found[at].times++
		return
	}
	c.at[id] = len(c.found)
	c.found = append(c.found, countedWord{id, w, 1})
}

// ofWords says of the ASCII characters what isNoWord says.
var ofWords = func() (is [utf8.RuneSelf]bool) {
	for c := range is {
		is[c] = !isNoWord(rune(c))
	}
	return is
}()

// isNoWord reports whether a character separates words.
func isNoWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// surfaceWords returns the words of s as they are written, in lower case and without
// diacritics, each as often as it occurs.
func surfaceWords(s string) []string { return strings.FieldsFunc(text.Fold(s), isNoWord) }
