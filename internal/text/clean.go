package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes s valid UTF-8 and removes what a reader cannot see: control
// characters other than tab and newline, and format characters such as
// zero-width spaces, direction marks and tags. Every line break (CRLF, CR alone,
// vertical tab, form feed, NEL) becomes a newline, so that the words around it
// stay apart. It reports whether s was changed.
func Clean(s string) (string, bool) {
	out := strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	out = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r == '\r' || r == '\v' || r == '\f' || r == 0x85:
			return '\n'
		case r == 0x200D || r == 0x200C: // joiners carry meaning in Indic and Arabic scripts and in emoji
			return r
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Cf, r), r >= 0xE0100 && r <= 0xE01EF:
			return -1
		}
		return r
	}, out)
	return out, out != s
}

// IsBlank reports whether r is a letter or symbol that is drawn empty. Clean
// keeps these: some scripts use them as fillers.
func IsBlank(r rune) bool {
	switch r {
	case 0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0:
		return true
	}
	return false
}

// HasVisible reports whether a reader sees anything of s: a letter, a number, a
// punctuation mark or a symbol that is not drawn empty.
func HasVisible(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && !IsBlank(r)
	})
}

// Squash turns each run of white space into one space and trims the ends.
func Squash(s string) string { return strings.Join(strings.Fields(s), " ") }

// Cut returns the longest prefix of s of at most n bytes that ends on a rune
// boundary, and whether anything was cut.
func Cut(s string, n int) (string, bool) {
	if len(s) <= n {
		return s, false
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:max(n, 0)], true
}
