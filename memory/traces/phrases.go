// Package traces finds what conversations and answers have of documents that are to be
// forgotten: quotations, titles, addresses, words. Backends read and remove it.
package traces

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	// So many words in a row are a quotation; a whole sentence may be shorter.
	quoteWords    = 8
	shortestQuote = 5
	// Scripts without spaces count characters instead.
	quoteRunes    = 14
	shortestRunes = 8
	// MaxPhrases limits the phrases in RAM; beyond it the conversations are
	// searched once per batch.
	MaxPhrases = 8_000_000
)

var phraseSeed = maphash.MakeSeed() // of this process: hashes are not stored

// Phrases are the sentences of forgotten documents, as hashes of their words.
// Seal sorts them for In.
type Phrases struct{ hashes []uint64 }

// Add adds the sentences of s.
func (p *Phrases) Add(s string) {
	for _, sp := range text.Sentences(s) {
		w := Words(s[sp.Start:sp.End])
		for i := range w {
			least, most := quoteLength(w[i])
			switch {
			case i+most <= len(w):
				p.hashes = append(p.hashes, hashWords(w[i:i+most]))
			case i == 0 && len(w) >= least:
				p.hashes = append(p.hashes, hashWords(w))
			}
		}
	}
}

// Len is how many there are.
func (p *Phrases) Len() int { return len(p.hashes) }

// Seal is to be called after the last Add.
func (p *Phrases) Seal() {
	slices.Sort(p.hashes)
	p.hashes = slices.Compact(p.hashes)
}

// In returns the pieces of s that quote a phrase. A piece within the one before
// is left out.
func (p *Phrases) In(s string) []string {
	if len(p.hashes) == 0 {
		return nil
	}
	var out []string
	w := Words(s)
	for i := range w {
		least, most := quoteLength(w[i])
		var h maphash.Hash
		h.SetSeed(phraseSeed)
		for n := 1; n <= most && i+n <= len(w); n++ {
			addWord(&h, w[i+n-1])
			if n < least {
				continue
			}
			if _, ok := slices.BinarySearch(p.hashes, h.Sum64()); ok {
				out = append(out, strings.Join(w[i:i+n], " "))
				break
			}
		}
	}
	return out
}

// quoteLength returns how many words from this one on are a quotation: least
// for a whole sentence, most for part of one.
func quoteLength(word string) (least, most int) {
	if r, n := utf8.DecodeRuneInString(word); n == len(word) && text.Unspaced(r) {
		return shortestRunes, quoteRunes
	}
	return shortestQuote, quoteWords
}

// Words returns the words of s in lower case; in a script without spaces each
// letter is a word, combining marks excluded.
func Words(s string) []string {
	var out []string
	start := -1
	s = strings.ToLower(s)
	end := func(i int) {
		if start >= 0 {
			out = append(out, s[start:i])
		}
		start = -1
	}
	for i, r := range s {
		switch {
		case unicode.IsLetter(r) && text.Unspaced(r):
			end(i)
			out = append(out, string(r))
		case unicode.IsLetter(r), unicode.IsNumber(r):
			if start < 0 {
				start = i
			}
		default:
			end(i)
		}
	}
	end(len(s))
	return out
}

func addWord(h *maphash.Hash, s string) {
	_, _ = h.WriteString(s) // never fails
	_ = h.WriteByte(' ')
}

func hashWords(w []string) uint64 {
	var h maphash.Hash
	h.SetSeed(phraseSeed)
	for _, s := range w {
		addWord(&h, s)
	}
	return h.Sum64()
}

// AnswerText returns the parts of an answer that may quote.
func AnswerText(a evidence.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s\n", a.Question, a.Answer)
	for _, c := range a.Claims {
		fmt.Fprintf(&b, "%s\n%s\n", c.Text, c.Why)
	}
	for _, c := range a.Citations {
		fmt.Fprintf(&b, "%s\n", c.Quote)
	}
	return b.String()
}

// PlainAnswer returns the text of a stored answer.
func PlainAnswer(body string) string {
	var a evidence.Answer
	if json.Unmarshal([]byte(body), &a) != nil {
		return body
	}
	return AnswerText(a)
}

// Joined joins words to a text: no spaces within scripts that have none.
func Joined(w []string) string {
	var b strings.Builder
	for i, s := range w {
		r, _ := utf8.DecodeRuneInString(s)
		if i > 0 && !text.Unspaced(r) {
			b.WriteByte(' ')
		}
		b.WriteString(s)
	}
	return b.String()
}
