package config

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// isContact reports whether one of the words of s is an e-mail address or the address of
// a page, or s is empty: services have to reach the operator. A name beside it, as in
// "Ada <ada@example.org>", is fine.
func isContact(s string) bool {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return false
	}
	words := strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("<>(),;", r) })
	return len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return isMail(w) || isPage(w) })
}

func isMail(w string) bool {
	user, host, ok := strings.Cut(strings.TrimPrefix(w, "mailto:"), "@")
	return ok && user != "" && host != "" && !strings.ContainsAny(host, "@/") && !strings.ContainsAny(user, "/:")
}

// isPage reports whether w is a URL of a page, or one without its scheme.
func isPage(w string) bool {
	if !strings.Contains(w, "://") {
		w = "https://" + w
	}
	u, err := url.Parse(w)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return false
	}
	host := u.Hostname()
	i := strings.LastIndexByte(host, '.')
	return host == "localhost" || i > 0 && i < len(host)-1
}
