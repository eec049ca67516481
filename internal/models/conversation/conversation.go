// Package conversation defines the text forms that all models share: the format
// of a session's summary, citation marks in a turn, and lists of search queries.
// A summary that one model wrote is read by another.
package conversation

import (
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Prefixes of the lines of a summary. Every other line is prose.
const (
	QuestionPrefix = "Asked: "
	AnswerPrefix   = "Answer: "
)

// Limits in bytes.
const (
	MaxSummary  = 1200
	MaxQuestion = 200 // of a question in a summary
	MaxAnswer   = 300 // of the sentence of an answer in a summary
	MaxQuery    = 80  // of a search query
)

// QuestionLine returns the line of a summary that holds a question.
func QuestionLine(question string) string { return Line(QuestionPrefix, question, MaxQuestion) }

// AnswerLine returns the line of a summary that holds the essence of an answer.
func AnswerLine(sentence string) string { return Line(AnswerPrefix, sentence, MaxAnswer) }

// Line returns prefix and s on one line; s is cleaned and cut to max bytes.
func Line(prefix, s string, max int) string {
	s, _ = text.Clean(s)
	s, cut := text.Cut(text.Squash(s), max)
	if cut {
		s += "…"
	}
	return prefix + s
}

// Questions returns the questions that a summary lists, oldest first, and the
// rest of the summary without its prefixes.
func Questions(summary string) (questions []string, rest string) {
	var prose []string
	for _, l := range strings.Split(summary, "\n") {
		if q, ok := strings.CutPrefix(l, QuestionPrefix); ok {
			questions = append(questions, q)
		} else {
			prose = append(prose, strings.TrimPrefix(l, AnswerPrefix))
		}
	}
	return questions, strings.Join(prose, "\n")
}

// marks matches citation marks such as [1] and [2, 3] with the space before them.
var marks = text.Pattern(`\s*[\[【]\d+(?:\s*[,;]\s*\d+)*[\]】]`)

// WithoutMarks returns s without its citation marks.
func WithoutMarks(s string) string { return marks().ReplaceAllString(s, "") }

// Marks returns the citation marks of s as they are written, in order.
func Marks(s string) []string { return marks().FindAllString(s, -1) }

// withoutPunctuation is s without punctuation around it. The dot of .NET is a part of
// its name.
func withoutPunctuation(s string) string {
	s = strings.TrimLeft(strings.TrimRight(s, " .,;:!?\"'"), " ,;:!?\"'")
	if tokens := text.Tokenize(s); len(tokens) == 0 || tokens[0].Start > 0 {
		s = strings.TrimLeft(s, " .,;:!?\"'")
	}
	return s
}

// DistinctQueries trims the queries and drops those that are empty or have the
// same terms as an earlier one. The result is not nil.
func DistinctQueries(queries []string) []string {
	seen := map[string]bool{}
	out := []string{}
	for _, q := range queries {
		q, _ = text.Cut(text.Squash(withoutPunctuation(q)), MaxQuery)
		terms := text.QueryTerms(q)
		slices.Sort(terms)
		key := strings.Join(terms, " ")
		if key == "" || seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, q)
	}
	return out
}
