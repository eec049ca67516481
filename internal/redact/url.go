package redact

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

var withoutJoiners = strings.NewReplacer("-", "", "_", "", ".", "", "[", "", "]", "")

// IsSecretName reports whether a parameter or header of that name holds a key,
// a token or the operator's identity. It errs on the safe side: recordings are
// shown to others.
func IsSecretName(name string) bool {
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
	return strings.HasSuffix(plain, "sessionid") || strings.HasSuffix(plain, "sessid") || strings.HasSuffix(name, "_key") || strings.HasSuffix(name, "-key") || strings.HasSuffix(name, "_sid")
}

// urlOf returns a URL without secrets, as recordings store and find it.
func urlOf(u *url.URL) string {
	c := *u
	if c.User != nil {
		c.User = url.User(Removed)
	}
	c.RawQuery = query(c.RawQuery)
	c.Fragment, c.RawFragment = "", ""
	return c.String()
}

// URL is urlOf of a text; Removed if it is not a URL.
func URL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return Removed
	}
	return urlOf(u)
}

// InURL returns the secret values in a URL: passwords, tokens in the place of a user or in
// the path, those of parameters whose names say so, and what HTTP's basic authentication
// makes of them. Of a text that is no URL there are none.
func InURL(address string) []string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return coarseUser(address)
	}
	var out []string
	if u.Host != "" {
		out = inPath(u)
	}
	for name, values := range u.Query() {
		if IsSecretName(name) {
			out = append(out, values...)
		}
	}
	if u.User == nil {
		return append(out, coarseUser(address)...)
	}
	user, password := u.User.Username(), ""
	if p, set := u.User.Password(); set && p != "" {
		password = p
		out = append(out, p)
	} else if len(user) >= minToken && u.Scheme != "postgres" && u.Scheme != "postgresql" { // its users have names, and passwords elsewhere
		out = append(out, user)
	}
	return append(out, base64.StdEncoding.EncodeToString([]byte(user+":"+password)))
}

// minToken is the length in bytes of a user name without a password that is taken for
// a token.
const minToken = 8

// coarseUser returns the password before an @ in what url.Parse does not understand,
// such as a host without a scheme.
func coarseUser(s string) []string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return nil
	}
	_, rest, found := strings.Cut(s[:at], "://")
	if !found {
		rest = s[:at]
	}
	if _, password, ok := strings.Cut(rest, ":"); ok && password != "" {
		return []string{password}
	}
	return nil
}

// Setting returns the value of a setting as it is shown: of each address in it, without
// user and password, and without what is secret in its path, parameters and fragment.
func Setting(value string) string {
	return eachItem(value, func(item string) string { return settingItem(withoutPathTokens(item)) })
}

// eachItem changes the items of a list, with commas or white space between them.
func eachItem(value string, change func(string) string) string {
	var out strings.Builder
	rest := value
	for rest != "" {
		end := itemEnd(rest)
		out.WriteString(change(rest[:end]))
		if end < len(rest) {
			_, n := utf8.DecodeRuneInString(rest[end:])
			out.WriteString(rest[end : end+n])
			end += n
		}
		rest = rest[end:]
	}
	return out.String()
}

// Items returns the items of a setting: with commas or white space between them.
func Items(value string) []string {
	var out []string
	for value != "" {
		end := itemEnd(value)
		if end > 0 {
			out = append(out, value[:end])
		}
		_, n := utf8.DecodeRuneInString(value[end:])
		value = value[end+n:]
	}
	return out
}

// itemEnd is where the first item of a list ends. A comma before the @ of an address is
// part of its password.
func itemEnd(s string) int {
	end := strings.IndexFunc(s, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	if end < 0 {
		return len(s)
	}
	if start := strings.Index(s[:end], "://"); start >= 0 && s[end] == ',' {
		start += len("://")
		if stop := start + strings.IndexFunc(s[start:]+" ", func(r rune) bool { return strings.ContainsRune("/?#@", r) || unicode.IsSpace(r) }); stop > end && stop < len(s) && s[stop] == '@' {
			return stop + itemEnd(s[stop:])
		}
	}
	return end
}

func settingItem(s string) string {
	u, err := url.Parse(s)
	at := strings.LastIndexByte(s, '@')
	if err == nil && u.Host != "" && u.User == nil {
		return Shapes(s) // an @ may stand in its path
	}
	if at < 0 || err != nil && !strings.Contains(s[:at], ":") || err == nil && u.Scheme == "mailto" || !strings.Contains(s[:at], ":") && !strings.Contains(s[:at], "//") {
		return Shapes(s)
	}
	scheme := ""
	if i := strings.Index(s, "://"); i >= 0 && i < at {
		scheme = s[:i+3]
	}
	return Shapes(scheme + Removed + s[at:])
}

// query keeps the order and the spelling of what it does not redact.
func query(raw string) string {
	if raw == "" {
		return ""
	}
	parts := strings.FieldsFunc(raw, func(r rune) bool { return r == '&' || r == ';' })
	for i, part := range parts {
		parts[i] = param(part)
	}
	return strings.Join(parts, "&")
}

// param redacts name=value, as in a query or a form, by its name.
func param(p string) string {
	name, value, _ := strings.Cut(p, "=")
	if value != "" && IsSecretName(plain(name)) {
		return name + "=" + Removed
	}
	return p
}

// Header returns the value of a header as recordings show it.
func Header(name, value string) string {
	switch {
	case IsSecretName(name):
		return Removed
	case http.CanonicalHeaderKey(name) == "Location", http.CanonicalHeaderKey(name) == "Referer", http.CanonicalHeaderKey(name) == "Content-Location":
		return URL(value)
	}
	return value
}

// plain decodes a part of a query.
func plain(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return strings.ToValidUTF8(decoded, "\uFFFD")
	}
	return s
}
