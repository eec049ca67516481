package local

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

// soughtWords are the words of a question that can be recognized in another form:
// without function words.
func soughtWords(question string) []string {
	var out []string
	for _, t := range text.Tokenize(question) {
		if !t.Stop {
			out = append(out, surfaceWords(question[t.Start:t.End])...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// dropUnlike removes the candidates that share no term with the question, and have no
// word that is a form of one of its words: n-grams of any two long texts have
// something in common. Candidates without their surface are kept.
func dropUnlike(cands []candidate, question string) []candidate {
	sought := soughtWords(question)
	if len(sought) == 0 {
		return cands
	}
	known := map[string]bool{}
	return slices.DeleteFunc(cands, func(c candidate) bool {
		return c.words == 0 && c.surface != "" && !slices.ContainsFunc(surfaceWords(c.surface), func(w string) bool {
			is, ok := known[w]
			if !ok {
				is = slices.ContainsFunc(sought, func(s string) bool { return alike(s, w) })
				known[w] = is
			}
			return is
		})
	})
}

// alike reports whether two words in lower case are forms of one another: misspelt,
// inflected, or one a part of the other, as in compounds. Runs of a script without
// spaces are not words, and are alike if they share a pair of characters.
func alike(a, b string) bool {
	if a == b {
		return true
	}
	x, y := pairs(a), pairs(b)
	common := 0
	for _, p := range x {
		if slices.Contains(y, p) {
			common++
		}
	}
	if strings.ContainsFunc(a, unspaced) && strings.ContainsFunc(b, unspaced) {
		return common > 0
	}
	short, long := a, b
	if len(short) > len(long) {
		short, long = b, a
	}
	if strings.Contains(long, short) && utf8.RuneCountInString(short) >= leastPart {
		return true
	}
	return float64(2*common) >= leastAlike*float64(len(x)+len(y))
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
