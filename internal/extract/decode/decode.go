// Package decode turns bytes of any character encoding into UTF-8. Pages, files and
// feeds are all decoded here, so that each reads the same text from the same bytes.
package decode

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
)

// Hints are what is known about the bytes besides themselves.
type Hints struct {
	ContentType string // the HTTP header; "" if there is none
	Markup      bool   // the bytes are HTML: a <meta> element may name the encoding
	XML         bool   // the bytes are XML, which is UTF-8 unless it says otherwise
	Cut         bool   // the bytes are only the beginning: the last character may be incomplete
	NoGuess     bool   // what is declared is not compared with a guess, which takes up to a few milliseconds
}

// Result is decoded text.
type Result struct {
	Text     string // valid UTF-8 without a byte order mark
	Charset  string // its name in the WHATWG Encoding Standard, such as "windows-1251"
	Guessed  bool   // Charset follows from the frequency of the bytes, not from a declaration
	Declared string // the declaration that does not fit the bytes, if there is one; else ""
	Replaced int    // places where the bytes are no character; Text has U+FFFD there
}

// Warnings are sentences for a person about what may be wrong in the text.
func (r Result) Warnings() []string {
	var out []string
	switch {
	case r.Guessed && r.Declared != "":
		out = append(out, fmt.Sprintf("the declared character encoding %s does not fit the bytes: %s was guessed", r.Declared, r.Charset))
	case r.Guessed:
		out = append(out, fmt.Sprintf("no character encoding is declared: %s was guessed", r.Charset))
	}
	switch {
	case r.Replaced == 1:
		out = append(out, fmt.Sprintf("1 byte sequence was not valid %s and was replaced by U+FFFD", r.Charset))
	case r.Replaced > 1:
		out = append(out, fmt.Sprintf("%d byte sequences were not valid %s and were replaced by U+FFFD", r.Replaced, r.Charset))
	}
	return out
}

// Bytes decodes raw. The encoding is that of the byte order mark; UTF-8 if the bytes
// are valid UTF-8, whatever is declared; else the first declaration that fits: of the
// header, the XML declaration, the <meta> element. Latin-1 is a default of servers, so
// that a header with it counts less than any other declaration. What is not declared,
// or declared wrongly, is guessed.
func Bytes(raw []byte, h Hints) Result {
	if r, ok := byMark(raw, h.Cut); ok {
		return r
	}
	if name := unmarkedUTF16(raw); name != "" {
		r := decodeUTF16(raw, name, h.Cut)
		r.Guessed = !declares(declarations(raw, h), "utf-16")
		return r
	}
	if name := unmarkedUTF32(raw, h.Cut); name != "" {
		r := decodeUTF32(raw, name == "utf-32be")
		r.Guessed = !declares(declarations(raw, h), "utf-32")
		return r
	}
	if name := unmarkedScript(raw); name != "" && !h.NoGuess {
		r := decodeUTF16(raw, name, h.Cut)
		r.Guessed = !declares(declarations(raw, h), "utf-16")
		return r
	}
	whole := raw
	if h.Cut {
		whole = withoutPartialRune(raw)
	}
	if utf8.Valid(whole) && !hasEscapes(raw) {
		if r, ok := bySevenBits(raw, h); ok {
			return r
		}
		return Result{Text: string(whole), Charset: "utf-8"}
	}
	return legacy(raw, whole, h)
}

// bySevenBits decodes ASCII bytes in an encoding that is declared and has no others.
func bySevenBits(raw []byte, h Hints) (Result, bool) {
	if !bytes.ContainsAny(raw, "~+\x0e") || slices.ContainsFunc(raw, func(c byte) bool { return c >= utf8.RuneSelf }) {
		return Result{}, false
	}
	for _, c := range declarations(raw, h) {
		if sevenBit(c.name) {
			r := c.decode(raw, h.Cut)
			return r, r.fits()
		}
	}
	return Result{}, false
}

// MediaType is http.DetectContentType for text in UTF-16 and UTF-32, too, and for text
// with a few control characters among many others.
func MediaType(raw []byte) string {
	head := raw[:min(len(raw), 2048)]
	if r, ok := byMark(head, true); ok {
		head = []byte(r.Text)
	} else if name := unmarkedUTF16(raw); name != "" {
		head = []byte(decodeUTF16(head, name, true).Text)
	}
	if name := unmarkedUTF32(head, true); name != "" {
		head = []byte(decodeUTF32(head, name == "utf-32be").Text)
	} else if name := unmarkedScript(head); name != "" {
		head = []byte(decodeUTF16(head, name, true).Text)
	}
	kind := http.DetectContentType(head)
	if kind != "application/octet-stream" {
		return kind
	}
	printed := slices.DeleteFunc(slices.Clone(head), func(c byte) bool {
		return c < ' ' && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1B
	})
	if (len(head)-len(printed))*perControl > len(head) {
		return kind
	}
	return http.DetectContentType(printed)
}

// perControl is how many bytes of a text there are at least for each control character
// that no text has.
const perControl = 20

