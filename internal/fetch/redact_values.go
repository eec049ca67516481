package fetch

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

// minSecret is the length in bytes of the shortest secret value that is searched
// for: a shorter one would be found in ordinary words.
const minSecret = 6

// redactor removes secret values from what a recording holds. It compares
// decoded values: a secret is found as it is, percent-encoded, as an HTML entity
// and with JSON escapes, but not in the middle of a JSON number or field name.
type redactor struct {
	secrets []string // the longest first, as one may contain another
	start   [256]bool
}

func newRedactor(secrets []string) *redactor {
	r := &redactor{}
	for _, s := range secrets {
		if len(s) >= minSecret {
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

// text redacts any text that is not JSON: a URL, a header, a page.
func (r *redactor) text(s string) string {
	if len(r.secrets) == 0 {
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
			out.WriteString(Redacted)
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
func (r *redactor) match(s string) int {
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

// body redacts a request's or a response's body of that content type.
func (r *redactor) body(contentType string, b []byte) []byte {
	if kind, _, _ := mime.ParseMediaType(contentType); kind == "application/x-www-form-urlencoded" {
		return []byte(r.form(string(b)))
	}
	if len(r.secrets) == 0 {
		return b
	}
	if isJSONText(b) {
		return r.json(b)
	}
	var out []byte
	for line := range bytes.Lines(b) { // each may be JSON, as in application/x-ndjson
		if isJSONText(line) {
			out = append(out, r.json(line)...)
		} else {
			out = append(out, r.text(string(line))...)
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
func (r *redactor) form(s string) string {
	parts := strings.Split(s, "&")
	for i, part := range parts {
		parts[i] = redactParam(part)
	}
	return r.text(strings.Join(parts, "&"))
}

// json redacts a valid JSON text. String values are redacted as text; a field name
// or a number is replaced if it is a secret as a whole. The rest stays as it is,
// byte for byte.
func (r *redactor) json(raw []byte) []byte {
	if len(r.secrets) == 0 {
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
func (r *redactor) jsonString(literal []byte, isName bool) []byte {
	var value string
	if err := json.Unmarshal(literal, &value); err != nil {
		return []byte(`"` + Redacted + `"`) // not reached for valid JSON
	}
	clean := value
	if !isName {
		clean = r.text(value)
	} else if slices.Contains(r.secrets, value) {
		clean = Redacted
	}
	if clean == value {
		return literal
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(clean); err != nil { // a string always encodes
		return []byte(`"` + Redacted + `"`)
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

// failure redacts a failure.
func (r *redactor) failure(e *harError) *harError {
	e.Text, e.Host, e.Detail = r.text(e.Text), r.text(e.Host), r.text(e.Detail)
	return e
}

// headers redacts header fields: by their names, and secret values.
func (r *redactor) headers(pairs []harPair) []harPair {
	for i := range pairs {
		pairs[i].Value = r.text(pairs[i].Value)
	}
	return pairs
}
