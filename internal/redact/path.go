package redact

import (
	"net/url"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// minPathToken is the length in bytes of the shortest segment of a path that is taken
// for a token, such as that of a private feed.
const minPathToken = 16

var (
	uuid   = text.Pattern(`(?i)^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
	digits = text.Pattern(`(?i)^[0-9a-f]*(?:[0-9][0-9a-f]*[a-f]|[a-f][0-9a-f]*[0-9])[0-9a-f]*$`)
	opaque = text.Pattern(`^[\w~=:+-]+$`)
)

// inPath returns the segments of a URL's path that are tokens by their looks, and those
// behind a name of a secret, as in /key=VALUE/.
func inPath(u *url.URL) []string {
	var out []string
	for _, segment := range strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' || r == '.' || r == ';' || r == ',' }) {
		name, value, named := strings.Cut(segment, "=")
		switch {
		case named && value != "" && IsSecretName(name):
			out = append(out, value)
		case looksToken(segment):
			out = append(out, segment)
		}
	}
	return out
}

// looksToken tells a token from a name: it is a UUID, hexadecimal, or changes between
// letters, capitals and digits more often than words do.
func looksToken(s string) bool {
	if len(s) < minPathToken || !opaque().MatchString(s) {
		return false
	}
	if uuid().MatchString(s) || digits().MatchString(s) {
		return true
	}
	const fewest = 5
	changes, before := 0, 0
	for _, r := range s {
		class := 0
		switch {
		case r >= '0' && r <= '9':
			class = 1
		case r >= 'a' && r <= 'z':
			class = 2
		case r >= 'A' && r <= 'Z':
			class = 3
		}
		if before != 0 && class != 0 && class != before && (before != 3 || class != 2) { // not a capital's own word
			changes++
		}
		before = class
	}
	return changes >= fewest
}

// withoutPathTokens returns an address without the tokens in its path.
func withoutPathTokens(address string) string {
	if !strings.Contains(address, "://") {
		return address
	}
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return New(inPath(u)...).Values(address)
}
