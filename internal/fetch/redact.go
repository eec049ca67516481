package fetch

import (
	"net/http"
	"net/url"
	"strings"
)

// Redacted takes the place of a secret.
const Redacted = "REMOVED"

var withoutJoiners = strings.NewReplacer("-", "", "_", "", ".", "", "[", "", "]", "")

// isSecretName reports whether a parameter or header of that name holds a key,
// a token or the operator's identity. It errs on the safe side: recordings are
// shown to others.
func isSecretName(name string) bool {
	name = strings.ToLower(name)
	plain := withoutJoiners.Replace(name)
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

// redactURL returns a URL without secrets, as recordings store and find it.
func redactURL(u *url.URL) string {
	c := *u
	if c.User != nil {
		c.User = url.User(Redacted)
	}
	c.RawQuery = redactQuery(c.RawQuery)
	c.Fragment, c.RawFragment = "", ""
	return c.String()
}

// redactURLText is redactURL of a text; Redacted if it is not a URL.
func redactURLText(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return Redacted
	}
	return redactURL(u)
}

// RedactURL returns a URL as recordings show it.
func RedactURL(url string) string { return redactURLText(url) }

// URLSecrets returns the values that RedactURL removes from a URL.
func URLSecrets(address string) []string {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	var out []string
	for name, values := range u.Query() {
		if isSecretName(name) {
			out = append(out, values...)
		}
	}
	if password, set := u.User.Password(); set {
		out = append(out, password)
	}
	return out
}

// redactQuery keeps the order and the spelling of what it does not redact.
func redactQuery(raw string) string {
	if raw == "" {
		return ""
	}
	parts := strings.FieldsFunc(raw, func(r rune) bool { return r == '&' || r == ';' })
	for i, part := range parts {
		parts[i] = redactParam(part)
	}
	return strings.Join(parts, "&")
}

// redactParam redacts name=value, as in a query or a form, by its name.
func redactParam(param string) string {
	name, value, _ := strings.Cut(param, "=")
	if value != "" && isSecretName(unescaped(name)) {
		return name + "=" + Redacted
	}
	return param
}

// redactHeader returns the value of a header as recordings show it.
func redactHeader(name, value string) string {
	switch {
	case isSecretName(name):
		return Redacted
	case http.CanonicalHeaderKey(name) == "Location", http.CanonicalHeaderKey(name) == "Referer", http.CanonicalHeaderKey(name) == "Content-Location":
		return redactURLText(value)
	}
	return value
}
