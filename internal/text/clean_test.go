package text

import (
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCleanOfInvisibleCharacters(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"soft hyphen":                      {"hy\u00adphen", "hyphen"},
		"grapheme joiner":                  {"a\u034fb", "ab"},
		"Hangul fillers":                   {"a\u3164\u115f\u1160\uffa0b", "ab"},
		"Khmer vowels that are not drawn":  {"ក\u17b4\u17b5ខ", "កខ"},
		"tags behind a flag":               {"🏴\U000E0067\U000E0062\U000E007F", "🏴"},
		"reserved ignorable code points":   {"a\u2065\ufff0\U000E0FFFb", "ab"},
		"noncharacters":                    {"a\uFDD0\uFFFE\U0001FFFFb", "ab"},
		"annotation marks":                 {"a\uFFF9b\uFFFAc\uFFFB", "abc"},
		"a blank Braille cell is a space":  {"⠓⠊\u2800⠞", "⠓⠊ ⠞"},
		"line and paragraph separators":    {"a\u2028b\u2029c", "a\nb\nc"},
		"a sign over Arabic numbers stays": {"\u0600١٢", "\u0600١٢"},

		"joiners in Latin":                 {"a\u200cb\u200dc", "abc"},
		"a joiner in Persian":              {"می\u200cخواهم", "می\u200cخواهم"},
		"a joiner behind a vowel mark":     {"کِ\u200cتاب", "کِ\u200cتاب"},
		"a joiner before Latin":            {"م\u200ca", "مa"},
		"a joiner at a word's end":         {"می\u200c خواهم", "می خواهم"},
		"a run of joiners":                 {"می\u200c\u200d\u200cخ", "می\u200cخ"},
		"joiners with a space of no width": {"می\u200c\u200bخ", "می\u200cخ"},
		"half forms in Hindi":              {"क्\u200dष", "क्\u200dष"},
		"eyelash ra in Marathi":            {"र\u200dया", "र\u200dया"},
		"Malayalam chillu at a word's end": {"അവന്\u200d വ", "അവന്\u200d വ"},
		"Sinhala":                          {"ශ්\u200dරී", "ශ්\u200dරී"},
		"joiners between digits":           {"1\u200d0", "10"},
		"a family":                         {"👩\u200d👩\u200d👧", "👩\u200d👩\u200d👧"},
		"a heart on fire":                  {"❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"},
		"a profession with a skin tone":    {"👩🏽\u200d🔬", "👩🏽\u200d🔬"},
		"a joiner behind an emoji":         {"👩\u200d word", "👩 word"},

		"a selector in Latin":            {"a\ufe0fb\U000E0100", "ab"},
		"a message in selectors":         {"😀\ufe0f\ufe01\ufe02\U000E0120\U000E0130", "😀\ufe0f"},
		"a message without a base":       {"\ufe00\ufe01\ufe0f", ""},
		"an ideograph's variant":         {"葛\U000E0100城市", "葛\U000E0100城市"},
		"two selectors on an ideograph":  {"葛\U000E0100\U000E0101城", "葛\U000E0100城"},
		"a keycap":                       {"1\ufe0f\u20e3", "1\ufe0f\u20e3"},
		"a digit with an emoji selector": {"1\ufe0f2", "12"},
		"text style":                     {"☎\ufe0e", "☎\ufe0e"},
		"a slashed zero":                 {"0\ufe00", "0\ufe00"},
		"Mongolian":                      {"ᠠ\u180b", "ᠠ\u180b"},
	} {
		got, changed := Clean(c.in)
		if got != c.want || changed != (got != c.in) {
			t.Errorf("%s: Clean(%+q) = %+q, %v, want %+q", name, c.in, got, changed, c.want)
		}
	}
}

// A variant of an ideograph is found by the ideograph.
func TestVariantsAreOneWord(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{{"葛\U000E0100城", "葛城"}, {"می\u200cخواهم", "می\u200cخواهم"}} {
		a, b := Terms(pair[0]), Terms(pair[1])
		if len(a) == 0 || len(a) != len(b) || a[0] != b[0] {
			t.Errorf("Terms(%+q) = %+q, Terms(%+q) = %+q", pair[0], a, pair[1], b)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\u200b👩\u200d🔬می\u200cخ\ufe0f\r\n\x00\xff")
	f.Add("葛\U000E0100\U000E0101क्\u200dष1\ufe0f\u20e3")
	f.Add("\x91\xa9\u200d\r\xa0")
	f.Add("👩\u200d\u2028🔬क्\u200d\x85ष")
	f.Fuzz(func(t *testing.T, s string) {
		got, changed := Clean(s)
		if !utf8.ValidString(got) || changed != (got != s) {
			t.Fatalf("Clean(%q) = %q, %v", s, got, changed)
		}
		if again, changed := Clean(got); changed {
			t.Fatalf("Clean(%+q) = %+q, and that of it %+q", s, got, again)
		}
		for _, r := range got {
			if unicode.Is(unicode.Noncharacter_Code_Point, r) || r == 0x200B || r == '\r' {
				t.Fatalf("Clean(%+q) = %+q", s, got)
			}
		}
	})
}
