package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes s valid UTF-8 and removes what a reader cannot see. All text that comes
// in, from pages, sources, files, imports and callers, passes through it. It removes
// control characters other than tab and newline, code points that Unicode calls
// default ignorable (zero-width spaces, direction marks, tags, fillers, soft hyphens),
// and noncharacters. Two kinds of ignorable code points carry meaning, and stay where
// they do: joiners between letters or symbols that join, and a variation selector
// behind a character that has variants. Every line break (CRLF, CR alone, vertical
// tab, form feed, NEL, line and paragraph separators) becomes a newline, so that the
// words around it stay apart. Clean reports whether s was changed.
func Clean(s string) (string, bool) {
	if isPrintable(s) {
		return s, false
	}
	in := strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	c := cleaner{rest: in}
	c.out.Grow(len(in))
	for i, r := range in {
		c.rest = in[i+utf8.RuneLen(r):]
		c.take(r)
	}
	out := c.out.String()
	return out, out != s
}

// isPrintable reports whether s is ASCII without control characters.
func isPrintable(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\n' && c != '\t') || c > '~' {
			return false
		}
	}
	return true
}

// cleaner writes the characters of a text that stay.
type cleaner struct {
	out  strings.Builder
	rest string // behind the current character
	last rune   // that was written
	base rune   // the last one that is neither a mark nor ignorable
}

func (c *cleaner) take(r rune) {
	switch {
	case r == '\n' || r == '\t':
	case isBreak(r):
		r = '\n'
	case r == brailleBlank:
		r = ' '
	case r == zwnj || r == zwj:
		if isJoiner(c.last) || !joins(c.base, c.last, r, c.next()) {
			return
		}
		c.out.WriteRune(r)
		c.last = r
		return
	case unicode.Is(unicode.Variation_Selector, r):
		if c.last != c.base || !HasVariant(c.base, r, c.next()) {
			return
		}
		c.out.WriteRune(r)
		c.last = r
		return
	case isIgnorable(r):
		return
	}
	c.out.WriteRune(r)
	c.last = r
	if !unicode.Is(unicode.Mn, r) {
		c.base = r
	}
}

// maxIgnorable is how many bytes next skips: a text of nothing but ignorable code
// points must not take time that grows with the square of its length.
const maxIgnorable = 64

// next is the next character that is not ignorable, or 0.
func (c *cleaner) next() rune {
	for i, r := range c.rest {
		if i > maxIgnorable {
			break
		}
		if isBreak(r) {
			return '\n'
		}
		if !isIgnorable(r) && !isJoiner(r) && !unicode.Is(unicode.Variation_Selector, r) {
			return r
		}
	}
	return 0
}

// isBreak reports whether r breaks a line and is not a newline.
func isBreak(r rune) bool {
	return r == '\r' || r == '\v' || r == '\f' || r == 0x85 || r == 0x2028 || r == 0x2029
}

// brailleBlank is a Braille cell without dots: a space.
const brailleBlank = 0x2800

// isIgnorable reports whether nothing is drawn for r wherever it stands. Joiners and
// variation selectors are not decided here.
func isIgnorable(r rune) bool {
	switch {
	case r == '\n' || r == '\t', isJoiner(r):
		return false
	case unicode.Is(unicode.Cf, r): // some format characters are drawn: signs around Arabic numbers, groups of hieroglyphs
		return !unicode.Is(unicode.Prepended_Concatenation_Mark, r) && (r < 0x13430 || r > 0x1343F)
	}
	return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Noncharacter_Code_Point, r)
}

// IsBlank reports whether r is a letter or symbol that is drawn empty.
func IsBlank(r rune) bool {
	switch r {
	case 0x115F, 0x1160, brailleBlank, 0x3164, 0xFFA0:
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
