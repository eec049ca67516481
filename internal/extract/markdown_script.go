package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// script writes superscripts and subscripts so that they do not join the word or
// number before them: 10^6, m², CO₂, x_(max). Links to footnotes are left out.
func (w *writer) script(n *html.Node) {
	inner := &writer{plain: true, room: w.room}
	inner.children(n)
	s := text.Squash(string(inner.out) + string(inner.para))
	if s == "" || isFootnote(n, s) {
		return
	}
	w.para = append(w.para, scriptText(string(w.para[max(0, len(w.para)-utf8.UTFMax):]), s, n.DataAtom == atom.Sup)...)
}

func isFootnote(n *html.Node, s string) bool {
	class := strings.ToLower(attribute(n.Attr, "class"))
	for _, word := range []string{"reference", "footnote", "noteref", "cite", "fn"} {
		if strings.Contains(class, word) {
			return true
		}
	}
	for c := range n.Descendants() {
		if c.DataAtom == atom.A && strings.Contains(attribute(c.Attr, "href"), "#") {
			return true
		}
	}
	return strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]")
}

var suffixes = map[string]bool{ // raised letters that are part of the word
	"st": true, "nd": true, "rd": true, "th": true, "er": true, "re": true, "ère": true, "e": true, "ème": true, "o": true, "os": true,
	"a": true, "as": true, "TM": true, "SM": true, "®": true, "™": true, "©": true, "me": true, "ra": true, "º": true, "ª": true,
}

// scriptText returns a raised or lowered s as it is written after before.
func scriptText(before, s string, raised bool) string {
	last, _ := utf8.DecodeLastRuneInString(before)
	digit := unicode.IsDigit(last)
	if raised && suffixes[s] && (len(s) > 1 || !digit) && (digit || unicode.IsLetter(last)) {
		return s
	}
	if before == "" || unicode.IsSpace(last) {
		return s // it joins nothing
	}
	if !digit {
		if u, ok := unicodeScript(s, raised); ok {
			return u
		}
	}
	mark := "^"
	if !raised {
		mark = "_"
	}
	s = strings.ReplaceAll(s, "−", "-")
	if strings.IndexFunc(strings.TrimPrefix(s, "-"), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) >= 0 {
		return mark + "(" + s + ")"
	}
	return mark + s
}

var (
	raisedDigits  = []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")
	loweredDigits = []rune("₀₁₂₃₄₅₆₇₈₉")
)

func unicodeScript(s string, raised bool) (string, bool) {
	digits, minus, plus := loweredDigits, '₋', '₊'
	if raised {
		digits, minus, plus = raisedDigits, '⁻', '⁺'
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(digits[r-'0'])
		case r == '-' || r == '−':
			b.WriteRune(minus)
		case r == '+':
			b.WriteRune(plus)
		default:
			return "", false
		}
	}
	return b.String(), true
}
