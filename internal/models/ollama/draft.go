package ollama

import (
	"slices"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	numbers = text.Pattern(`\d+`)
	// markBehind is the end of a sentence with the marks behind it, as most
	// models write: a sentence splitter would give them to the next one.
	markBehind = text.Pattern(`([.!?。]["”’)]*)((?:[ \t]*[\[【]\d+(?:\s*[,;]\s*\d+)*[\]】])+)`)
	bullet     = text.Pattern(`(?m)^[ \t]*(?:[-*•+]|\d+[.)])[ \t]+`)
	emphasis   = text.Pattern(`\*\*([^*\n]+)\*\*|__([^_\n]+)__`)
	preamble   = text.Pattern(`(?i)^\s*(?:answer|sure|certainly|here is the answer)[:!,]\s*`)
	references = text.Pattern(`(?im)^[#*\s]*(?:sources|references|citations|passages)\s*:?\s*\**\s*$`)
)

// parse takes a model's prose apart into sentences and their marks. Marks of
// passages that it was not given are dropped, and with them nothing else:
// nobody guesses what it meant. Headings, lists of references and the words of
// an abstention are no sentences.
func parse(prose string, used []int) []evidence.Sentence {
	prose, _ = text.Clean(prose)
	if at := references().FindStringIndex(prose); at != nil {
		prose = prose[:at[0]]
	}
	prose = preamble().ReplaceAllString(prose, "")
	prose = emphasis().ReplaceAllString(prose, "$1$2")
	prose = bullet().ReplaceAllString(prose, "\n")
	prose = markBehind().ReplaceAllString(prose, "$2$1")
	var out []evidence.Sentence
	for _, sp := range text.Sentences(prose) {
		raw := prose[sp.Start:sp.End]
		s := evidence.Sentence{Text: closeGaps(conversation.WithoutMarks(raw)), Marks: marksIn(raw, used)}
		switch {
		case len(text.Tokenize(s.Text)) == 0: // marks on a line of their own belong to what is above
			if len(out) > 0 {
				out[len(out)-1].Marks = union(out[len(out)-1].Marks, s.Marks)
			}
		case strings.HasPrefix(s.Text, "#"), abstains(s.Text):
		default:
			out = append(out, s)
		}
	}
	return out
}

// marksIn are the marks in a sentence, each once, in order.
func marksIn(raw string, used []int) []int {
	var out []int
	for _, m := range conversation.Marks(raw) {
		for _, digits := range numbers().FindAllString(m, -1) {
			n, err := strconv.Atoi(digits)
			if err == nil && slices.Contains(used, n-1) {
				out = union(out, []int{n})
			}
		}
	}
	return out
}

func union(a, b []int) []int {
	for _, n := range b {
		if !slices.Contains(a, n) {
			a = append(a, n)
		}
	}
	return a
}

// abstains reports whether the model wrote what it was told to when it finds
// nothing.
func abstains(s string) bool {
	s = strings.ToUpper(strings.TrimLeft(s, " \n\t\"*"))
	return strings.HasPrefix(s, noAnswer)
}

// closeGaps takes away the space that a mark left before a full stop.
func closeGaps(s string) string {
	s = text.Squash(s)
	for _, p := range []string{".", ",", ";", "!", "?"} {
		s = strings.ReplaceAll(s, " "+p, p)
	}
	return s
}
