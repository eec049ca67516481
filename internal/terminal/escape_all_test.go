package terminal

import (
	"strings"
	"testing"
	"unicode"
)

// No control or format character reaches a terminal, whichever it is, but those that
// letters and numbers need.
func TestNoControlCharacterReachesATerminal(t *testing.T) {
	t.Parallel()
	tried := 0
	var reached []rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) || strings.ContainsRune("\n\t\u200c\u200d", r) || unicode.Is(unicode.Prepended_Concatenation_Mark, r) {
			continue
		}
		for _, styles := range []bool{false, true} {
			for _, in := range []string{"a" + string(r) + "b", "a" + string(r) + "[31mb", "\x1b" + string(r) + "[2J", string(r) + "\x1b[K\x1b[1m"} {
				tried++
				if strings.ContainsRune(escapedText(t, styles, in), r) {
					reached = append(reached, r)
				}
			}
		}
	}
	t.Logf("escapes: %d strings with control and format characters tried, %d reach a terminal", tried, len(reached))
	if len(reached) > 0 || tried < 800 {
		t.Errorf("of %d strings %U reach", tried, reached[:min(len(reached), 40)])
	}
}
