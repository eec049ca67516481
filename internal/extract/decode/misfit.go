package decode

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Shares of the characters outside of ASCII that fit no text, in percent.
const (
	badFit  = 10 // from which other encodings than those that the detector knows are tried
	minThai = 12 // bytes outside of ASCII from which a text is known for Thai
)

// undetected are the encodings that the detector has no statistics of, beside those with
// which it confuses them.
var undetected = []string{
	"ibm866", "x-mac-cyrillic", "windows-1257", "ibm852", "ibm850", "macintosh", "windows-1250", "iso-8859-2", "windows-1254", "windows-1252",
}

// alphabets are the letters outside of ASCII of languages in Latin script. A text in a
// wrong encoding has letters of several.
var alphabets = []string{
	"äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúüïçàèò", "áâãàçéêíóôõúü", "àèéìíîòóù", "éëïóöüèêáí", "åäöéæøòôü", "åäöõšžü", "áðéíóúýþæö",
	"ąćęłńóśźż", "áčďéěíňóřšťúůý" + "žäĺľŕô", "áéíóöőúüű", "ăâîșțşţ", "čćđšž", "ąčęėįšųūž", "āčēģīķļņšūž", "çğıöşüâîûi̇", "çë", "ċġħż",
}

// misfit is the percentage of the characters outside of ASCII in s that no text has
// where they are: letters of no common alphabet, capitals behind small letters, signs
// within words, words in two scripts.
func misfit(s string) int {
	foreign, bad := 0, 0
	latin := map[rune]int{}
	previous := ' '
	for i, r := range s {
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		isForeign := r >= utf8.RuneSelf
		if isForeign {
			foreign++
		}
		switch {
		case strings.ContainsRune("µªº", r): // signs that Unicode counts as letters
			r = ' '
		case unicode.IsLetter(r):
			if isForeign && unicode.Is(unicode.Latin, r) {
				latin[unicode.ToLower(r)]++
			}
			between := unicode.IsLetter(previous) && (isForeign || previous >= utf8.RuneSelf)
			if between && (unicode.IsUpper(r) && unicode.IsLower(previous) || unicode.Is(unicode.Latin, r) != unicode.Is(unicode.Latin, previous)) {
				bad++
			}
		case isForeign && (isOddSign(r) || unicode.IsLetter(previous) && unicode.IsLetter(next) && !strings.ContainsRune("’‘·\u00ad‐", r) && !unicode.Is(unicode.M, r)):
			bad++
		}
		previous = r
	}
	return 100 * (bad + strangers(latin)) / max(foreign, 1)
}

// isOddSign reports whether prose has no use for r.
func isOddSign(r rune) bool {
	return r == utf8.RuneError || r < 0xA0 || strings.ContainsRune("¤¦¨¬¯´¸ˇ˘˙˛˝", r) || r >= 0x2500 && r < 0x25A0
}

// strangers is how many of the letters are outside of the alphabet that has most of them.
func strangers(latin map[rune]int) int {
	all, most := 0, 0
	for _, n := range latin {
		all += n
	}
	for _, a := range alphabets {
		n := 0
		for _, r := range a {
			n += latin[r]
		}
		most = max(most, n)
	}
	return all - most
}

// betterFit decodes raw in an encoding that the detector does not know, if r, its
// guess, fits no text and that one does.
func betterFit(r Result, raw []byte, h Hints) (Result, bool) {
	if thai, ok := asThai(raw, h); ok {
		return thai, true
	}
	least := misfit(sampleText(r.Text))
	if mac, ok := plausible("x-mac-cyrillic", raw, h); ok && r.Charset == "windows-1251" && least > 0 && misfit(sampleText(mac.Text)) == 0 {
		return mac, true // all small letters but one are the same
	}
	if r.Replaced > 0 {
		least = max(least, badFit)
	}
	if least < badFit {
		return r, false
	}
	limit, found := least/2, false
	for _, name := range undetected {
		other, ok := plausible(name, raw, h)
		if !ok {
			continue
		}
		if m := misfit(sampleText(other.Text)); m <= limit && m < least && m < badFit {
			r, least, found = other, m, true
		}
	}
	return r, found
}

// sampleText is the beginning of s that is compared, from its first character outside
// of ASCII.
func sampleText(s string) string {
	start := max(strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }), 0)
	s = s[start:min(len(s), start+maxSample)]
	return strings.ToValidUTF8(s, "")
}

// asThai decodes raw in Windows-874 if its letters are where Thai has them: vowels and
// tones behind a consonant, vowels that are written first before one, digits apart. The
// bytes of other encodings are not.
func asThai(raw []byte, h Hints) (Result, bool) {
	r, ok := plausible("windows-874", raw, h)
	if !ok {
		return r, false
	}
	letters, vowels, wrong, first := 0, 0, 0, false
	previous := ' '
	for _, c := range sampleText(r.Text) {
		isConsonant, isLetter := c >= 'ก' && c <= 'ฮ', c >= 'ก' && c <= '\u0E4E' && c != 'ฯ' && c != '฿'
		switch {
		case c < utf8.RuneSelf:
		case !isLetter && unicode.Is(unicode.Thai, previous) && !unicode.IsDigit(c),
			!isLetter && !unicode.Is(unicode.Thai, c),
			unicode.IsDigit(previous) && isLetter && previous >= utf8.RuneSelf,
			unicode.IsDigit(c) && unicode.IsLetter(previous) && previous >= utf8.RuneSelf,
			first && !isConsonant, c == 'ฃ', c == 'ฅ',
			unicode.Is(unicode.Mn, c) && !unicode.Is(unicode.Mn, previous) && (previous < 'ก' || previous > 'ฮ'):
			wrong++
		}
		if isLetter {
			letters++
			if !isConsonant {
				vowels++
			}
		}
		first = c >= 'เ' && c <= 'ไ'
		previous = c
	}
	return r, letters >= minThai && wrong*25 <= letters && vowels*5 >= letters && vowels*5 <= 3*letters
}
