package postgres

import (
	"strings"
)

// codeMark begins a stem that is coded. No parser of PostgreSQL divides or changes words
// of ASCII letters, so that the index of pg_textsearch has exactly our stems.
const codeMark = "zq"

// codeLetters are the sixteen digits of a code: digits would be words of their own.
const codeLetters = "ghijklmnopabcdef"

// coded is a stem as it is stored and asked for.
func coded(stem string) string {
	if !needsCode(stem) {
		return stem
	}
	b := make([]byte, 0, len(codeMark)+2*len(stem))
	b = append(b, codeMark...)
	for i := range len(stem) {
		b = append(b, codeLetters[stem[i]>>4], codeLetters[stem[i]&15])
	}
	return string(b)
}

func needsCode(stem string) bool {
	for i := range len(stem) {
		if stem[i] < 'a' || stem[i] > 'z' {
			return true
		}
	}
	return strings.HasPrefix(stem, codeMark)
}

// codedAll codes stems that are separated by spaces.
func codedAll(stems string) string {
	var b strings.Builder
	b.Grow(len(stems))
	for w := range strings.FieldsSeq(stems) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(coded(w))
	}
	return b.String()
}

// decodedAll is the inverse of codedAll.
func decodedAll(stems string) string {
	if !strings.Contains(stems, codeMark) {
		return stems
	}
	b := make([]byte, 0, len(stems))
	for w := range strings.FieldsSeq(stems) {
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = appendDecoded(b, w)
	}
	return string(b)
}

// appendDecoded appends a word; one that is no code is appended as it is.
func appendDecoded(b []byte, word string) []byte {
	code, ok := strings.CutPrefix(word, codeMark)
	if !ok || len(code)%2 != 0 {
		return append(b, word...)
	}
	before := len(b)
	for i := 0; i < len(code); i += 2 {
		hi, lo := codeDigit(code[i]), codeDigit(code[i+1])
		if hi|lo > 15 {
			return append(b[:before], word...)
		}
		b = append(b, hi<<4|lo)
	}
	return b
}

// codeDigit is the place of a letter in codeLetters, or more than 15.
func codeDigit(c byte) byte {
	switch {
	case 'g' <= c && c <= 'p':
		return c - 'g'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 16
}
