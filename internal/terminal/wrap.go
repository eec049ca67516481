package terminal

import (
	"strings"
	"unicode"

	"github.com/clipperhouse/displaywidth"
)

// span is a piece of a line in one style, without line breaks.
type span struct {
	text string
	as   style
}

// word is what no line break may divide.
type word struct {
	spans  []span
	width  int
	spaced bool // a space is before it, unless it begins a line
}

// Wrap breaks a paragraph at its spaces into lines that fit the screen. The first line
// begins with first, all others with rest. A word that is wider than the screen, such as
// an address, gets a line of its own. Texts without spaces, as in Chinese and Japanese,
// are broken between characters.
func (s Screen) Wrap(text, first, rest string) string {
	return s.fill([]span{{text: strings.ToValidUTF8(text, "\uFFFD")}}, first, rest)
}

// Paragraphs is Wrap for each line of text. An empty line stays empty.
func (s Screen) Paragraphs(text, indent string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if lines[i] = ""; strings.TrimSpace(line) != "" {
			lines[i] = s.Wrap(line, indent, indent)
		}
	}
	return strings.Join(lines, "\n")
}

// fill is Wrap for text with styles.
func (s Screen) fill(spans []span, first, rest string) string {
	var out strings.Builder
	out.WriteString(first)
	used, empty := Columns(first), true
	for _, w := range words(spans) {
		gap := 0
		if w.spaced && !empty {
			gap = 1
		}
		if s.Width > 0 && !empty && used+gap+w.width > s.Width {
			out.WriteString("\n" + rest)
			used, gap = Columns(rest), 0
		}
		if gap == 1 {
			out.WriteByte(' ')
		}
		for _, sp := range w.spans {
			out.WriteString(s.show(sp.text, sp.as))
		}
		used, empty = used+gap+w.width, false
	}
	return out.String()
}

// words divides spans at spaces, and behind wide characters.
func words(spans []span) []word {
	var out []word
	var w word
	flush := func(spaced bool) {
		if len(w.spans) > 0 {
			out = append(out, w)
			w = word{}
		}
		w.spaced = w.spaced || spaced
	}
	wide := false // the last character was wide: a line may end behind it
	for _, sp := range spans {
		for g := displaywidth.StringGraphemes(sp.text); g.Next(); {
			r := []rune(g.Value())[0]
			switch {
			case unicode.IsSpace(r) && r != '\u00a0':
				flush(true)
				wide = false
				continue
			case !closes(r) && (wide || g.Width() == 2 && len(w.spans) > 0 && !opened(w)):
				flush(false)
			}
			wide = g.Width() == 2 && !opens(r)
			w.add(g.Value(), sp.as, g.Width())
		}
	}
	flush(false)
	return out
}

// add appends a character.
func (w *word) add(text string, as style, width int) {
	w.width += width
	if last := len(w.spans) - 1; last >= 0 && w.spans[last].as == as {
		w.spans[last].text += text
		return
	}
	w.spans = append(w.spans, span{text, as})
}

// closes reports whether no line may begin with r, opens whether none may end with it.
func closes(r rune) bool {
	return unicode.In(r, unicode.Pe, unicode.Pf, unicode.Po, unicode.Mn) || r == 'ー'
}
func opens(r rune) bool { return unicode.In(r, unicode.Ps, unicode.Pi) }

// opened reports whether a word ends with an opening bracket.
func opened(w word) bool {
	last := []rune(w.spans[len(w.spans)-1].text)
	return opens(last[len(last)-1])
}
