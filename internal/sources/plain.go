package sources

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// plainText makes text of the simple HTML that services put into JSON: entities
// are read, tags dropped, paragraphs kept as blank lines, code as it stands.
func plainText(s string) string {
	if !strings.ContainsAny(s, "<&") {
		return strings.TrimSpace(s)
	}
	var (
		blocks []string
		part   strings.Builder
		code   = false // inside pre
		hidden = 0     // inside script or style
	)
	flush := func() {
		block := text.Squash(part.String())
		if code {
			block = strings.Trim(part.String(), "\n")
		}
		if block != "" {
			blocks = append(blocks, block)
		}
		part.Reset()
	}
	z := html.NewTokenizer(strings.NewReader(s))
	for {
		kind := z.Next()
		if kind == html.ErrorToken { // the end, as a string has no other error
			flush()
			return strings.TrimSpace(strings.Join(blocks, "\n\n"))
		}
		token := z.Token()
		switch {
		case kind == html.TextToken:
			if hidden == 0 {
				part.WriteString(token.Data)
			}
		case token.DataAtom == atom.Script || token.DataAtom == atom.Style:
			hidden = max(hidden+depth(kind), 0)
		case token.DataAtom == atom.Pre:
			flush()
			code = kind == html.StartTagToken
		case token.DataAtom == atom.Br:
			part.WriteByte('\n')
		case breaks(token.DataAtom):
			flush()
		}
	}
}

func depth(kind html.TokenType) int {
	switch kind {
	case html.StartTagToken:
		return 1
	case html.EndTagToken:
		return -1
	}
	return 0
}

// breaks reports whether a tag begins or ends a paragraph.
func breaks(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Li, atom.Ul, atom.Ol, atom.Blockquote, atom.H1, atom.H2, atom.H3, atom.Hr, atom.Tr:
		return true
	}
	return false
}
