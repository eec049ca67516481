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
func (w *writer) script(n *html.Node, raised bool) {
	inner := &writer{plain: true, room: w.room}
	inner.children(n)
	s := text.Squash(string(inner.out) + string(inner.para))
	if s == "" || isFootnote(n, s) {
		return
	}
	before := string(w.para[max(0, len(w.para)-utf8.UTFMax):])
	switch last, _ := utf8.DecodeLastRuneInString(before); {
	case raised && isNumerator(n): // 2 1⁄2, which is neither 21⁄2 nor 2^1⁄2
		if unicode.IsDigit(last) {
			s = " " + s
		}
	case !raised && (last == fractionSlash || last == '/' && isNumerator(beforeSlash(n))):
	case raised && (before == "" || unicode.IsSpace(last)) && beginsWord(n.NextSibling): // ¹⁴C
		if u, ok := unicodeScript(s, true); ok {
			s = u
		}
	default:
		s = scriptText(before, s, raised)
	}
	w.para = append(w.para, s...)
}

// beginsWord reports whether a text begins with a letter.
func beginsWord(n *html.Node) bool {
	if n == nil || n.Type != html.TextNode {
		return false
	}
	r, _ := utf8.DecodeRuneInString(n.Data)
	return unicode.IsLetter(r)
}

const fractionSlash = '⁄'

// isNumerator reports whether a raised n is the upper part of a fraction: a slash and
// a lowered element follow.
func isNumerator(n *html.Node) bool {
	if n == nil || n.DataAtom != atom.Sup || n.NextSibling == nil || n.NextSibling.Type != html.TextNode {
		return false
	}
	slash := strings.TrimSpace(n.NextSibling.Data)
	below := n.NextSibling.NextSibling
	return (slash == string(fractionSlash) || slash == "/") && below != nil && below.DataAtom == atom.Sub
}

// beforeSlash is the element before the text before n, or nil.
func beforeSlash(n *html.Node) *html.Node {
	if n.PrevSibling == nil {
		return nil
	}
	return n.PrevSibling.PrevSibling
}

// maxScript bounds the text that a style raises or lowers, in bytes: a longer one is
// no exponent or index, but a badge or a line of a layout.
const maxScript = 24

var verticalAlign = text.Pattern(`(?i)(?:^|[;\s])vertical-align\s*:\s*(super|sub)\b`)

// styledScript reports whether a class or a style of its own writes n as a superscript
// or subscript.
func styledScript(n *html.Node) (raised, lowered bool) {
	if n.DataAtom != atom.Span && n.DataAtom != atom.Font && n.DataAtom != atom.Small && n.DataAtom != atom.I && n.DataAtom != atom.B && n.DataAtom != atom.Em {
		return false, false
	}
	for _, class := range strings.Fields(strings.ToLower(attribute(n.Attr, "class"))) {
		raised = raised || class == "sup" || class == "superscript"
		lowered = lowered || class == "subscript"
	}
	if m := verticalAlign().FindStringSubmatch(attribute(n.Attr, "style")); m != nil {
		raised = strings.EqualFold(m[1], "super")
		lowered = !raised
	}
	if !raised && !lowered || len(textOf(n)) > maxScript {
		return false, false
	}
	for c := range n.Descendants() {
		if c.DataAtom == atom.Sup || c.DataAtom == atom.Sub {
			return false, false // it is raised itself
		}
	}
	return raised, lowered
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
