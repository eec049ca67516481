package extract

import (
	"strings"

	"golang.org/x/net/html"
)

// stripped reads a page from its token stream, for pages that the parser refuses.
// It handles the title, paragraphs, and elements hidden by attributes and inline
// styles, but cannot find the main text or apply style sheets.
func stripped(content string) Page {
	var page Page
	var out strings.Builder
	var skip skipped
	inTitle := false
	z := html.NewTokenizer(strings.NewReader(content))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken: // end of input: a strings.Reader does not fail
			page.Text = out.String()
			return page
		case html.TextToken:
			if skip.depth > 0 {
				continue
			}
			if s := string(z.Text()); !inTitle {
				out.WriteString(s)
			} else if page.Title == "" {
				page.Title = s
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			inTitle = kind == html.StartTagToken && tok.Data == "title"
			switch {
			case skip.covers(kind, tok.Data):
			case kind == html.StartTagToken && !void[tok.Data] && hiddenToken(tok):
				skip = skipped{tok.Data, 1}
			case !inline[tok.Data]:
				breakLine(&out)
			}
		}
	}
}

// skipped is an element that is left out with its content, and how deep it is
// nested in itself.
type skipped struct {
	name  string
	depth int
}

// covers reports whether a tag is left out too, and takes account of it.
func (s *skipped) covers(kind html.TokenType, name string) bool {
	switch {
	case s.depth == 0:
		return false
	case name != s.name:
	case kind == html.EndTagToken:
		s.depth--
	case kind == html.StartTagToken && endsItself[name]:
		s.depth = 0
		return false
	case kind == html.StartTagToken:
		s.depth++
	}
	return true
}

func hiddenToken(tok html.Token) bool {
	return noText[tok.Data] || HiddenBy(tok.Attr)
}

// breakLine ends a paragraph if one is open.
func breakLine(out *strings.Builder) {
	if s := out.String(); s != "" && !strings.HasSuffix(s, "\n\n") {
		out.WriteString("\n\n")
	}
}

var void = map[string]bool{
	"area": true, "base": true, "br": true, "col": true, "hr": true, "img": true, "input": true, "link": true,
	"meta": true, "param": true, "source": true, "track": true, "wbr": true,
}

// endsItself holds elements that are closed by the next element of the same name.
var endsItself = map[string]bool{
	"dd": true, "dt": true, "li": true, "option": true, "p": true, "td": true, "th": true, "tr": true,
}

var inline = map[string]bool{
	"a": true, "abbr": true, "bdi": true, "bdo": true, "big": true, "data": true, "del": true, "dfn": true, "ins": true, "label": true, "output": true, "ruby": true, "rb": true, "samp": true, "strike": true, "tt": true, "x-formula": true, "slot": true, "nobr": true, "acronym": true, "math": true, "b": true, "cite": true, "code": true, "em": true, "font": true, "i": true, "kbd": true,
	"mark": true, "q": true, "s": true, "small": true, "span": true, "strong": true, "sub": true, "sup": true,
	"time": true, "u": true, "var": true, "wbr": true,
}
