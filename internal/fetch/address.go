package fetch

import (
	"net/url"
	"strings"
)

var withoutBreaks = strings.NewReplacer("\t", "", "\n", "", "\r", "")

// parseURL parses an address as people paste it and hosts send it in Location: white
// space around it is dropped, and tabs and line breaks in it, as browsers do. A "%"
// that begins no escape stands for itself, and what a request line may not hold, such
// as a space, is escaped.
func parseURL(s string) (*url.URL, error) {
	s = strings.TrimSpace(s)
	for _, marks := range []string{"<>", `""`, "''"} { // as mails and prose set off addresses
		if len(s) > 1 && s[0] == marks[0] && s[len(s)-1] == marks[1] {
			s = s[1 : len(s)-1]
		}
	}
	u, err := url.Parse(escapeLonePercents(withoutBreaks.Replace(strings.TrimSpace(s))))
	if err != nil {
		return nil, err
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	return u, nil
}

// resolveURL is parseURL of an address that may be relative to base.
func resolveURL(base *url.URL, s string) (*url.URL, error) {
	u, err := parseURL(s)
	if err != nil {
		return nil, err
	}
	return base.ResolveReference(u), nil
}

// escapeLonePercents escapes each "%" behind the host without two hexadecimal digits
// after it.
func escapeLonePercents(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	start := 0
	if scheme, rest, ok := strings.Cut(s, "//"); ok && !strings.ContainsAny(scheme, "/?#") {
		path := strings.IndexAny(rest, "/?#")
		if path < 0 {
			return s
		}
		start = len(s) - len(rest) + path
	}
	var b strings.Builder
	b.WriteString(s[:start])
	for i := start; i < len(s); i++ {
		b.WriteByte(s[i])
		if s[i] == '%' && (i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2])) {
			b.WriteString("25")
		}
	}
	return b.String()
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// escapeQuery escapes the bytes of a query that the URL standard has escaped: net/url
// leaves a query as it is. Escapes stay.
func escapeQuery(q string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(q) {
		switch c := q[i]; {
		case c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '\'':
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
