package text

import (
	"html"
	"net/url"
	"strings"
	"unicode"
)

// mostEncoded is how many times over an address is decoded to find its scheme.
const mostEncoded = 3

// bareAddress is an address as a lenient program reads it: entities and backslashes are
// decoded, and white space, control and invisible characters are left out.
func bareAddress(s string) string {
	for range mostEncoded {
		decoded := html.UnescapeString(s)
		if decoded == s {
			break
		}
		s = decoded
	}
	return strings.Map(func(r rune) rune {
		if r == '\\' || unicode.IsSpace(r) || unicode.IsControl(r) || isIgnorable(r) || isJoiner(r) || unicode.Is(unicode.Variation_Selector, r) {
			return -1
		}
		return r
	}, s)
}

// Scheme returns the scheme of an address in lower case, "" without one. It sees through
// entities, backslashes, white space, and control and invisible characters.
func Scheme(address string) string {
	name, _, found := strings.Cut(bareAddress(address), ":")
	if !found || name == "" {
		return ""
	}
	for i, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || (r < '0' || r > '9') && r != '+' && r != '-' && r != '.') {
			return ""
		}
	}
	return strings.ToLower(name)
}

// IsWebAddress reports whether an address is http or https, with a host.
func IsWebAddress(address string) bool {
	if scheme := Scheme(address); scheme != "http" && scheme != "https" {
		return false
	}
	u, err := url.Parse(html.UnescapeString(address))
	return err == nil && u.Host != ""
}
