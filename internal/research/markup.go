package research

import (
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// What documentation is written with and a reader of an answer has no use for. The
// claims keep their quotes as they stand in the source.
var (
	// picture matches an image, which a reader of text cannot see, and whose address
	// would be fetched by the program that renders the answer.
	picture    = text.Pattern(`!\[[^\]]*\]\([^)]*\)`)
	blankLines = text.Pattern(`\n\s*\n\s*\n+`)

	// component matches a line that is nothing but the tag of a component, which
	// documentation in MDX is full of.
	component = text.Pattern(`(?m)^[ \t]*</?[A-Z]\w*(?:\s[^>\n]*)?/?>[ \t]*$`)

	// instruction matches lines for the program that renders the documentation: fences
	// of admonitions, included files, templates, imports, definitions of links.
	instruction = text.Pattern(`(?m)^[ \t]*(?:/{3,}.*|:{3,}.*|\{\*.*\*\}|\{%.*%\}|\{\{.*\}\}|\{/\*.*\*/\}|import\s.+\sfrom\s+["'].+|\[[^\]\n]+\]:[ \t]+\S+(?:[ \t]+["'(].*)?)[ \t]*$`)

	// directive matches a directive of reStructuredText. Groups: 1 name, 2 argument.
	directive = text.Pattern(`^\.\. ([\w:-]+)::[ \t]*(.*)$`)

	anchor       = text.Pattern(`(?m)[ \t]*\{(?:/\*[^}\n]*\*/|[ \t]*#[\w-]+[ \t]*)\}`)
	wikiLink     = text.Pattern(`\[\[(?:[^\]|\n]*\|)?(\pL[^\]|\n]*)\]\]`)
	role         = text.Pattern(":[a-zA-Z][\\w:+-]*:(`[^`\n]+`)")
	relativeLink = text.Pattern(`\[([^\]\n]+)\]\((?:[^):/\s]|[^):\s]*/)[^):\s]*\)`)
)

// readable returns Markdown outside code without what only a renderer needs.
func readable(s string) string {
	s = component().ReplaceAllString(picture().ReplaceAllString(s, ""), "")
	s = instruction().ReplaceAllString(s, "")
	s = directives(s)
	s = role().ReplaceAllString(wikiLink().ReplaceAllString(anchor().ReplaceAllString(s, ""), "$1"), "$1")
	s = relativeLink().ReplaceAllString(s, "$1")
	return blankLines().ReplaceAllString(s, "\n\n")
}

// notices are the directives whose content is text for the reader.
var notices = map[string]bool{
	"admonition": true, "attention": true, "caution": true, "danger": true, "error": true, "hint": true, "important": true,
	"note": true, "tip": true, "warning": true, "seealso": true, "topic": true, "deprecated": true, "versionadded": true, "versionchanged": true,
}

// directives replaces directives of reStructuredText: a notice by its title and its
// content without indent, any other by nothing.
func directives(s string) string {
	if !strings.Contains(s, "::") {
		return s
	}
	var out []string
	inside := false
	for line := range strings.SplitSeq(s, "\n") {
		m := directive().FindStringSubmatch(line)
		switch indented := strings.HasPrefix(line, "   ") || strings.HasPrefix(line, "\t"); {
		case m != nil:
			if inside = notices[m[1]]; inside && m[2] != "" {
				out = append(out, m[2])
			}
		case inside && indented:
			line = strings.TrimPrefix(strings.TrimPrefix(line, "   "), " ")
			out = append(out, strings.TrimPrefix(line, "\t"))
		default:
			inside = inside && strings.TrimSpace(line) == ""
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}
