package decode

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gogs/chardet"
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
	detector := chardet.NewTextDetector()
	if h.Markup {
		detector = chardet.NewHtmlDetector()
	}
	found, _ := detector.DetectAll(sample(raw)) // its only error is that it found none
	// The detector orders equals by chance.
	slices.SortStableFunc(found, func(a, b chardet.Result) int {
		return cmp.Or(cmp.Compare(b.Confidence, a.Confidence), strings.Compare(a.Charset, b.Charset))
	})
	for _, f := range found {
		c := lookup(strings.ToLower(f.Charset))
		if c.decoder == nil || f.Confidence < 10 {
			continue
		}
		if r := c.decode(raw, h.Cut); r.fits() && !hasControls(r.Text) {
			r.Guessed = true
			return r, f.Confidence
		}
	}
	r = lookup("windows-1252").decode(raw, h.Cut)
	r.Guessed = true
	return r, 0
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