// byMark decodes bytes that begin with a byte order mark.
func byMark(raw []byte, cut bool) (Result, bool) {
	switch {
	case bytes.HasPrefix(raw, []byte("\xEF\xBB\xBF")):
		raw = raw[3:]
		if cut {
			raw = withoutPartialRune(raw)
		}
		return lossyUTF8(raw), true
	case bytes.HasPrefix(raw, []byte("\xFF\xFE\x00\x00")) && len(raw)%4 == 0:
		return decodeUTF32(raw[4:], false), true
	case bytes.HasPrefix(raw, []byte("\x00\x00\xFE\xFF")):
		return decodeUTF32(raw[4:], true), true
	case bytes.HasPrefix(raw, []byte("\xFF\xFE")):
		return decodeUTF16(raw[2:], "utf-16le", cut), true
	case bytes.HasPrefix(raw, []byte("\xFE\xFF")):
		return decodeUTF16(raw[2:], "utf-16be", cut), true
	}
	return Result{}, false
}

// Shares of bytes that decide between a declaration and what the bytes look like.
const (
	fewBad    = 3  // sequences that are no UTF-8 in what is declared as UTF-8
	perBad    = 20 // characters for each sequence that does not fit a legacy encoding
	sureGuess = 30 // confidence of a guess against a declaration of Latin-1, 0 to 100
	sureShare = 40 // percentage of letters that are not ASCII, with sureGuess
)

// legacy decodes what is not valid UTF-8. whole is raw without an incomplete last
// character.
func legacy(raw, whole []byte, h Hints) Result {
	declared := declarations(raw, h)
	if r, ok := wide(raw, declared, h); ok {
		return r
	}
	good, bad := sequences(whole)
	if bad > 0 && good >= 4*bad {
		return lossyUTF8(whole)
	}
	var weak, wrong *declaration
	for _, c := range declared {
		switch {
		case c.name == "utf-8" && (good >= bad || bad <= fewBad):
			return lossyUTF8(whole)
		case c.name == "windows-1252" && weak == nil:
			weak = &c
		case c.decoder != nil:
			if r := c.decode(raw, h.Cut); r.fits() {
				return r
			}
			fallthrough
		default:
			if wrong == nil {
				wrong = &c
			}
		}
	}
	if len(declared) == 0 && good > bad {
		return lossyUTF8(whole)
	}
	if h.NoGuess && weak != nil {
		return weak.decode(raw, h.Cut)
	}
	if h.NoGuess {
		return lossyUTF8(whole)
	}
	guessed, confidence := guess(raw, h)
	switch {
	case weak != nil && (confidence < sureGuess || foreignShare(raw) < sureShare):
		return weak.decode(raw, h.Cut)
	case weak != nil:
		guessed.Declared = weak.label
	case wrong != nil && confidence < sureGuess && wrong.decoder != nil:
		return wrong.decode(raw, h.Cut)
	case wrong != nil:
		guessed.Declared = wrong.label
	}
	return guessed
}

// wide decodes UTF-16 without a mark and without any ASCII.
func wide(raw []byte, declared []declaration, h Hints) (Result, bool) {
	for _, c := range declared {
		if !strings.HasPrefix(c.name, "utf-16") {
			continue
		}
		for _, name := range []string{c.name, "utf-16be"} {
			if r := decodeUTF16(raw, name, h.Cut); isWholeText(r) {
				return r, true
			}
		}
	}
	return Result{}, false
}

// fits reports whether nearly all of the bytes are characters.
func (r Result) fits() bool { return r.Replaced*perBad <= utf8.RuneCountInString(r.Text) }

// lossyUTF8 returns raw with each byte that is not part of a UTF-8 sequence replaced by U+FFFD.
func lossyUTF8(raw []byte) Result {
	r := Result{Charset: "utf-8"}
	var out strings.Builder
	out.Grow(len(raw))
	for len(raw) > 0 {
		c, n := utf8.DecodeRune(raw)
		if c == utf8.RuneError && n == 1 {
			r.Replaced++
		}
		out.WriteRune(c)
		raw = raw[n:]
	}
	r.Text = out.String()
	return r
}

// sequences counts the characters of several bytes, and the bytes that are no UTF-8.
func sequences(raw []byte) (good, bad int) {
	for len(raw) > 0 {
		c, n := utf8.DecodeRune(raw)
		switch {
		case c == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		raw = raw[n:]
	}
	return good, bad
}

// foreignShare is the percentage of letters whose byte is not ASCII.
func foreignShare(raw []byte) int {
	letters, foreign := 0, 0
	for _, c := range raw {
		switch {
		case c >= utf8.RuneSelf:
			foreign++
			letters++
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			letters++
		}
	}
	return 100 * foreign / max(letters, 1)
}

// withoutPartialRune returns raw without the beginning of a character at its end.
func withoutPartialRune(raw []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(raw); i++ {
		if utf8.RuneStart(raw[len(raw)-i]) {
			if !utf8.FullRune(raw[len(raw)-i:]) {
				return raw[:len(raw)-i]
			}
			break
		}
	}
	return raw
}

// convert decodes raw with d, and counts the replaced characters.
func convert(d *encoding.Decoder, name string, raw []byte, cut bool) Result {
	out, err := d.Bytes(raw)
	if err != nil { // a decoder replaces what it cannot read; this is for one that does not
		out = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	if cut {
		out = bytes.TrimSuffix(out, []byte("\uFFFD"))
	}
	return Result{Text: string(out), Charset: name, Replaced: bytes.Count(out, []byte("\uFFFD"))}
}

// declares reports whether one of the declarations has a name that begins with prefix.
func declares(declared []declaration, prefix string) bool {
	return slices.ContainsFunc(declared, func(c declaration) bool { return strings.HasPrefix(c.name, prefix) })
}
