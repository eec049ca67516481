package extract

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
)

// decode converts raw to UTF-8. The encoding is that of the byte order mark, the
// header or the <meta> element; without any of these it is UTF-8 if raw is valid
// UTF-8, else Windows-1252, as in browsers.
func decode(raw []byte, contentType string, cut bool) (string, error) {
	enc, name, certain := charset.DetermineEncoding(raw, contentType)
	whole := raw
	if cut {
		whole = trimPartialRune(raw)
	}
	if utf8.Valid(whole) && (!certain || name == "utf-8") {
		return strings.TrimPrefix(string(whole), "\uFEFF"), nil
	}
	out, err := enc.NewDecoder().Bytes(raw)
	if err != nil {
		return "", fmt.Errorf("decoding the page from %s: %w", name, err)
	}
	return strings.TrimPrefix(string(out), "\uFEFF"), nil
}

func trimPartialRune(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}
