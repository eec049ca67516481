package postgres

import (
	"encoding/hex"
	"strings"
)

// codeMark begins a stem that is coded. No parser of PostgreSQL divides or changes words
// of ASCII letters, so that the index of pg_textsearch has exactly our stems.
const codeMark = "zq"

// coded is a stem as it is stored and asked for.
func coded(stem string) string {
	if !strings.HasPrefix(stem, codeMark) && !strings.ContainsFunc(stem, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return stem
	}
	return codeMark + hexLetters.Replace(hex.EncodeToString([]byte(stem)))
}

// hexLetters writes a number without digits, which would be words of their own.
var (
	hexLetters = strings.NewReplacer("0", "g", "1", "h", "2", "i", "3", "j", "4", "k", "5", "l", "6", "m", "7", "n", "8", "o", "9", "p")
	letterHex  = strings.NewReplacer("g", "0", "h", "1", "i", "2", "j", "3", "k", "4", "l", "5", "m", "6", "n", "7", "o", "8", "p", "9")
)

// codedAll codes stems that are separated by spaces.
func codedAll(stems string) string { return mapWords(stems, coded) }

// decodedAll is the inverse of codedAll.
func decodedAll(stems string) string {
	if !strings.Contains(stems, codeMark) {
		return stems
	}
	return mapWords(stems, func(w string) string {
		rest, ok := strings.CutPrefix(w, codeMark)
		if !ok {
			return w
		}
		b, err := hex.DecodeString(letterHex.Replace(rest))
		if err != nil {
			return w
		}
		return string(b)
	})
}

func mapWords(s string, fn func(string) string) string {
	var b strings.Builder
	b.Grow(len(s))
	for w := range strings.FieldsSeq(s) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(fn(w))
	}
	return b.String()
}
