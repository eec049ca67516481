package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Words after which a full stop does not end a sentence.
var abbreviations = map[string]bool{
	"mr": true, "mrs": true, "ms": true, "dr": true, "prof": true, "st": true, "jr": true, "sr": true, "vs": true,
	"e.g": true, "i.e": true, "cf": true, "fig": true, "no": true, "vol": true, "pp": true, "ca": true, "approx": true,
	"inc": true, "ltd": true, "co": true, "corp": true, "u.s": true, "u.k": true, "u.n": true, "jan": true, "feb": true,
	"mar": true, "apr": true, "jun": true, "jul": true, "aug": true, "sep": true, "sept": true, "oct": true, "nov": true,
	"dec": true, "gen": true, "col": true, "lt": true, "sgt": true, "rev": true, "hon": true, "al": true, "eq": true,
	"ph.d": true, "m.d": true, "b.c": true, "a.d": true, "op": true, "ed": true, "eds": true,
}

// Sentences returns the byte ranges of the sentences of s: ascending, without white
// space at their ends, never empty. A line break before a blank line, list item or
// heading ends a sentence; one inside a paragraph does not.
func Sentences(s string) []evidence.Span {
	var out []evidence.Span
	for _, b := range blocks(s) {
		if found := inBlock(s, b); out == nil {
			out = found
		} else {
			out = append(out, found...)
		}
	}
	return out
}

// blocks splits s where a new paragraph, list item, heading or table row begins.
func blocks(s string) []evidence.Span {
	var out []evidence.Span
	start := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '\n' || !startsBlock(s[i+1:]) && !isHeading(s[start:i]) {
			continue
		}
		out = append(out, evidence.Span{Start: start, End: i})
		start = i + 1
	}
	return append(out, evidence.Span{Start: start, End: len(s)})
}

func startsBlock(rest string) bool {
	line, _, _ := strings.Cut(rest, "\n")
	line = strings.TrimSpace(line)
	if line == "" || strings.ContainsRune("#|>", rune(line[0])) {
		return true
	}
	for _, p := range []string{"- ", "* ", "• ", "+ ", "```"} {
		if strings.HasPrefix(line, p) {
			return true
		}
	}
	digits := strings.TrimLeft(line, "0123456789")
	return digits != line && (strings.HasPrefix(digits, ". ") || strings.HasPrefix(digits, ") "))
}

func isHeading(line string) bool {
	line = strings.TrimSpace(line)
	return strings.HasPrefix(line, "#") || strings.HasPrefix(line, "==")
}

func inBlock(s string, b evidence.Span) []evidence.Span {
	const usual = 100 // bytes of a sentence
	out := make([]evidence.Span, 0, 1+(b.End-b.Start)/usual)
	open := false // the last span continues in the next
	for it := sentences.FromString(s[b.Start:b.End]); it.Next(); {
		sp := trim(s, evidence.Span{Start: b.Start + it.Start(), End: b.Start + it.End()})
		if sp.Start >= sp.End {
			continue
		}
		if open && len(out) > 0 {
			out[len(out)-1].End = sp.End
		} else {
			out = append(out, sp)
		}
		last := out[len(out)-1]
		open = endsOpen(s[last.Start:last.End]) || endsInPicture(s[last.Start:b.End], last.End-last.Start)
	}
	return out
}

func trim(s string, sp evidence.Span) evidence.Span {
	for sp.Start < sp.End {
		r, n := utf8.DecodeRuneInString(s[sp.Start:sp.End])
		if !unicode.IsSpace(r) {
			break
		}
		sp.Start += n
	}
	for sp.Start < sp.End {
		r, n := utf8.DecodeLastRuneInString(s[sp.Start:sp.End])
		if !unicode.IsSpace(r) {
			break
		}
		sp.End -= n
	}
	return sp
}

// endsInPicture reports whether s[:end] ends within a picture of Markdown, ![text](address),
// or within an address on the web: neither has the end of a sentence in it.
func endsInPicture(s string, end int) bool {
	if at := strings.LastIndex(s[:min(end+1, len(s))], "!["); at >= 0 {
		inner, address, found := strings.Cut(s[at:], "](")
		closing := strings.IndexAny(address, ") \n")
		if found && !strings.Contains(inner, "]") && closing >= 0 && address[closing] == ')' {
			return end < at+len(inner)+len("](")+closing+len(")")
		}
	}
	if end >= len(s) || s[end] <= ' ' || s[end] >= utf8.RuneSelf {
		return false
	}
	word := s[strings.LastIndexAny(s[:end], " \n\t(<\"")+1 : end]
	return strings.Contains(word, "://")
}

// endsOpen reports whether the sentence continues: after an abbreviation, an
// initial, or a line break that uax29 took for the end.
func endsOpen(sentence string) bool {
	if !strings.HasSuffix(sentence, ".") {
		r, _ := utf8.DecodeLastRuneInString(sentence)
		return !strings.ContainsRune("!?…。！？\"”’')]»:", r) && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == ',' || r == ';')
	}
	body := strings.TrimSuffix(sentence, ".")
	word := body
	if i := strings.LastIndexFunc(body, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == '"' }); i >= 0 {
		word = body[i:]
	}
	word = strings.TrimLeftFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if abbreviations[strings.ToLower(word)] {
		return true
	}
	r, n := utf8.DecodeRuneInString(word)
	return n == len(word) && n > 0 && unicode.IsUpper(r) && word != "I" // "J. Smith"
}
