package fetch

import (
	"net/http"
	"net/url"
	"strings"
)

// removed stands where a secret was.
const removed = "REMOVED"

// isSecret reports whether a parameter or a header of that name holds a key, a
// token, or who the operator is. Better one too many: a recording is shown to
// others.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	plain := strings.NewReplacer("-", "", "_", "", ".", "", "[", "", "]", "").Replace(name)
	switch plain {
	case "key", "mailto", "email", "mail", "contact", "username", "sig", "signature", "auth", "pass", "pwd", "sid",
		"session", "sessionid", "jwt", "cookie", "cookie2", "setcookie", "setcookie2", "useragent", "xforwardedfor":
		return true
	}
	for _, part := range []string{"apikey", "accesskey", "appkey", "secretkey", "privatekey", "token", "secret", "passw", "authorization", "authenticate", "credential", "signature", "authkey", "subscriptionkey"} {
		if strings.Contains(plain, part) {
			return true
		}
	}
	return strings.HasSuffix(name, "_key") || strings.HasSuffix(name, "-key") || strings.HasSuffix(name, "_sid")
}

// cleanURL is a URL without secrets, as recordings show and find it.
func cleanURL(u *url.URL) string {
	c := *u
	if c.User != nil {
		c.User = url.User(removed)
	}
	c.RawQuery = cleanQuery(c.RawQuery)
	c.Fragment, c.RawFragment = "", ""
	return c.String()
}

// cleanText is cleanURL of what may be no URL; then nothing is left of it.
func cleanText(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return removed
	}
	return cleanURL(u)
}

// WithoutSecrets is a URL as a recording shows it.
func WithoutSecrets(url string) string { return cleanText(url) }

// SecretsIn are the values that WithoutSecrets takes out of a URL.
func SecretsIn(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	var out []string
	for name, values := range u.Query() {
		if isSecret(name) {
			out = append(out, values...)
		}
	}
	if password, set := u.User.Password(); set {
		out = append(out, password)
	}
	return out
}

// cleanQuery keeps the order and the spelling of what it leaves in.
func cleanQuery(raw string) string {
	if raw == "" {
		return ""
	}
	parts := strings.FieldsFunc(raw, func(r rune) bool { return r == '&' || r == ';' })
	for i, part := range parts {
		name, value, given := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(name)
		if err != nil {
			plain = name
		}
		if given && value != "" && isSecret(plain) {
			parts[i] = name + "=" + removed
		}
	}
	return strings.Join(parts, "&")
}

// cleanHeader is the value of a header as a recording shows it.
func cleanHeader(name, value string) string {
	switch {
	case isSecret(name):
		return removed
	case http.CanonicalHeaderKey(name) == "Location", http.CanonicalHeaderKey(name) == "Referer", http.CanonicalHeaderKey(name) == "Content-Location":
		return cleanText(value)
	}
	return value
}
