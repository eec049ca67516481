package pdftext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

// vocabulary are the words of a document, in lower case, with their hyphens.
type vocabulary map[string]bool

var wordPattern = text.Pattern(`[\pL\pN]+(?:[-‐][\pL\pN]+)*`)

func (v vocabulary) add(line string) {
	for _, w := range wordPattern().FindAllString(line, -1) {
		v[strings.ToLower(strings.ReplaceAll(w, "‐", "-"))] = true
	}
}

// firstParts are words that stand before a hyphen of their own far more often than
// they are the beginning of a divided word.
var firstParts = map[string]bool{
	"self": true, "well": true, "long": true, "short": true, "high": true, "low": true, "half": true, "cross": true, "end": true,
	"state": true, "real": true, "large": true, "small": true, "full": true, "non": true, "first": true, "second": true, "third": true,
	"two": true, "three": true, "four": true, "five": true, "so": true, "all": true, "ever": true, "open": true, "left": true, "right": true,
}

// conjunctions follow a hyphen that stands for the rest of a word: "two- and three-fold".
var conjunctions = map[string]bool{"and": true, "or": true, "to": true, "und": true, "oder": true, "bis": true, "et": true, "ou": true, "y": true, "o": true, "e": true}

// join joins the lines of a paragraph.
func (v vocabulary) join(lines []string) string {
	out := ""
	for _, line := range lines {
		out = v.append(out, line)
	}
	return strings.ReplaceAll(out, "\u00AD", "")
}

// append joins a line to the text before it: with a space, or where a word was divided
// without its hyphen.
func (v vocabulary) append(before, line string) string {
	if before == "" || line == "" {
		return before + line
	}
	last, size := utf8.DecodeLastRuneInString(before)
	next, _ := utf8.DecodeRuneInString(line)
	stem := before[:len(before)-size]
	beforeHyphen, _ := utf8.DecodeLastRuneInString(stem)
	switch {
	case last == '\u00AD':
		return stem + line
	case isWide(last) && isWide(next):
		return before + line
	case last == '–' && unicode.IsDigit(beforeHyphen) && unicode.IsDigit(next):
		return before + line
	case last != '-' && last != '‐' || !unicode.IsLetter(beforeHyphen) && !unicode.IsDigit(beforeHyphen) || !unicode.IsLetter(next) && !unicode.IsDigit(next):
		return before + " " + line
	}
	head := lastWord(stem)
	tail := wordPattern().FindString(line)
	if conjunctions[tail] {
		return before + " " + line
	}
	if v.divided(head, tail) {
		return stem + line
	}
	return before + line
}

// lastWord is the word with its hyphens that s ends with.
func lastWord(s string) string {
	i := strings.LastIndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '‐' })
	if i < 0 {
		return s
	}
	_, size := utf8.DecodeRuneInString(s[i:])
	return s[i+size:]
}

// divided reports whether head and tail are parts of one word without a hyphen.
func (v vocabulary) divided(head, tail string) bool {
	lowHead, lowTail := strings.ToLower(head), strings.ToLower(tail)
	first, _ := utf8.DecodeRuneInString(tail)
	end, _ := utf8.DecodeLastRuneInString(head)
	upper := strings.ToUpper(head) == head && strings.ToUpper(tail) == tail && len(head) > 2 && len(tail) > 2
	switch {
	case v[lowHead+lowTail]:
		return true
	case v[lowHead+"-"+lowTail]:
		return false
	case unicode.IsDigit(first), unicode.IsDigit(end), !unicode.IsLower(first) && !upper:
		return false
	case strings.ContainsAny(head, "-‐"), strings.ContainsAny(tail, "-‐"):
		return false
	case firstParts[lowHead], utf8.RuneCountInString(head) == 1:
		return false
	}
	return true
}
