package decode

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gogs/chardet"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of what a guess reads.
const (
	maxSample = 64 << 10 // bytes
	// minForeign is how many bytes outside of ASCII the detector needs: its confidence
	// in an encoding of several bytes is low below ten characters, whatever they are.
	minForeign = 96
)

// hasEscapes reports whether 7-bit text has the escape sequences of ISO-2022-JP, which
// are valid UTF-8.
func hasEscapes(raw []byte) bool {
	return bytes.Contains(raw, []byte("\x1b$")) && !slices.ContainsFunc(raw, func(c byte) bool { return c >= utf8.RuneSelf })
}

// guess decodes raw in the encoding that its bytes look like, and Windows-1252 if they
// look like none, as browsers do. confidence is 0 to 100.
func guess(raw []byte, h Hints) (r Result, confidence int) {
	r, confidence = detect(raw, h)
	if hasEscapes(raw) {
		return r, confidence
	}
	if better, ok := betterFit(r, raw, h); ok {
		return better, sureLanguage
	}
	return r, confidence
}

// detect is guess among the encodings of which the detector has statistics.
func detect(raw []byte, h Hints) (r Result, confidence int) {
	detector := chardet.NewTextDetector()
	if h.Markup {
		detector = chardet.NewHtmlDetector()
	}
	found, _ := detector.DetectAll(sample(raw)) // its only error is that it found none
	// The detector orders equals by chance.
	slices.SortStableFunc(found, func(a, b chardet.Result) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), strings.Compare(a.Charset, b.Charset))
	})
	language := ""
	if h.Markup {
		language = languageCharset(raw)
	}
	for _, f := range found {
		if f.Confidence < sureLanguage && language != "" {
			break
		}
		if r, ok := plausible(strings.ToLower(f.Charset), raw, h); ok && f.Confidence >= 10 {
			return r, f.Confidence
		}
	}
	if r, ok := plausible(language, raw, h); ok {
		return r, sureLanguage
	}
	r = lookup("windows-1252").decode(raw, h.Cut)
	r.Guessed = true
	return r, 0
}

// plausible decodes raw, and reports whether the result may be a text.
func plausible(name string, raw []byte, h Hints) (Result, bool) {
	if name == "koi8-r" && slices.ContainsFunc(raw, func(c byte) bool { return strings.IndexByte("\xA4\xA6\xA7\xAD\xB4\xB6\xB7\xBD", c) >= 0 }) {
		name = "koi8-u" // its Ukrainian letters are box drawings in KOI8-R
	}
	c := lookup(name)
	if c.decoder == nil {
		return Result{}, false
	}
	r := c.decode(raw, h.Cut)
	r.Guessed = true
	return r, r.fits() && !hasControls(r.Text)
}

// sureLanguage is the confidence of the detector that counts more than the language
// of the page.
const sureLanguage = 60

// languageCharsets are the encodings that pages without a declaration in a language
// mostly have, as in the WHATWG HTML standard.
var languageCharsets = map[string]string{
	"ar": "windows-1256", "be": "windows-1251", "bg": "windows-1251", "cs": "windows-1250", "el": "iso-8859-7", "et": "windows-1257",
	"fa": "windows-1256", "he": "windows-1255", "hr": "windows-1250", "hu": "iso-8859-2", "ja": "shift_jis", "ko": "euc-kr",
	"lt": "windows-1257", "lv": "windows-1257", "mk": "windows-1251", "pl": "iso-8859-2", "ru": "windows-1251", "sk": "windows-1250",
	"sl": "iso-8859-2", "sr": "windows-1251", "th": "windows-874", "tr": "windows-1254", "uk": "windows-1251", "vi": "windows-1258",
	"zh": "gbk", "zh-tw": "big5", "zh-hk": "big5", "zh-hant": "big5",
}

var pageLanguage = text.Pattern(`(?i)<html\s[^>]*?\b(?:xml:)?lang\s*=\s*["']?([a-z]{2}(?:-[a-z]+)?)`)

// languageCharset is the usual encoding of the language that a page declares, or "".
func languageCharset(raw []byte) string {
	m := pageLanguage().FindSubmatch(raw[:min(len(raw), 4096)])
	if m == nil {
		return ""
	}
	language := strings.ToLower(string(m[1]))
	primary, _, _ := strings.Cut(language, "-")
	return cmp.Or(languageCharsets[language], languageCharsets[primary])
}

// sample is the part of raw with its first bytes outside of ASCII. A short text is
// repeated, so that the detector has enough of it.
func sample(raw []byte) []byte {
	if hasEscapes(raw) {
		return raw[:min(len(raw), maxSample)]
	}
	isForeign := func(c byte) bool { return c >= utf8.RuneSelf }
	// The sample begins after an ASCII byte that is no second byte of a character.
	start := max(slices.IndexFunc(raw, isForeign)-64, 0)
	raw = raw[start:min(len(raw), start+maxSample)]
	foreign := 0
	for _, c := range raw {
		if isForeign(c) {
			foreign++
		}
	}
	if foreign == 0 || foreign >= minForeign {
		return raw
	}
	return bytes.Repeat(append(slices.Clone(raw), '\n'), min(minForeign/foreign+1, maxSample/(len(raw)+1)+1))
}

// hasControls reports whether s has control characters that no text has. They show
// that the encoding is another.
func hasControls(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 && r < 0xA0 && r != 0x85 })
}
