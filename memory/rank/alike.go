package rank

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of alike.
const (
	// leastAlike is the share of equal letter pairs of two words at which one is a
	// misspelt or inflected form of the other: "citatoin" and "citation" have 0.67,
	// "castle" and "cascade" 0.53.
	leastAlike = 0.6
	// leastPart is the length in runes of a word that counts as a part of another.
	leastPart = 4
)

// form is a word in lower case with what it is compared by.
type form struct {
	word     string
	pairs    [][2]rune
	unspaced bool // it is a run of a script without spaces
}

func newForm(word string) form {
	return form{word, pairs(word), strings.ContainsFunc(word, text.Unspaced)}
}

// soughtForms are the words of a question that can be recognized in another form:
// without function words.
func soughtForms(question string) []form {
	var words []string
	for _, t := range text.Tokenize(question) {
		if !t.Stop {
			words = append(words, surfaceWords(question[t.Start:t.End])...)
		}
	}
	slices.Sort(words)
	var out []form
	for _, w := range slices.Compact(words) {
		out = append(out, newForm(w))
	}
	return out
}

// dropUnlike removes the candidates that share no term with the question, and have no
// word that is a form of one of its words: n-grams of any two long texts have
// something in common. Those that keep selects stay, unless it is nil; without it,
// candidates without their surface stay too.
func dropUnlike(cands []Candidate, question string, keep func(Candidate) bool) []Candidate {
	sought := soughtForms(question)
	if len(sought) == 0 && keep == nil {
		return cands
	}
	known := map[string]bool{}
	isForm := func(w string) bool {
		is, ok := known[w]
		if !ok {
			f := newForm(w)
			is = slices.ContainsFunc(sought, func(s form) bool { return alike(s, f) })
			known[w] = is
		}
		return is
	}
	return slices.DeleteFunc(cands, func(c Candidate) bool {
		switch {
		case c.Words > 0 || keep != nil && keep(c):
			return false
		case c.Surface == "":
			return keep != nil
		}
		return !slices.ContainsFunc(surfaceWords(c.Surface), isForm)
	})
}

// alike reports whether two words are forms of one another: misspelt, inflected, or
// one a part of the other, as in compounds. Runs of a script without spaces are not
// words, and are alike if they share a pair of characters.
func alike(a, b form) bool {
	short, long := a, b
	if len(a.word) > len(b.word) {
		short, long = b, a
	}
	if strings.Contains(long.word, short.word) && (len(short.word) == len(long.word) || utf8.RuneCountInString(short.word) >= leastPart) {
		return true
	}
	least := leastAlike * float64(len(a.pairs)+len(b.pairs)) / 2
	if a.unspaced && b.unspaced {
		least = 1
	} else if float64(min(len(a.pairs), len(b.pairs))) < least {
		return false
	}
	common := 0
	for _, p := range a.pairs {
		if slices.Contains(b.pairs, p) {
			common++
		}
	}
	return float64(common) >= least
}

// pairs returns the distinct pairs of adjacent runes of <word>.
func pairs(word string) [][2]rune {
	out := make([][2]rune, 0, len(word)+1)
	last := '<'
	for _, r := range word + ">" {
		if p := [2]rune{last, r}; !slices.Contains(out, p) {
			out = append(out, p)
		}
		last = r
	}
	return out
}
