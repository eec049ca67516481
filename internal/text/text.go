// Package text splits text into words, stems and sentences, cleans it, estimates
// tokens, detects near-duplicates, and ranks small collections with BM25. Its
// functions depend on nothing but their arguments and are safe for concurrent
// use.
package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/words"
	"golang.org/x/text/unicode/norm"
)

// Token is a word of a text.
type Token struct {
	Start, End int    // byte offsets into the text
	Word       string // lower case, without diacritics
	Term       string // its stem
	Stop       bool   // a function word
}

// Tokenize splits s at Unicode word boundaries (UAX 29) into the words that have a
// letter or a digit. Each ideograph is a word. Names with signs, such as C++, F# and
// .NET, are words with these signs.
func Tokenize(s string) []Token {
	out := make([]Token, 0, len(s)/6+1)
	for it := words.FromString(s); it.Next(); {
		v := it.Value()
		if !hasWordRune(v) {
			continue
		}
		w := Fold(v)
		if start, end := withSigns(s, it.Start(), it.End(), w); start != it.Start() || end != it.End() {
			w = strings.ReplaceAll(Fold(s[start:end]), "♯", "#")
			out = append(out, Token{Start: start, End: end, Word: w, Term: w})
			continue
		}
		out = append(out, token(it.Start(), it.End(), w))
	}
	return out
}

// token does not stem a function word: its stem is not used, and stemming is the
// most expensive part.
func token(start, end int, w string) Token {
	if IsStop(w) {
		return Token{Start: start, End: end, Word: w, Term: w, Stop: true}
	}
	return Token{Start: start, End: end, Word: w, Term: stemOf(w)}
}

// Terms are the stems of s without stop words, in order, repetitions kept.
func Terms(s string) []string {
	tokens := Tokenize(s)
	out := make([]string, 0, len(tokens))
	for _, t := range tokens {
		if !t.Stop {
			out = append(out, t.Term)
		}
	}
	return out
}

// QueryTerms are the distinct terms of a question, in order of appearance, without
// stop words unless there are no others: "The Who" must find something.
func QueryTerms(s string) []string {
	tokens := Tokenize(s)
	pick := func(stops bool) []string {
		seen := map[string]bool{}
		out := []string{}
		for _, t := range tokens {
			if (stops || !t.Stop) && !seen[t.Term] {
				seen[t.Term] = true
				out = append(out, t.Term)
			}
		}
		return out
	}
	if out := pick(false); len(out) > 0 {
		return out
	}
	return pick(true)
}

func hasWordRune(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return strings.ContainsFunc(s[i:], func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
		}
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' {
			return true
		}
	}
	return false
}

// Fold converts s to lower case without diacritics and without a possessive 's.
func Fold(s string) string {
	if isLowerASCII(s) {
		return s
	}
	s = strings.ToLower(s)
	if !isASCII(s) {
		s = strings.Map(func(r rune) rune {
			switch {
			case unicode.Is(unicode.Mn, r):
				return -1
			case r == '’':
				return '\''
			}
			return r
		}, norm.NFKD.String(s))
		s = norm.NFC.String(s)
	}
	return strings.TrimSuffix(s, "'s")
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isLowerASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' || c == '\'' {
			return false
		}
	}
	return true
}

// EstimateTokens estimates how many tokens a language model makes of s: one for
// four letters, one for each ideograph, rounded up.
func EstimateTokens(s string) int {
	quarter := 0
	for _, r := range s {
		if r >= 0x2E80 {
			quarter += 4
		} else {
			quarter++
		}
	}
	return (quarter + 3) / 4
}
