package extract

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/net/html"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of JSON-LD; how deep it nests is bounded by encoding/json too.
const (
	maxLinkedData  = 1 << 20
	maxLinkedDepth = 8
	maxAnswers     = 200
)

// linkedText is what the JSON-LD of a page says that can be text of the page.
type linkedText struct {
	published string
	body      string   // the longest articleBody
	answers   []string // questions with their answers
}

// read adds the content of one script.
func (l *linkedText) read(s string) {
	if len(s) > maxLinkedData {
		return
	}
	var v any
	s = unwrapped(s)
	if json.Unmarshal([]byte(s), &v) != nil && json.Unmarshal([]byte(escapeControls(s)), &v) != nil {
		return
	}
	l.node(v, 0)
}

// unwrapped is a script without the marks that hide it from other parsers.
func unwrapped(s string) string {
	for _, mark := range []string{"<!--", "//<![CDATA[", "// <![CDATA[", "/*<![CDATA[*/", "/* <![CDATA[ */", "<![CDATA["} {
		s = strings.TrimPrefix(strings.TrimSpace(s), mark)
	}
	for _, mark := range []string{"-->", "//]]>", "// ]]>", "/*]]>*/", "/* ]]> */", "]]>"} {
		s = strings.TrimSuffix(strings.TrimSpace(s), mark)
	}
	return strings.TrimSuffix(strings.TrimSpace(s), ";")
}

// escapeControls escapes line breaks and tabs within strings, which JSON does not
// allow and pages have.
func escapeControls(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted && i+1 < len(s):
			b.WriteByte(c)
			i++
			b.WriteByte(s[i])
		case c < ' ' && quoted:
			fmt.Fprintf(&b, "\\u%04x", c)
		default:
			quoted = quoted != (c == '"')
			b.WriteByte(c)
		}
	}
	return b.String()
}

func (l *linkedText) node(v any, depth int) {
	if depth > maxLinkedDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			l.node(x, depth+1)
		}
	case map[string]any:
		for _, key := range []string{"@graph", "mainEntity", "mainEntityOfPage", "hasPart"} {
			if x, ok := v[key]; ok {
				l.node(x, depth+1)
			}
		}
		if d, ok := v["datePublished"].(string); ok && l.published == "" {
			l.published = d
		}
		if b, ok := v["articleBody"].(string); ok && len(b) > len(l.body) {
			l.body = b
		}
		if v["@type"] == "Question" {
			l.question(v)
		}
	}
}

// question adds a question with its answers.
func (l *linkedText) question(v map[string]any) {
	name, _ := v["name"].(string)
	for _, key := range []string{"acceptedAnswer", "suggestedAnswer"} {
		answers, ok := v[key].([]any)
		if !ok {
			answers = []any{v[key]}
		}
		for _, a := range answers {
			answer, _ := a.(map[string]any)
			s, _ := answer["text"].(string)
			if s == "" || len(l.answers) >= 2*maxAnswers {
				continue
			}
			if name != "" {
				l.answers = append(l.answers, "## "+text.Squash(withoutMarkup(name)))
				name = ""
			}
			l.answers = append(l.answers, s)
		}
	}
}

// text is what a page without text of its own says in its data, or "".
func (l *linkedText) text() string {
	parts := []string{l.body}
	if l.body == "" {
		parts = l.answers
	}
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(withoutMarkup(p)); p != "" && !readsAsInstruction(p) {
			out = append(out, p)
		}
	}
	return strings.Join(out, "\n\n")
}

var markupMark = text.Pattern(`</?[a-zA-Z][a-zA-Z0-9]*(?:\s[^<>]*)?/?>|&(?:[a-zA-Z]{2,8}|#[0-9]{2,6});`)

// withoutMarkup reads a text of JSON-LD that is HTML.
func withoutMarkup(s string) string {
	if !markupMark().MatchString(s) {
		return s
	}
	many, unended := suspicious(s)
	s, _ = boundMarkup(s, many || unended)
	doc, err := html.Parse(strings.NewReader(s))
	if err != nil {
		return ""
	}
	restoreFormatting(doc)
	readFormulas(doc)
	removeHidden(context.Background(), doc, true)
	return markdown(bodyOf(doc))
}
