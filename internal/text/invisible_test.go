package text

import (
	"strings"
	"testing"
	"unicode"
)

// Between Latin letters no character without a glyph passes, whichever it is.
func TestNoInvisibleCharacterPasses(t *testing.T) {
	t.Parallel()
	tried := 0
	var passed []rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		noncharacter := r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef
		invisible := unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
		hieroglyphs := r >= 0x13430 && r <= 0x1343f // how they are joined
		if r == '\n' || r == '\t' || hieroglyphs || unicode.Is(unicode.Prepended_Concatenation_Mark, r) || !invisible && !noncharacter {
			continue // white space, and signs that are drawn
		}
		tried++
		if got, _ := Clean("a" + string(r) + "b"); strings.ContainsRune(got, r) {
			passed = append(passed, r)
		}
	}
	t.Logf("invisible characters: %d tried, %d reach a text", tried, len(passed))
	if len(passed) > 0 || tried < 4000 {
		t.Errorf("of %d characters %U pass", tried, passed[:min(len(passed), 40)])
	}
}
