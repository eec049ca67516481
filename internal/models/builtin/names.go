package builtin

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// noName is the probability that there is an answer where the question names something
// that nothing that was found speaks of: of 48 questions about documentation without an
// answer five were such ones, of 139 with an answer one, whose answer was not found.
const noName = 0.25

// namesUnknown reports whether a question names something that none of the documents has,
// neither as it is written nor as an abbreviation.
func namesUnknown(q query, asked string, list []evidence.Evidence) bool {
	runs := nameRuns(asked, q.english)
	if len(runs) == 0 {
		return false
	}
	var texts []spoken
	seen := map[string]bool{} // a document may have several of the passages
	for _, e := range list {
		s := strings.Join(e.Passage.Heading, "\n")
		if !seen[e.Document.ID] {
			s += "\n" + e.Document.Title + "\n" + e.Document.Text
		}
		seen[e.Document.ID] = true
		texts = append(texts, spoken{s, text.Fold(s)})
	}
	return slices.ContainsFunc(runs[:min(mostNames, len(runs))], func(run []string) bool {
		return !slices.ContainsFunc(texts, func(s spoken) bool { return s.of(run) })
	})
}

// mostNames of a question are looked for: a pasted log has hundreds.
const mostNames = 8

// spoken is a text as it is written, and folded.
type spoken struct{ written, folded string }

// nameRuns returns the names in a question, each as the words that stand side by side:
// words with a capital letter that does not begin the sentence; in another language than
// English, that does not begin the word, as in PostgreSQL: German writes every noun as
// English writes names. A question in which every word has a capital has no names that
// can be told.
func nameRuns(asked string, english bool) [][]string {
	var runs [][]string
	content, capital, last := 0, 0, -2
	begins := true // a sentence
	for i, t := range text.Tokenize(asked) {
		word := asked[t.Start:t.End]
		first, size := utf8.DecodeRuneInString(word)
		inside := strings.ContainsFunc(word[size:], unicode.IsUpper)
		if !t.Stop {
			content++
			if unicode.IsUpper(first) {
				capital++
			}
			if inside || english && unicode.IsUpper(first) && !begins {
				if last == i-1 {
					runs[len(runs)-1] = append(runs[len(runs)-1], word)
				} else {
					runs = append(runs, []string{word})
				}
				last = i
			}
		}
		rest := strings.TrimLeft(asked[t.End:], `"')]*`)
		begins = rest != "" && strings.ContainsRune(".?!:;\n", rune(rest[0]))
	}
	if content >= 3 && capital == content {
		return nil
	}
	return runs
}

// of reports whether a text has a word of a name, also as a part of another word, or the
// name's abbreviation, or the words that it abbreviates.
func (s spoken) of(run []string) bool {
	initials := ""
	for _, word := range run {
		if strings.Contains(s.folded, singular(text.Fold(word))) {
			return true
		}
		first, _ := utf8.DecodeRuneInString(word)
		initials += string(first)
	}
	if len(run) > 1 {
		return strings.Contains(s.written, initials)
	}
	return strings.ToUpper(run[0]) == run[0] && spelledOut(s.folded, strings.ToLower(run[0]))
}

// singular takes a plural's s away.
func singular(word string) string {
	if s := strings.TrimSuffix(word, "s"); len(s) > 2 {
		return s
	}
	return word
}

// spelledOut reports whether words with these initials follow each other in s.
func spelledOut(s, initials string) bool {
	at := 0 // how many initials the last words have
	letters := []rune(initials)
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return !unicode.IsLetter(r) }) {
		first, _ := utf8.DecodeRuneInString(word)
		switch first = unicode.ToLower(first); first {
		case letters[at]:
			at++
		case letters[0]:
			at = 1
		default:
			at = 0
		}
		if at == len(letters) {
			return true
		}
	}
	return false
}
