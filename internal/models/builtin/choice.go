package builtin

import (
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	// ordinal matches "the second one", "the latter". Its group is which.
	ordinal = text.Pattern(`(?i)\b(?:the|that|this) (first|second|third|fourth|fifth|sixth|last|1st|2nd|3rd|4th|5th|6th|former|latter|other)` +
		`(?: (?:one|option|item|point|way|method|kind|type|step|entry|choice|possibility|alternative)\b|\b)`)

	ordinals = map[string]int{"first": 0, "1st": 0, "former": 0, "second": 1, "2nd": 1, "latter": 1, "other": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3,
		"fifth": 4, "5th": 4, "sixth": 5, "6th": 5}

	// bareChoice matches a question that is nothing but a choice.
	bareChoice = text.Pattern(`(?i)^(?:(?:what|how) about|tell me (?:more )?about|what is|what's|explain|describe|more (?:about|on))?\s*$`)

	// pairOf matches two things that a question names side by side.
	pairOf = text.Pattern(`(?i)^(?:.*\b(?:between|compare|comparing)\s+)?([^,;:?]+?),? (?:and|or|versus|vs\.?|compared (?:to|with)) ([^,;:?]+?)(?:[,:?]|$)`)

	// enumeration matches a list of three or more in a sentence, behind its verb or
	// before it.
	enumeration = text.Pattern(`(?:[:,]\s|\b(?:are|is|include|includes|with|of|by)\s)((?:[^,.;:()]{2,40}, )+(?:and |or )?[^,.;:()]{2,40}?)(?:[.;:(]|$)`)
	leadingList = text.Pattern(`^((?:[^,.;:()]{2,40}, )+(?:and |or )[^,.;:()]{2,40}?) (?:are|were|have|can)\b`)
)

// chosen returns the question with what "the second one" stands for: an item of the
// last answer's list, or one of the things that the last question names side by side.
func chosen(asked string, last exchange) (string, bool) {
	m := ordinal().FindStringSubmatchIndex(asked)
	if m == nil {
		return "", false
	}
	which := strings.ToLower(asked[m[2]:m[3]])
	alone := m[1] == m[3] // no noun behind it that could be another's
	if alone && which != "former" && which != "latter" && strings.TrimSpace(asked[m[1]:]) != "" {
		return "", false
	}
	items := named(last.question)
	if answers := listed(last.answer); len(items) == 0 || which != "former" && which != "latter" && len(answers) > len(items) {
		items = answers
	}
	n, ok := ordinals[which]
	if which == "last" || which == "latter" {
		n, ok = len(items)-1, len(items) > 0
	}
	if !ok || n >= len(items) {
		return "", false
	}
	before, after := asked[:m[0]], asked[m[1]:]
	if bareChoice().MatchString(before) && strings.TrimSpace(after) == "" {
		return "What is " + items[n], true
	}
	return before + items[n] + after, true
}

// longestSide is the most words of one of two things side by side.
const longestSide = 4

// named returns the two things that a question names side by side, if it does.
func named(question string) []string {
	question = strings.TrimSpace(leadingAsk().ReplaceAllString(imperative().ReplaceAllString(oneLine(question), ""), ""))
	m := pairOf().FindStringSubmatch(question)
	if m == nil {
		return nil
	}
	one, two := side(m[1]), side(m[2])
	if n := len(one); len(two) > n && n > 0 && plainVerbs()[stem(two[len(two)-1])] {
		two = two[:len(two)-1] // "How do BERT and GPT differ?"
	}
	out := []string{strings.Join(one, " "), strings.Join(two, " ")}
	for i, words := range [][]string{one, two} {
		if len(words) > longestSide {
			list := subjects(phrases(out[i]))
			if len(list) == 0 {
				return nil
			}
			out[i] = list[(1-i)*(len(list)-1)].text
		}
	}
	return out
}

// side returns the words of one of two things, without an auxiliary verb or an article
// before them.
func side(s string) []string {
	words := strings.Fields(s)
	for len(words) > 1 && (auxiliary[strings.ToLower(words[0])] || articles[strings.ToLower(words[0])]) {
		words = words[1:]
	}
	return words
}

var articles = set(strings.Fields(`a an the my your our this that`))

func stem(word string) string {
	for _, t := range text.Tokenize(word) {
		return t.Term
	}
	return ""
}

// Bounds of the name of a list's item, in bytes.
const (
	longestItem = 60
	mostItems   = 30
)

// listed returns the names of the items of an answer's list or of its first
// enumeration.
func listed(answer string) []string {
	var out []string
	for _, b := range text.Blocks(answer) {
		if b.Kind == evidence.BlockTable && len(out) == 0 {
			out = rows(answer[b.Start:b.End])
		}
		if b.Kind == evidence.BlockItem && b.Level <= 1 && len(out) < mostItems {
			if name := itemName(answer[b.Start:b.End]); name != "" {
				out = append(out, name)
			}
		}
	}
	if len(out) > 1 {
		return out
	}
	for _, sp := range text.Sentences(answer) {
		m := leadingList().FindStringSubmatch(answer[sp.Start:sp.End])
		if m == nil {
			m = enumeration().FindStringSubmatch(answer[sp.Start:sp.End])
		}
		if m == nil {
			continue
		}
		out = nil
		for _, part := range strings.Split(m[1], ",") {
			for _, one := range conjunction().Split(part, -1) {
				if one = strings.TrimSpace(one); one != "" {
					out = append(out, one)
				}
			}
		}
		tooLong := func(s string) bool { return len(strings.Fields(s)) > longestSide-1 }
		if len(out) > 1 && !slices.ContainsFunc(out, tooLong) {
			return out
		}
	}
	return nil
}

// rows returns the first cells of a table's rows, without those of its head.
func rows(table string) []string {
	var out []string
	for n, line := range strings.Split(strings.TrimSpace(table), "\n") {
		first, _, _ := strings.Cut(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if name := itemName(first); n > 1 && name != "" && len(out) < mostItems {
			out = append(out, name)
		}
	}
	return out
}

var (
	conjunction = text.Pattern(`(?:^|\s)(?:and|or)\s`)
	bullet      = text.Pattern(`^\s*(?:[-*+•]|\d+[.)])\s+`)
	emphasised  = text.Pattern("^(?:\\*\\*(.+?)\\*\\*|__(.+?)__|`([^`]+)`|\\[([^\\]]+)\\]\\([^)]*\\))")
	nameEnd     = text.Pattern(`:\s| [-–—] |\.\s|\n|\s\(`)
)

// itemName is what an item of a list is called: what is emphasised at its beginning,
// or its text up to the first colon, dash or full stop.
func itemName(item string) string {
	item = strings.TrimSpace(bullet().ReplaceAllString(item, ""))
	if m := emphasised().FindStringSubmatch(item); m != nil {
		return strings.TrimRight(strings.Join(m[1:], ""), " .:")
	}
	if at := nameEnd().FindStringIndex(item); at != nil {
		item = item[:at[0]]
	}
	item, _ = text.Cut(item, longestItem)
	return strings.TrimRight(text.Squash(item), " .,:;")
}
