package decode

import (
	"bytes"
	"encoding/binary"
	"strings"
	stdunicode "unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
	utf32enc "golang.org/x/text/encoding/unicode/utf32"
)

// decodeUTF16 decodes UTF-16 without its byte order mark. An incomplete last unit is dropped
// if the bytes were cut.
func decodeUTF16(raw []byte, name string, cut bool) Result {
	order := unicode.LittleEndian
	if name == "utf-16be" {
		order = unicode.BigEndian
	}
	if cut {
		raw = raw[:len(raw)&^1]
	}
	return convert(unicode.UTF16(order, unicode.IgnoreBOM).NewDecoder(), name, raw, cut)
}

func decodeUTF32(raw []byte, bigEndian bool) Result {
	order, name := utf32enc.LittleEndian, "utf-32le"
	if bigEndian {
		order, name = utf32enc.BigEndian, "utf-32be"
	}
	return convert(utf32enc.UTF32(order, utf32enc.IgnoreBOM).NewDecoder(), name, raw, true)
}

// unmarkedUTF16 returns the name of the UTF-16 form in which the bytes are mostly ASCII,
// or a text of another script with some ASCII, or "".
func unmarkedUTF16(raw []byte) string {
	raw = raw[:min(len(raw), 4096)&^1]
	if len(raw) < 4 || bytes.IndexByte(raw, 0) < 0 {
		return ""
	}
	little, big := 0, 0
	for i := 0; i < len(raw); i += 2 {
		switch a, b := raw[i], raw[i+1]; {
		case b == 0 && isTextByte(a):
			little++
		case a == 0 && isTextByte(b):
			big++
		}
	}
	switch most := len(raw) / 2 * 3 / 5; {
	case little > most && big == 0:
		return "utf-16le"
	case big > most && little == 0:
		return "utf-16be"
	case little > 8*big && isScriptInUTF16(raw, "utf-16le", little): // U+3000 looks like ASCII of the other form
		return "utf-16le"
	case big > 8*little && isScriptInUTF16(raw, "utf-16be", big):
		return "utf-16be"
	}
	return ""
}

// unmarkedUTF32 returns the name of the UTF-32 form in which all of raw are characters, or
// "". Three of four bytes tell it from anything else.
func unmarkedUTF32(raw []byte, cut bool) string {
	if len(raw)%4 != 0 && !cut || len(raw) < 4*minUTF32 {
		return ""
	}
	for name, order := range map[string]binary.ByteOrder{"utf-32le": binary.LittleEndian, "utf-32be": binary.BigEndian} {
		isText := func(unit []byte) bool {
			c := order.Uint32(unit)
			return c != 0 && c <= stdunicode.MaxRune && (stdunicode.IsGraphic(rune(c)) || stdunicode.IsSpace(rune(c)) || stdunicode.Is(stdunicode.Cf, rune(c)))
		}
		n := min(len(raw), 4096) / 4
		for n > 0 && isText(raw[4*n-4:4*n]) {
			n--
		}
		if n == 0 {
			return name
		}
	}
	return ""
}

// minUTF32 is how many characters tell UTF-32 without a mark from data.
const minUTF32 = 4

// unmarkedScript returns the name of the UTF-16 form in which the bytes are a text of one
// script without any ASCII, or "". Nearly all characters have the same upper byte, which
// no other text has so often; or the bytes are no UTF-8, and the characters are sentences
// of Chinese or Japanese.
func unmarkedScript(raw []byte) string {
	raw = raw[:min(len(raw), 4096)&^1]
	if len(raw) < 2*minUnits {
		return ""
	}
	valid := utf8.Valid(withoutPartialRune(raw))
	for i, name := range []string{"utf-16be", "utf-16le"} {
		counts, most := map[byte]int{}, byte(0)
		for j := i; j < len(raw); j += 2 {
			if counts[raw[j]]++; counts[raw[j]] > counts[most] {
				most = raw[j]
			}
		}
		r := decodeUTF16(raw, name, true)
		same := most >= 0x02 && most < 0x20 && bytes.IndexByte([]byte("\t\n\r"), most) < 0 && counts[most]*10 >= len(raw)/2*7
		if (same || !valid && strings.ContainsAny(r.Text, "。，、")) && isWholeText(r) {
			return name
		}
	}
	return ""
}

// isWholeText reports whether all characters are of a text, and nearly all of them letters.
func isWholeText(r Result) bool {
	all, letters := 0, 0
	for _, c := range r.Text {
		all++
		switch {
		case stdunicode.In(c, stdunicode.Letter, stdunicode.Mn, stdunicode.Mc, stdunicode.Nd):
			letters++
		case !stdunicode.IsGraphic(c) && !stdunicode.IsSpace(c):
			return false
		}
	}
	return r.Replaced == 0 && letters*10 >= all*7
}

// minUnits is how many UTF-16 units without a mark tell a text from data.
const minUnits = 24

// isScriptInUTF16 reports whether raw is a text in a form of UTF-16 in which ascii of
// its units are ASCII, which no text is without: spaces, digits, markup.
func isScriptInUTF16(raw []byte, name string, ascii int) bool {
	units := len(raw) / 2
	if units < minUnits || ascii*20 < units {
		return false
	}
	r := decodeUTF16(raw, name, true)
	return r.Replaced == 0 && strings.ContainsAny(r.Text, " \n<") && !strings.ContainsFunc(r.Text, func(c rune) bool {
		return !stdunicode.IsGraphic(c) && !stdunicode.IsSpace(c) && !stdunicode.Is(stdunicode.Cf, c)
	})
}

func isTextByte(c byte) bool { return c >= ' ' && c < 0x7F || c == '\n' || c == '\r' || c == '\t' }
