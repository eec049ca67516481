package extract

import (
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Visible returns s as valid UTF-8 without invisible characters. All text of a
// Page has this form; use Visible to enforce it on a Page from another process.
func Visible(s string) string { return visible(strings.ToValidUTF8(s, "\uFFFD")) }

// visible removes invisible characters: those that text.Clean removes, variation
// selectors, blank letters, and joiners between letters that do not join.
func visible(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	for line := range strings.Lines(s) { // the fast path: most lines are ASCII
		if isPlainASCII(line) {
			out.WriteString(line)
		} else {
			out.WriteString(visibleLine(line))
		}
	}
	return out.String()
}

func isPlainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\n' && c != '\t') || c > '~' {
			return false
		}
	}
	return true
}

// visibleLine is visible for one line.
func visibleLine(s string) string {
	s, _ = text.Clean(s)
	var before rune
	return strings.Map(func(r rune) rune {
		joiner := r == 0x200C || r == 0x200D
		switch {
		case r >= 0xFE00 && r <= 0xFE0F, text.IsBlank(r):
			return -1
		case joiner && before < 0x0600: // after Latin, Greek or Cyrillic letters, or after another joiner
			return -1
		}
		before = r
		if joiner {
			before = 0
		}
		return r
	}, s)
}
