package research

import (
	"html"
	"regexp"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// placeholder stands for code between backticks while the text around it is changed.
var placeholder = text.Pattern("\x00(\\d+)\x00")

// outsideSpans returns prose without addresses, and the code between backticks in it as
// it was.
func outsideSpans(prose string) string {
	prose = strings.ReplaceAll(prose, "\x00", "")
	var code []string
	var out strings.Builder
	for prose != "" {
		start := strings.IndexByte(prose, '`')
		if start < 0 {
			break
		}
		run := len(prose[start:]) - len(strings.TrimLeft(prose[start:], "`"))
		length := 0
		if !isEscaped(prose, start) {
			length = spanLength(prose[start:], run)
		}
		if length == 0 {
			out.WriteString(prose[:start+run])
			prose = prose[start+run:]
			continue
		}
		out.WriteString(prose[:start] + "\x00" + strconv.Itoa(len(code)) + "\x00")
		code = append(code, prose[start:start+length])
		prose = prose[start+length:]
	}
	changed := unlink(out.String() + prose)
	return placeholder().ReplaceAllStringFunc(changed, func(m string) string {
		n, err := strconv.Atoi(strings.Trim(m, "\x00"))
		if err != nil || n >= len(code) {
			return ""
		}
		return code[n]
	})
}

// spanLength is the length of the code between backticks that s begins with, run of them,
// or 0: it ends in the same paragraph.
func spanLength(s string, run int) int {
	if blank := blankLine().FindStringIndex(s); blank != nil {
		s = s[:blank[0]]
	}
	for at := run; ; {
		next := strings.IndexByte(s[at:], '`')
		if next < 0 {
			return 0
		}
		at += next
		n := len(s[at:]) - len(strings.TrimLeft(s[at:], "`"))
		if at += n; n == run {
			return at
		}
	}
}

var blankLine = text.Pattern(`\n[ \t]*\n`)

// isEscaped reports whether an odd number of backslashes stands before s[at].
func isEscaped(s string, at int) bool {
	before := strings.TrimRight(s[:at], `\`)
	return (at-len(before))%2 == 1
}

// unlink returns prose without addresses; see withoutAddresses.
func unlink(prose string) string {
	prose = definition().ReplaceAllString(prose, "$1")
	prose = withoutTags(withoutLinks(prose))
	prose = autolink().ReplaceAllStringFunc(prose, func(m string) string {
		switch address := m[1 : len(m)-1]; {
		case text.IsWebAddress(address), isScoped(address):
			return m
		default:
			return address
		}
	})
	prose = encoded().ReplaceAllStringFunc(prose, func(m string) string {
		if uri().MatchString(html.UnescapeString(html.UnescapeString(m))) {
			return ""
		}
		return m
	})
	return uri().ReplaceAllString(prose, "")
}

// encoded matches a word with an entity of HTML.
var encoded = text.Pattern(`[^\s&]*&#?\w+;?\S*`)

// withoutTags leaves out tags with addresses, and makes text of the tags of active elements.
func withoutTags(prose string) string {
	prose = replaceUnescaped(tag(), prose, func(m, name string) string {
		switch {
		case addressed().MatchString(m):
			return ""
		case active[strings.ToLower(name)]:
			return `\` + m
		}
		return m
	})
	return replaceUnescaped(opener(), prose, func(m, name string) string {
		if addressed().MatchString(m) || active[strings.ToLower(name)] {
			return `\` + m
		}
		return m
	})
}

// replaceUnescaped replaces what matches and stands behind no backslash. change gets the
// match and its first group.
func replaceUnescaped(expr *regexp.Regexp, s string, change func(m, group string) string) string {
	var out strings.Builder
	at := 0
	for _, m := range expr.FindAllStringSubmatchIndex(s, -1) {
		if isEscaped(s, m[0]) {
			continue
		}
		out.WriteString(s[at:m[0]] + change(s[m[0]:m[1]], s[m[2]:m[3]]))
		at = m[1]
	}
	return out.String() + s[at:]
}

// withoutLinks leaves of links to something else than a page their text, and nothing of
// pictures.
func withoutLinks(s string) string {
	var out []byte
	var open []int // where brackets that are not closed stand in out
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			out = append(out, c, s[i+1])
			i++
			continue
		case c == '[':
			open = append(open, len(out))
		case c == ']' && len(open) > 0:
			at := open[len(open)-1]
			open = open[:len(open)-1]
			address, length := destination(s[i+1:])
			isPicture := at > 0 && out[at-1] == '!' && !isEscaped(string(out[:at]), at-1)
			switch {
			case length == 0:
			case isPicture:
				out, i = out[:at-1], i+length
				continue
			case !linkable(address):
				out, i = append(out[:at], out[at+1:]...), i+length
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// longestDestination is how far the end of a link is looked for, in bytes.
const longestDestination = 4000

// destination is the address of a link in parentheses that s begins with, with its title,
// and the length of all that; 0 if there is none.
func destination(s string) (address string, length int) {
	if !strings.HasPrefix(s, "(") {
		return "", 0
	}
	s, _ = text.Cut(s, longestDestination)
	if m := angled().FindStringSubmatch(s); m != nil {
		return m[1], len(m[0])
	}
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				inner := strings.TrimSpace(s[1:i])
				if m := titledAddress().FindStringSubmatch(inner); m != nil {
					inner = m[1]
				}
				return inner, i + 1
			}
		}
	}
	return "", 0
}

var (
	// angled matches an address in angle brackets, group 1, with a title.
	angled = text.Pattern(`^\(\s*<([^<>\n]*)>(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)`)
	// titledAddress matches an address, group 1, with a title.
	titledAddress = text.Pattern(`^(\S+)\s+(?:"[^"]*"|'[^']*'|\([^()]*\))$`)
)
