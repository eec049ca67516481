// Package redact removes secrets from what the program writes and shows: keys, tokens
// and passwords of the settings by their values, wherever they stand, and others by
// their shapes. Texts of documents are searched for values only, because pages about
// keys have examples of them; everything that the program says itself, and errors of
// services, is searched for shapes as well.
package redact

import (
	"bytes"
	"cmp"
	"encoding/json"
	"html"
	"mime"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Removed takes the place of a secret.
const Removed = "REMOVED"

// minSecret is the length in bytes of the shortest secret value that is searched
// for: a shorter one would be found in ordinary words.
const minSecret = 6

// Redactor removes secrets. It compares decoded values: a secret is found as it is,
// percent-encoded, as an HTML entity and with JSON escapes, but not in the middle of a
// JSON number or field name. A nil Redactor knows no values. It is safe for concurrent
// use.
type Redactor struct {
	secrets []string // the longest first, as one may contain another
	start   [256]bool
}

// New returns a Redactor of the secret values. Those of less than 6 bytes are not
// searched for.
func New(secrets ...string) *Redactor {
	r := &Redactor{}
	for _, s := range secrets {
		if s = strings.TrimSpace(s); len(s) >= minSecret && !slices.Contains(r.secrets, s) {
			r.secrets = append(r.secrets, s)
			r.start[s[0]] = true
		}
	}
	if len(r.secrets) > 0 { // the first byte may be encoded
		r.start['%'], r.start['&'], r.start['\\'], r.start['+'] = true, true, true, true
	}
	slices.SortFunc(r.secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return r
}

// none reports whether there are no values to search for.
func (r *Redactor) none() bool { return r == nil || len(r.secrets) == 0 }

// Text redacts what the program says, and errors of services: by value and by shape.
func (r *Redactor) Text(s string) string { return Shapes(r.Values(s)) }

// Values redacts any text that is not JSON by value: a document, a URL, a header.
func (r *Redactor) Values(s string) string {
	if r.none() {
		return s
	}
	var out strings.Builder
	kept := 0
	for i := 0; i < len(s); i++ {
		if !r.start[s[i]] {
			continue
		}
		if n := r.match(s[i:]); n > 0 {
			out.WriteString(s[kept:i])
			out.WriteString(Removed)
			kept = i + n
			i = kept - 1
		}
	}
	if kept == 0 {
		return s
	}
	out.WriteString(s[kept:])
	return out.String()
}

// match returns the length of a secret at the beginning of s, 0 if there is none.
func (r *Redactor) match(s string) int {
	for _, secret := range r.secrets {
		if n, ok := matchEncoded(s, secret); ok {
			return n
		}
	}
	return 0
}

// matchEncoded reports whether s begins with the secret, each character of which
// may be encoded, and how many bytes of s that takes.
func matchEncoded(s, secret string) (int, bool) {
	if secret == "" {
		return 0, true
	}
	if s == "" {
		return 0, false
	}
	if s[0] == secret[0] {
		if n, ok := matchEncoded(s[1:], secret[1:]); ok {
			return n + 1, true
		}
	}
	decoded, size := decodeChar(s)
	if size == 0 || decoded == "" || !strings.HasPrefix(secret, decoded) {
		return 0, false
	}
	n, ok := matchEncoded(s[size:], secret[len(decoded):])
	return n + size, ok
}

// decodeChar decodes the encoded character at the beginning of s, which takes
// size bytes; 0 if there is none.
func decodeChar(s string) (decoded string, size int) {
	switch s[0] {
	case '+':
		return " ", 1
	case '%':
		if len(s) >= 3 {
			if octet, ok := unhex(s[1], s[2]); ok {
				return string([]byte{octet}), 3
			}
		}
	case '&':
		const longest = 12 // bytes of an entity that stands for a character of a secret
		if end := strings.IndexByte(s[:min(len(s), longest)], ';'); end > 0 {
			if decoded := html.UnescapeString(s[:end+1]); decoded != s[:end+1] {
				return decoded, end + 1
			}
		}
	case '\\':
		return decodeEscape(s)
	}
	return "", 0
}

// decodeEscape decodes a JSON escape.
func decodeEscape(s string) (decoded string, size int) {
	if len(s) < 2 {
		return "", 0
	}
	if s[1] != 'u' {
		at := strings.IndexByte(`"\/bfnrt`, s[1])
		if at < 0 {
			return "", 0
		}
		return "\"\\/\b\f\n\r\t"[at : at+1], 2
	}
	first, ok := escapedUnit(s)
	if !ok {
		return "", 0
	}
	if second, ok := escapedUnit(s[6:]); ok && utf16.IsSurrogate(first) {
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return string(r), 12
		}
	}
	return string(first), 6
}

// escapedUnit reads \uXXXX.
func escapedUnit(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	high, ok := unhex(s[2], s[3])
	low, ok2 := unhex(s[4], s[5])
	return rune(high)<<8 | rune(low), ok && ok2
}

// Body redacts a request's or a response's body of that content type.
func (r *Redactor) Body(contentType string, b []byte) []byte {
	if kind, _, _ := mime.ParseMediaType(contentType); kind == "application/x-www-form-urlencoded" {
		return []byte(r.form(string(b)))
	}
	if r.none() {
		return b
	}
	if isJSONText(b) {
		return r.JSON(b)
	}
	var out []byte
	for line := range bytes.Lines(b) { // each may be JSON, as in application/x-ndjson
		if isJSONText(line) {
			out = append(out, r.JSON(line)...)
		} else {
			out = append(out, r.Values(string(line))...)
		}
	}
	return out
}

// isJSONText reports whether b is a JSON object or array.
func isJSONText(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && (b[0] == '{' || b[0] == '[') && json.Valid(b)
}

// form redacts a form: fields by their names, and secret values.
func (r *Redactor) form(s string) string {
	parts := strings.Split(s, "&")
	for i, part := range parts {
		parts[i] = param(part)
	}
	return r.Values(strings.Join(parts, "&"))
}

// JSON redacts a valid JSON text. String values are redacted as text; a field name
// or a number is replaced if it is a secret as a whole. The rest stays as it is,
// byte for byte.
func (r *Redactor) JSON(raw []byte) []byte {
	if r.none() {
		return raw
	}
	var out bytes.Buffer
	for i := 0; i < len(raw); {
		end := tokenEnd(raw, i)
		token := raw[i:end]
		switch c := raw[i]; {
		case c == '"':
			isName := bytes.HasPrefix(bytes.TrimLeft(raw[end:], " \t\r\n"), []byte(":"))
			out.Write(r.jsonString(token, isName))
		case (c == '-' || '0' <= c && c <= '9') && slices.Contains(r.secrets, string(token)):
			out.WriteString("0")
		default:
			out.Write(token)
		}
		i = end
	}
	return out.Bytes()
}

// jsonString redacts a string literal.
func (r *Redactor) jsonString(literal []byte, isName bool) []byte {
	var value string
	if err := json.Unmarshal(literal, &value); err != nil {
		return []byte(`"` + Removed + `"`) // not reached for valid JSON
	}
	clean := value
	if !isName {
		clean = r.Values(value)
	} else if slices.Contains(r.secrets, value) {
		clean = Removed
	}
	if clean == value {
		return literal
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(clean); err != nil { // a string always encodes
		return []byte(`"` + Removed + `"`)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// tokenEnd is the end of the JSON token that begins at i: a string, a number, or
// one other byte.
func tokenEnd(raw []byte, i int) int {
	switch c := raw[i]; {
	case c == '"':
		for j := i + 1; j < len(raw); j++ {
			switch raw[j] {
			case '\\':
				j++
			case '"':
				return j + 1
			}
		}
		return len(raw)
	case c == '-' || '0' <= c && c <= '9':
		j := i + 1
		for j < len(raw) && (bytes.IndexByte([]byte("+-.eE"), raw[j]) >= 0 || '0' <= raw[j] && raw[j] <= '9') {
			j++
		}
		return j
	}
	return i + 1
}

func unhex(high, low byte) (byte, bool) {
	const digits = "0123456789abcdef"
	h, l := strings.IndexByte(digits, high|0x20), strings.IndexByte(digits, low|0x20)
	return byte(max(h, 0)<<4 | max(l, 0)), h >= 0 && l >= 0 //nolint:gosec // both are below 16
}
