package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// withSigns extends a word, s[start:end] with the folded form w, by the signs that
// are a part of its name: C++, g++, C#, F#, .NET. A sign that another word or sign
// follows is punctuation or an operator.
func withSigns(s string, start, end int, w string) (int, int) {
	// Few words have a sign behind them, and this is called for each.
	if w != "net" && (end == len(s) || s[end] != '+' && s[end] != '#' && s[end] != "♯"[0]) {
		return start, end
	}
	if w == "net" && start > 0 && s[start-1] == '.' && !wordBefore(s, start-1) && !wordAfter(s, end) {
		return start - 1, end
	}
	var signs int
	switch rest := s[end:]; {
	case strings.HasPrefix(rest, "++") && plusNames[w]:
		signs = 2
	case strings.HasPrefix(rest, "#") && sharpNames[w]:
		signs = 1
	case strings.HasPrefix(rest, "♯") && sharpNames[w]:
		signs = len("♯")
	default:
		return start, end
	}
	if wordAfter(s, end+signs) || wordBefore(s, start) {
		return start, end
	}
	return start, end + signs
}

var (
	plusNames  = nameSet("c g clang gcc libc libstdc libsigc devc notepad vc objc")
	sharpNames = nameSet("a b c d e f g j p q r x")
)

func nameSet(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// wordAfter reports whether a letter or one more sign begins at i. A digit may be a
// version: C++17.
func wordAfter(s string, i int) bool {
	r, _ := utf8.DecodeRuneInString(s[i:])
	return i < len(s) && (unicode.IsLetter(r) || r == '+' || r == '#' || r == '_')
}

// wordBefore reports whether a letter or digit ends at i.
func wordBefore(s string, i int) bool {
	r, _ := utf8.DecodeLastRuneInString(s[:i])
	return i > 0 && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
}
