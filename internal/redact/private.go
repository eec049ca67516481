package redact

import (
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/text"
)

// A private address is one that its service may have made for one person, such as that of a
// feed: all that does not name a place is taken for a secret, whatever its name is.

// minPrivate is the length in bytes of the shortest segment with a digit that is hidden.
const minPrivate = 6

var (
	word      = text.Pattern(`^(?:\pL+|[0-9]{1,4})$`)
	isDate    = text.Pattern(`^(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])?$`)
	isVersion = text.Pattern(`^(?i)v[0-9]{1,4}$`)
	plainWord = text.Pattern(`^\p{Lu}?\p{Ll}+$`)
)

// PrivateSetting is Setting of a list of private addresses: of each query, every value is
// hidden, and the fragment.
func PrivateSetting(value string) string { return eachItem(value, privateItem) }

func privateItem(s string) string {
	if _, err := url.Parse(s); err != nil {
		shown := settingItem(s)
		if i := strings.IndexAny(shown, "?#"); i >= 0 {
			shown = shown[:i+1] + Removed
		}
		return shown
	}
	s, fragment, hasFragment := strings.Cut(s, "#")
	s, query, hasQuery := strings.Cut(s, "?")
	scheme, rest, _ := strings.Cut(s, "://")
	host, path, hasPath := strings.Cut(rest, "/")
	out := settingItem(s)
	if hasPath {
		out = settingItem(scheme+"://"+host) + "/" + privatePath(path)
	}
	if hasQuery {
		params := strings.FieldsFunc(query, isParamEnd)
		for i, p := range params {
			name, value, named := strings.Cut(p, "=")
			switch {
			case !named:
				params[i] = Removed
			case value != "":
				params[i] = name + "=" + Removed
			}
		}
		out += "?" + strings.Join(params, "&")
	}
	if hasFragment && fragment != "" {
		out += "#" + Removed
	}
	return out
}

func isParamEnd(r rune) bool { return r == '&' || r == ';' }

func isSegmentEnd(r rune) bool { return r == '/' || r == '.' || r == ';' || r == ',' }

// privatePath hides the segments of a path that are private.
func privatePath(path string) string {
	var out strings.Builder
	for path != "" {
		end := strings.IndexFunc(path, isSegmentEnd)
		if end < 0 {
			end = len(path)
		}
		name, value, named := strings.Cut(path[:end], "=")
		switch {
		case named && value != "":
			out.WriteString(name + "=" + Removed)
		case isPrivate(plain(path[:end])):
			out.WriteString(Removed)
		default:
			out.WriteString(path[:end])
		}
		if end < len(path) {
			out.WriteByte(path[end])
			end++
		}
		path = path[end:]
	}
	return out.String()
}

// isPrivate reports whether a segment of a path has digits, and is neither words and numbers,
// as release-2024, nor a date or a version.
func isPrivate(segment string) bool {
	if looksToken(segment) {
		return true
	}
	if len(segment) < minPrivate || !strings.ContainsFunc(segment, unicode.IsDigit) || isDate().MatchString(segment) {
		return false
	}
	return slices.ContainsFunc(strings.FieldsFunc(segment, func(r rune) bool { return strings.ContainsRune("-_~+ ", r) }), func(part string) bool {
		return !word().MatchString(part) && !isVersion().MatchString(part)
	})
}

// InPrivateURL returns what InURL does, and what PrivateSetting hides. A value that is a
// plain word is only searched for together with its name: pages have the word, too.
func InPrivateURL(address string) []string {
	out := InURL(address)
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil || u.Host == "" {
		return out
	}
	for _, segment := range strings.FieldsFunc(u.Path, isSegmentEnd) {
		name, value, named := strings.Cut(segment, "=")
		switch {
		case named && value != "":
			out = append(out, secretOf(name, value))
		case isPrivate(segment):
			out = append(out, segment)
		}
	}
	for _, p := range strings.FieldsFunc(u.RawQuery, isParamEnd) {
		name, value, named := strings.Cut(p, "=")
		switch {
		case !named:
			out = append(out, plain(p))
		case value != "":
			out = append(out, secretOf(plain(name), plain(value)))
		}
	}
	if plainWord().MatchString(u.Fragment) {
		return append(out, "#"+u.Fragment)
	}
	return append(out, u.Fragment)
}

// secretOf is what is searched for to hide a value.
func secretOf(name, value string) string {
	if plainWord().MatchString(value) || len(value) < minSecret {
		return name + "=" + value
	}
	return value
}
