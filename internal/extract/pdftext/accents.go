package pdftext

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// combining are the accents that TeX's older fonts draw as letters of their own, in
// front of the letter that they belong to.
var combining = map[rune]rune{
	'¨': '\u0308', '´': '\u0301', 'ˆ': '\u0302', '˜': '\u0303', 'ˇ': '\u030C', '˘': '\u0306', '˙': '\u0307', '˚': '\u030A', '˝': '\u030B', '¯': '\u0304',
	'¸': '\u0327', '˛': '\u0328',
}

// composeAccents puts accents on their letters: "Na¨ıve" is "Naïve". What has no
// composed letter stays as it is. A grave accent counts only within a word, since code
// and TeX's quotation marks have it before one.
func composeAccents(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == '`' || combining[r] != 0 }) {
		return s
	}
	var out strings.Builder
	before := ' '
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		mark := combining[r]
		if r == '`' && unicode.IsLetter(before) {
			mark = '\u0300'
		}
		base, m := utf8.DecodeRuneInString(s[i+n:])
		if c, ok := composed(base, mark); mark != 0 && ok {
			out.WriteRune(c)
			before = c
			i += n + m
			continue
		}
		out.WriteRune(r)
		before = r
		i += n
	}
	return out.String()
}

// composed is the letter base with an accent, if there is one.
func composed(base, mark rune) (rune, bool) {
	switch base {
	case 'ı':
		base = 'i'
	case 'ȷ':
		base = 'j'
	}
	if !unicode.IsLetter(base) {
		return 0, false
	}
	s := norm.NFC.String(string([]rune{base, mark}))
	c, n := utf8.DecodeRuneInString(s)
	return c, n == len(s)
}
