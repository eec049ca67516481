package research

import (
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	mdtext "github.com/yuin/goldmark/text"

	"github.com/research-mcp/research-mcp/internal/text"
)

var (
	// definition matches a definition of a link, at the beginning of a line, in a quote or
	// in a list. Group 1 is what stands before it.
	definition = text.Pattern(`(?m)^([ \t]*(?:(?:[>*+-]|\d{1,9}[.)])[ \t]*)*)\[(?:[^\[\]\\]|\\.)+\]:[ \t]*\n?[ \t]*(?:<[^<>\n]*>|[^\s<]\S*)(?:[ \t]*\n?[ \t]*(?:"[^"]*"|'[^']*'|\([^()]*\)))?[ \t]*$`)

	// autolink matches an address in angle brackets. Group 1 is the address.
	autolink = text.Pattern(`<((?:[a-zA-Z][a-zA-Z0-9+.-]{1,31}:|[\w.!#$%&'*+/=?^{|}~-]+@)[^<> ]*)>`)

	// tag matches a tag of HTML. Group 1 is its name.
	tag = text.Pattern(`</?([a-zA-Z][\w:-]*)(?:"[^"]*"|'[^']*'|[^'"<>])*>`)

	// addressed matches the attribute of a tag that has an address or a script.
	addressed = text.Pattern(`(?i)[\s"'/](?:href|src|srcset|srcdoc|action|formaction|poster|background|cite|longdesc|manifest|ping|usemap|xlink:href|style|content|data|to|values|on[a-z]+)\s*=`)

	// opener matches the beginning of a tag whose end is missing or hidden. Group 1 is its
	// name.
	opener = text.Pattern(`</?([a-zA-Z][\w:-]*)[^<]*`)

	// uri matches an address that stands in the text as such and is none of a page.
	uri = text.Pattern(`(?i)\b(?:(?:javascript|vbscript|livescript):[^\s<>"]+|data:(?:[\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+(?:=[\w.+-]+)?)*,[^\s<>"]*)`)
)

// active are the elements that do something without an address.
var active = map[string]bool{"script": true, "style": true, "iframe": true, "object": true, "embed": true, "svg": true, "math": true,
	"base": true, "meta": true, "link": true, "form": true}

// mostPasses is how often withoutAddresses looks again: what is removed may join the
// halves of something else.
const mostPasses = 4

// withoutAddresses returns Markdown in which only pages can be linked to: links with other
// addresses become their text, and pictures, definitions of links, tags with addresses and
// addresses of scripts and data are left out. Code in fences and between backticks stays
// as it is. Where something would still be left, the Markdown is made inert.
func withoutAddresses(markdown string) string {
	for range mostPasses {
		next := outsideCode(markdown, outsideSpans)
		if next == markdown {
			break
		}
		markdown = next
	}
	return harmless(markdown)
}

// harmless returns Markdown, or where a renderer would make a picture, a tag or a link to
// something else than a page of it, the same without links and tags at all.
func harmless(markdown string) string {
	if !alive(markdown) {
		return markdown
	}
	return strings.NewReplacer("](", "] (", "]:", "] :", "<", "< ").Replace(markdown)
}

// alive reports whether a renderer makes a picture, an active tag or a link to something
// else than a page of Markdown.
func alive(markdown string) bool {
	if !strings.Contains(markdown, "](") && !strings.Contains(markdown, "]:") && !strings.Contains(markdown, "<") {
		return false
	}
	source := []byte(markdown)
	parser := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough)).Parser()
	found := false
	_ = ast.Walk(parser.Parse(mdtext.NewReader(source)), func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering && isAlive(n, source) {
			found = true
			return ast.WalkStop, nil
		}
		return ast.WalkContinue, nil
	})
	return found
}

func isAlive(n ast.Node, source []byte) bool {
	switch n := n.(type) {
	case *ast.Image:
		return true
	case *ast.Link:
		return !linkable(string(n.Destination))
	case *ast.AutoLink:
		url := string(n.URL(source))
		return n.AutoLinkType == ast.AutoLinkEmail || !text.IsWebAddress(url) && !isScoped(url)
	case *ast.RawHTML:
		return isActive(string(n.Segments.Value(source)))
	case *ast.HTMLBlock:
		html := string(n.Lines().Value(source))
		if n.HasClosure() {
			html += string(n.ClosureLine.Value(source))
		}
		return isActive(html)
	}
	return false
}

// isActive reports whether HTML has a tag with an address, or of an active element. A
// backslash escapes nothing there.
func isActive(html string) bool {
	html = strings.ReplaceAll(html, `\`, "")
	return withoutTags(html) != html
}

// linkable reports whether a link may have this destination: a page, or a name, since
// table[key](value) is code.
func linkable(destination string) bool {
	return text.IsWebAddress(destination) || text.Scheme(destination) == "" && !strings.ContainsAny(destination, `/\\#.?%&:`)
}

// isScoped reports whether an address is a name of C++, such as std::string.
func isScoped(address string) bool {
	_, rest, _ := strings.Cut(address, ":")
	return strings.HasPrefix(rest, ":")
}

// citable is the address of a document that is cited: of a page, of a file, or a
// path, which may begin with the letter of a drive.
func citable(address string) string {
	if scheme := text.Scheme(address); len(scheme) > 1 && scheme != "file" && !text.IsWebAddress(address) {
		return ""
	}
	return address
}
