package sources

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// wordList is the words of a folder, for repairing the spelling of a query. A word
// stays in it when its file is gone: it only costs a few bytes. It is safe for
// concurrent use.
type wordList struct {
	mu    sync.RWMutex
	count map[string]int // in how many parts of files a word was read
}

// Bounds of the list and of a repair.
const (
	maxWords      = 200_000
	shortestWord  = 4 // runes of a word that is repaired: shorter ones have too many neighbours
	longWord      = 6 // from this length on two letters may be wrong
	longestRepair = 32
)

func (l *wordList) add(body string) {
	seen := map[string]bool{}
	for _, t := range text.Tokenize(body) {
		if !t.Stop && utf8.RuneCountInString(t.Word) >= shortestWord && len(t.Word) <= longestRepair {
			seen[t.Word] = true
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == nil {
		l.count = map[string]int{}
	}
	for w := range seen {
		if _, known := l.count[w]; known || len(l.count) < maxWords {
			l.count[w]++
		}
	}
}

// repair returns the word of the list that word was probably meant to be: one or,
// in a long word, two letters differ; the nearest, and the most frequent of those.
// It returns "" if there is none, or if the word is in the list.
func (l *wordList) repair(word string) string {
	n := utf8.RuneCountInString(word)
	if n < shortestWord || len(word) > longestRepair || strings.ContainsAny(word, "0123456789") {
		return ""
	}
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.count[word] > 0 {
		return ""
	}
	most := 1
	if n >= longWord {
		most = 2
	}
	best, bestDistance := "", most+1
	for w, count := range l.count {
		if d := len(w) - len(word); d > most || d < -most || w[0] != word[0] {
			continue
		}
		d := levenshtein.ComputeDistance(word, w)
		if d < bestDistance || d == bestDistance && best != "" && (count > l.count[best] || count == l.count[best] && w < best) {
			best, bestDistance = w, d
		}
	}
	return best
}

// terms returns the stems to search the folder for: those of the question as it
// was asked and of the keywords, with the spelling of unknown words repaired.
func (x *folderIndex) terms(q evidence.Query) []string {
	var words []string
	for _, s := range []string{q.Question, q.Text} {
		for _, t := range text.Tokenize(s) {
			if fixed := x.words.repair(t.Word); !t.Stop && fixed != "" {
				words = append(words, fixed)
			}
		}
	}
	return text.SearchTerms(strings.Join(append([]string{q.Question, q.Text}, words...), " "))
}
