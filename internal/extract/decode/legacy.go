package decode

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	kr "golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// own is an encoding that golang.org/x/text lacks. It only decodes.
type own func(raw []byte) []byte

// NewDecoder implements encoding.Encoding.
func (o own) NewDecoder() *encoding.Decoder { return &encoding.Decoder{Transformer: o} }

// NewEncoder implements encoding.Encoding: nothing is encoded.
func (own) NewEncoder() *encoding.Encoder { return encoding.Replacement.NewEncoder() }

// Reset implements transform.Transformer.
func (own) Reset() {}

// Transform implements transform.Transformer for a whole text.
func (o own) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	if !atEOF {
		return 0, 0, transform.ErrShortSrc
	}
	out := o(src)
	if len(out) > len(dst) {
		return 0, 0, transform.ErrShortDst
	}
	return copy(dst, out), len(src), nil
}

// ownEncoding finds an encoding that golang.org/x/text lacks, and its name; nil if there
// is none of that label.
func ownEncoding(label string) (name string, enc encoding.Encoding) {
	key := strings.NewReplacer("-", "", "_", "", " ", "", ":", "").Replace(strings.TrimPrefix(label, "x-"))
	switch key {
	case "utf7", "unicode11utf7", "csutf7":
		return "utf-7", own(utf7)
	case "iso2022kr", "csiso2022kr":
		return "iso-2022-kr", own(shifted)
	case "iso2022cn", "iso2022cnext":
		return "iso-2022-cn", own(shifted)
	case "hzgb2312", "hz":
		return "hz-gb-2312", simplifiedchinese.HZGB2312
	}
	if name = codePageNames[key]; name == "" {
		return "", nil
	}
	upper := []rune(codePages[name])
	return name, own(func(raw []byte) []byte {
		out := make([]byte, 0, len(raw)*2)
		for _, c := range raw {
			if c < utf8.RuneSelf {
				out = append(out, c)
			} else {
				out = utf8.AppendRune(out, upper[c-utf8.RuneSelf])
			}
		}
		return out
	})
}

// sevenBit reports whether an encoding writes all characters with ASCII bytes, so that a
// text in it looks like UTF-8.
func sevenBit(name string) bool {
	switch name {
	case "utf-7", "iso-2022-kr", "iso-2022-cn", "hz-gb-2312":
		return true
	}
	return false
}

// shifted decodes ISO-2022-KR, and ISO-2022-CN as far as it is GB 2312: between the bytes
// SO and SI there are characters of two bytes, of the set that an escape sequence named.
func shifted(raw []byte) []byte {
	const so, si, esc = 0x0E, 0x0F, 0x1B
	var out []byte
	set, wide := kr.EUCKR, false
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case c == esc && bytes.HasPrefix(raw[i:], []byte("\x1b$)")) && i+3 < len(raw):
			if set = kr.EUCKR; raw[i+3] == 'A' {
				set = simplifiedchinese.GBK
			}
			i += 4
		case c == so || c == si:
			wide = c == so
			i++
		case c == '\n': // a line begins unshifted
			wide = false
			out = append(out, c)
			i++
		case wide && c > ' ' && c < 0x7F && i+1 < len(raw):
			two, err := set.NewDecoder().Bytes([]byte{c | 0x80, raw[i+1] | 0x80})
			if err != nil {
				two = []byte("\uFFFD")
			}
			out = append(out, two...)
			i += 2
		default:
			if c >= utf8.RuneSelf {
				out = append(out, "\uFFFD"...)
			} else {
				out = append(out, c)
			}
			i++
		}
	}
	return out
}

// utf7 decodes UTF-7 (RFC 2152). A sequence that is none costs one character.
func utf7(raw []byte) []byte {
	var out []byte
	for i := 0; i < len(raw); {
		c := raw[i]
		i++
		if c != '+' {
			if c >= utf8.RuneSelf {
				out = append(out, "\uFFFD"...)
			} else {
				out = append(out, c)
			}
			continue
		}
		end := i
		for end < len(raw) && isBase64(raw[end]) {
			end++
		}
		out = append(out, utf7Run(raw[i:end])...)
		if i == end && (end >= len(raw) || raw[end] != '-') { // a plus sign by itself
			continue
		}
		i = end
		if i < len(raw) && raw[i] == '-' {
			i++
		}
	}
	return out
}

// utf7Run decodes what stands behind a plus sign.
func utf7Run(run []byte) []byte {
	if len(run) == 0 {
		return []byte("+")
	}
	if len(run)%4 == 1 { // no byte ends there
		run = run[:len(run)-1]
	}
	b, err := base64.RawStdEncoding.DecodeString(string(run))
	if err != nil {
		return []byte("\uFFFD")
	}
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, uint16(b[i])<<8|uint16(b[i+1]))
	}
	return []byte(string(utf16.Decode(units)))
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '+' || c == '/'
}
