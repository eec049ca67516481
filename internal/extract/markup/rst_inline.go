package markup

import (
	"strings"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	rstLiteral  = text.Pattern("``([^`]+(?:`[^`]+)*)``")
	rstRole     = text.Pattern(":[a-zA-Z][\\w:+.-]*:`([^`]+)`")
	rstLinkURL  = text.Pattern("`([^`<]+?)\\s*<([^>`]+)>`__?")
	rstLinkName = text.Pattern("`([^`]+)`__?")
	rstWordRef  = text.Pattern(`\b([A-Za-z][\w-]*[A-Za-z0-9])__?(\W|$)`)
	rstFootnote = text.Pattern(`\s?\[(?:\d+|#\w*|\*)\]_`)
	rstSubst    = text.Pattern(`\|([A-Za-z][\w .-]*)\|`)
	rstRoleText = text.Pattern(`^(.+?)\s*<[^>]+>$`)
)

func rstInlineAll(lines []string) []string {
	joined := rstInline(strings.Join(lines, "\n"))
	return strings.Split(joined, "\n")
}

// rstInline converts roles, literals and links. Literals are kept aside so that
// nothing is read into them.
func rstInline(s string) string {
	if !strings.ContainsAny(s, "`_|\\[") {
		return s
	}
	var kept []string
	keep := func(code string) string {
		kept = append(kept, code)
		return "\x00" + string(rune(0xE000+len(kept)-1)) + "\x00"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r == 0 || unicode.Is(unicode.Co, r) }) {
		return s
	}
	s = rstLiteral().ReplaceAllStringFunc(s, func(m string) string { return keep("`" + m[2:len(m)-2] + "`") })
	s = rstRole().ReplaceAllStringFunc(s, func(m string) string {
		body := rstRole().FindStringSubmatch(m)[1]
		role := strings.Trim(m[:strings.IndexByte(m, '`')], ":")
		if t := rstRoleText().FindStringSubmatch(body); t != nil {
			return t[1]
		}
		switch role {
		case "ref", "doc", "term", "abbr", "pep", "rfc", "issue", "pr", "gh":
			return body
		}
		body = strings.TrimPrefix(body, "!")
		if strings.HasPrefix(body, "~") {
			body = body[strings.LastIndexByte(body, '.')+1:]
			body = strings.TrimPrefix(body, "~")
		}
		return keep("`" + body + "`")
	})
	s = rstLinkURL().ReplaceAllString(s, "[$1]($2)")
	s = rstLinkName().ReplaceAllString(s, "$1")
	s = rstFootnote().ReplaceAllString(s, "")
	s = rstWordRef().ReplaceAllString(s, "$1$2")
	s = rstSubst().ReplaceAllString(s, "$1")
	s = strings.ReplaceAll(s, `\ `, "")
	for i, code := range kept {
		s = strings.ReplaceAll(s, "\x00"+string(rune(0xE000+i))+"\x00", code)
	}
	return s
}
