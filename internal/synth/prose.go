package synth

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	// markAfter is a full stop with the marks behind it, as most models write.
	markAfter = regexp.MustCompile(`([.!?。]["”)]?)((?:\s*\[\d+(?:\s*,\s*\d+)*\])+)`)
	numbers   = regexp.MustCompile(`\d+`)
	bullet    = regexp.MustCompile(`^(?:[-*•+]|\d+[.)])\s+`)
)

// parse takes a model's prose apart into sentences and their marks. Marks out
// of 1..passages are dropped; headings and the words of an abstention are no
// sentences.
func parse(prose string, passages int) []evidence.Sentence {
	prose = strings.ReplaceAll(prose, "**", "")
	prose = markAfter.ReplaceAllString(prose, "$2$1") // so that a mark belongs to the sentence before it
	var out []evidence.Sentence
	for _, sp := range text.Sentences(prose) {
		raw := bullet.ReplaceAllString(prose[sp.Start:sp.End], "")
		s := evidence.Sentence{Text: tidy(marks.ReplaceAllString(raw, ""))}
		if s.Text == "" || strings.HasPrefix(s.Text, "#") || strings.HasPrefix(strings.ToUpper(s.Text), noAnswer) || !hasWord(s.Text) {
			if len(out) > 0 && s.Text == "" { // a mark on a line of its own
				out[len(out)-1].Marks = merge(out[len(out)-1].Marks, raw, passages)
			}
			continue
		}
		s.Marks = merge(nil, raw, passages)
		out = append(out, s)
	}
	return out
}

func hasWord(s string) bool { return len(text.Tokenize(s)) > 0 }

// merge adds the marks in raw.
func merge(have []int, raw string, passages int) []int {
	for _, m := range marks.FindAllString(raw, -1) {
		for _, digits := range numbers.FindAllString(m, -1) {
			n, err := strconv.Atoi(digits)
			if err == nil && n >= 1 && n <= passages && !slices.Contains(have, n) {
				have = append(have, n)
			}
		}
	}
	return have
}

// tidy closes the gaps that marks leave.
func tidy(s string) string {
	s = text.Squash(s)
	for _, p := range []string{".", ",", ";", "!", "?"} {
		s = strings.ReplaceAll(s, " "+p, p)
	}
	return s
}
