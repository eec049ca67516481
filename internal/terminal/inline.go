package terminal

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"github.com/research-mcp/research-mcp/internal/text"
)

// inline returns the text in a block as lines of spans.
func (r *renderer) inline(n ast.Node, as style) [][]span {
	lines := [][]span{nil}
	r.spans(n, as, &lines)
	return lines
}

func (r *renderer) spans(n ast.Node, as style, lines *[][]span) {
	add := func(words string, as style) {
		last := len(*lines) - 1
		(*lines)[last] = append((*lines)[last], span{words, as})
	}
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			add(string(unescape(c.Segment.Value(r.source))), as)
			switch {
			case c.HardLineBreak():
				*lines = append(*lines, nil)
			case c.SoftLineBreak():
				add(" ", as)
			}
		case *ast.String:
			add(string(c.Value), as)
		case *ast.CodeSpan:
			add("`"+r.plainText(c)+"`", as.with(cyan))
		case *ast.Emphasis:
			r.emphasis(c, as, lines, add)
		case *extast.Strikethrough:
			add(struckMark(r.s), as)
			r.spans(c, as.with(struck), lines)
			add(struckMark(r.s), as)
		case *ast.Link:
			r.spans(c, as.with(underline), lines)
			if url := string(c.Destination); isShown(url) && r.plainText(c) != url {
				add(" ("+url+")", as.with(dim))
			}
		case *ast.Image:
			add("["+r.plainText(c)+"]", as.with(dim))
		case *ast.AutoLink:
			if url := string(c.URL(r.source)); isShown(url) || c.AutoLinkType == ast.AutoLinkEmail || strings.Contains(url, "::") {
				add(url, as.with(underline))
			}
		case *ast.RawHTML:
			for i := range c.Segments.Len() {
				at := c.Segments.At(i)
				add(string(at.Value(r.source)), as)
			}
		default:
			r.spans(c, as, lines)
		}
	}
}

// isShown reports whether the address of a link is shown: that of a page, or one within
// the document. A script or data is no address for a person.
func isShown(url string) bool {
	scheme := text.Scheme(url)
	return url != "" && (scheme == "" || scheme == "http" || scheme == "https")
}

// emphasis writes emphasised text. Underscores are shown: in what sources say they are
// parts of names, such as __init__, far more often than emphasis.
func (r *renderer) emphasis(n *ast.Emphasis, as style, lines *[][]span, add func(string, style)) {
	mark := ""
	if t, ok := n.FirstChild().(*ast.Text); ok && t.Segment.Start > 0 && r.source[t.Segment.Start-1] == '_' {
		mark = strings.Repeat("_", n.Level)
	}
	emphasis := italic
	if n.Level > 1 {
		emphasis = bold
	}
	add(mark, as)
	r.spans(n, as.with(emphasis), lines)
	add(mark, as)
}

// struckMark is around struck-out text where that cannot be shown: without it the text
// would say the opposite.
func struckMark(s Screen) string {
	if s.Bold {
		return ""
	}
	return "~~"
}

// plainText is the text in n without styles.
func (r *renderer) plainText(n ast.Node) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(r.source))
			continue
		}
		b.WriteString(r.plainText(c))
	}
	return b.String()
}

// unescape removes the backslashes before punctuation.
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && strings.IndexByte("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", b[i+1]) >= 0 {
			i++
		}
		out = append(out, b[i])
	}
	return out
}
