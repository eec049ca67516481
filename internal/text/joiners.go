package text

import (
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The joiners: zero-width characters that separate or connect the letters around them.
const (
	zwnj = 0x200C
	zwj  = 0x200D
)

func isJoiner(r rune) bool { return r == zwnj || r == zwj }

// joining are the scripts whose letters change their form with their neighbours.
func joining() []*unicode.RangeTable {
	return []*unicode.RangeTable{
		unicode.Arabic, unicode.Syriac, unicode.Mongolian, unicode.Nko, unicode.Mandaic, unicode.Phags_Pa, unicode.Manichaean,
		unicode.Psalter_Pahlavi, unicode.Hanifi_Rohingya, unicode.Sogdian, unicode.Adlam, unicode.Chorasmian,
		unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
		unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Tibetan, unicode.Myanmar, unicode.Khmer, unicode.Balinese,
		unicode.Javanese, unicode.Sundanese, unicode.Tai_Tham, unicode.Grantha, unicode.Newa, unicode.Tirhuta, unicode.Modi, unicode.Chakma,
	}
}

// virama is the combining class of the signs that join consonants.
const virama = 9

// joins reports whether a joiner behind base means something. last is the character
// before it, which is base or a mark on it; next is the one behind it.
func joins(base, last, joiner, next rune) bool {
	if joiner == zwj && isPictograph(base) && isPictograph(next) {
		return true // a family of emoji
	}
	if base < 0x0600 {
		return false // Latin, Greek, Cyrillic, Hebrew
	}
	if last != base && norm.NFC.PropertiesString(string(last)).CCC() == virama {
		return true // a half form of a consonant, also at the end of a word
	}
	for _, script := range joining() {
		if unicode.Is(script, base) {
			return unicode.Is(script, next) && unicode.In(next, unicode.L, unicode.M)
		}
	}
	return false
}

// isPictograph reports whether r may be a part of an emoji.
func isPictograph(r rune) bool {
	return r > 0x7F && r != unicode.ReplacementChar && unicode.Is(unicode.So, r) || r >= 0x1F3FB && r <= 0x1F3FF || r == 0x2194 || r == 0x2195 || r >= 0x25FB && r <= 0x25FE
}

// HasVariant reports whether base is drawn differently with the variation selector.
// next is the character behind the selector.
func HasVariant(base, selector, next rune) bool {
	switch {
	case selector >= 0xE0100:
		return unicode.Is(unicode.Unified_Ideograph, base)
	case selector == 0xFE0E || selector == 0xFE0F:
		return isPictograph(base) || isKeycap(base) && next == 0x20E3 || isEmojiPunctuation(base)
	case selector < 0xFE00:
		return unicode.Is(unicode.Mongolian, base)
	case unicode.Is(unicode.Unified_Ideograph, base):
		return selector <= 0xFE02
	case isWidePunctuation(base):
		return selector <= 0xFE01
	case unicode.Is(unicode.Egyptian_Hieroglyphs, base):
		return selector <= 0xFE06
	}
	return selector == 0xFE00 && (base == '0' || base > 0x7F && unicode.Is(unicode.Sm, base) || unicode.In(base, unicode.Myanmar, unicode.Phags_Pa, unicode.Manichaean))
}

func isKeycap(r rune) bool { return r >= '0' && r <= '9' || r == '#' || r == '*' }

// isEmojiPunctuation reports whether r is a letter or punctuation mark that is also an
// emoji.
func isEmojiPunctuation(r rune) bool {
	switch r {
	case 0x203C, 0x2049, 0x2139, 0x3030, 0x303D:
		return true
	}
	return false
}

// isWidePunctuation reports whether r is punctuation that East Asian text centres or
// puts into a corner.
func isWidePunctuation(r rune) bool {
	switch r {
	case 0x2018, 0x2019, 0x201C, 0x201D, 0x3001, 0x3002, 0xFF01, 0xFF0C, 0xFF0E, 0xFF1A, 0xFF1B, 0xFF1F:
		return true
	}
	return false
}
