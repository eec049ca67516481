package prompt

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
	"github.com/research-mcp/research-mcp/internal/text"
)

// inline are elements of HTML that a model formats prose with.
const inline = `a|b|i|u|s|p|em|strong|mark|span|div|font|small|sup|sub|li|ul|ol|h[1-6]`

var (
	numbers = text.Pattern(`\d+`)
	// markBehind matches the end of a sentence and the marks after it, as most models
	// write them: the sentence splitter would add these to the next sentence.
	markBehind = text.Pattern(`([.!?。]["”’)]*)((?:[ \t]*[\[【]\d+(?:\s*[,;]\s*\d+)*[\]】])+)`)
	bullet     = text.Pattern(`(?m)^[ \t]*(?:[-*•+]|\d+[.)])[ \t]+`)
	emphasis   = text.Pattern(`\*\*([^*\n]+)\*\*|__([^_\n]+)__`)
	// Each of these matches code, too, as its first group, so that nothing in code is
	// replaced.
	picture = text.Pattern("(`[^`\n]*`)|!\\[[^\\]\n]*\\]\\([^)\n]*\\)")
	link    = text.Pattern("(`[^`\n]*`)|(\\[\\d+(?:[,;] ?\\d+)*\\])\\([^)\n]*\\)|\\[((?:`[^`\n]*`|[^\\]`\n])+)\\]\\((?:[a-zA-Z]+:|[/.#])[^)\n]*\\)")
	tags    = text.Pattern("(?i)(`[^`\n]*`)|<(?:" + inline + ")(?:\\s[^<>]*)?>([^<>]*)</(?:" + inline + ")>")
	newLine = text.Pattern("(?i)(`[^`\n]*`)|<br ?/?>")

	preamble   = text.Pattern(`(?i)^\s*(?:answer|sure|certainly|here is the answer)[:!,]\s*`)
	marksOnly  = text.Pattern(`^(?:\[[\d,; ]+\]\s*)+$`)
	references = text.Pattern(`(?im)^[#*\s]*(?:sources|references|citations|passages)\s*:?\s*\**\s*$`)
)

// ParseDraft splits a model's prose into sentences and their citation marks,
// which are 1-based numbers of passages. Marks of passages that are not in used
// (0-based) are dropped. Headings, lists of references, an abstention and JSON are not
// sentences; one that is repeated is returned once.
func ParseDraft(prose string, used []int) []evidence.Sentence {
	prose, _ = text.Clean(prose)
	if isJSON(prose) {
		return nil
	}
	if at := references().FindStringIndex(prose); at != nil {
		prose = prose[:at[0]]
	}
	prose = preamble().ReplaceAllString(prose, "")
	prose = withoutMarkup(prose)
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
		case strings.HasPrefix(s.Text, "#"), Abstains(s.Text):
		default:
			out = addSentence(out, s)
		}
	}
	return out
}

// mostNested is how deeply elements of HTML within each other are removed.
const mostNested = 4

// withoutMarkup removes pictures, the addresses of links, and tags of HTML, outside
// code: an address that a model writes was not read anywhere.
func withoutMarkup(prose string) string {
	prose = link().ReplaceAllString(picture().ReplaceAllString(prose, "$1"), "$1$2$3")
	prose = newLine().ReplaceAllString(prose, "$1 ")
	for range mostNested {
		prose = tags().ReplaceAllString(prose, "$1$2")
	}
	return prose
}

// addSentence adds a sentence, or its marks to the same one before: small models repeat
// themselves.
func addSentence(list []evidence.Sentence, s evidence.Sentence) []evidence.Sentence {
	for i, have := range list {
		if strings.EqualFold(have.Text, s.Text) {
			list[i].Marks = union(have.Marks, s.Marks)
			return list
		}
	}
	return append(list, s)
}

// isJSON reports whether a model wrote JSON, or the beginning of it, instead of prose.
func isJSON(s string) bool {
	s = strings.TrimSpace(s)
	if rest, ok := strings.CutPrefix(s, "```"); ok {
		_, rest, _ = strings.Cut(rest, "\n")
		s = strings.TrimSpace(rest)
	}
	if s == "" || s[0] != '{' && s[0] != '[' {
		return false
	}
	rest := strings.TrimSpace(s[1:])
	return json.Valid([]byte(s)) && marksOnly().FindString(s) != s || s[0] == '{' && strings.HasPrefix(rest, `"`) || s[0] == '[' && strings.HasPrefix(rest, "{")
}

// marksIn returns the marks of a sentence, each once, in order.
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

// Abstains reports whether the model wrote that the passages hold no answer.
func Abstains(s string) bool {
	s = strings.ToUpper(strings.TrimLeft(s, " \n\t\"*"))
	return strings.HasPrefix(s, noAnswer)
}

// closeGaps removes the space that a mark left before punctuation.
func closeGaps(s string) string {
	s = text.Squash(s)
	for _, p := range []string{".", ",", ";", "!", "?"} {
		s = strings.ReplaceAll(s, " "+p, p)
	}
	return s
}

// WholeSentences removes the last sentence if it is incomplete: half of one may
// claim what its end denies.
func WholeSentences(prose string) string {
	bare := strings.TrimRight(conversation.WithoutMarks(prose), " \n\"”’)*")
	if bare == "" || strings.HasSuffix(bare, ".") || strings.HasSuffix(bare, "!") || strings.HasSuffix(bare, "?") || strings.HasSuffix(bare, "。") {
		return prose
	}
	spans := text.Sentences(prose)
	if len(spans) == 0 {
		return ""
	}
	return prose[:spans[len(spans)-1].Start]
}
