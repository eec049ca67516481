package extract

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"codeberg.org/readeck/go-readability/v2"
	"github.com/JohannesKaufmann/html-to-markdown/v2/converter"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/base"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/commonmark"
	"github.com/JohannesKaufmann/html-to-markdown/v2/plugin/table"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/research-mcp/research-mcp/internal/text"
)

// fromHTML reads a page with the libraries, or with stripped if they fail: the
// parser refuses more than 512 nested elements.
func fromHTML(ctx context.Context, content string, at *url.URL) (Page, error) {
	page, err := readable(ctx, content, at)
	if ctx.Err() != nil {
		return Page{}, ctx.Err()
	}
	if err != nil {
		page = stripped(content)
	}
	page.Text = strings.TrimSpace(visible(page.Text))
	return page, nil
}

// readable extracts the main text of a page, or all text if there is no main part.
func readable(ctx context.Context, content string, at *url.URL) (page Page, err error) {
	// The libraries panic on some malformed pages.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("reading the page: panic: %v", r)
		}
	}()
	doc, err := html.Parse(strings.NewReader(content))
	if err != nil {
		return Page{}, fmt.Errorf("parsing the page: %w", err)
	}
	_, _ = removeHidden(doc)
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	parser := readability.NewParser()
	parser.KeepClasses = true // a class holds the language of a code block
	parser.Logger = slog.New(slog.DiscardHandler)
	article, err := parser.ParseDocument(doc, at)
	if err != nil {
		return Page{}, fmt.Errorf("finding the main text: %w", err)
	}
	page = Page{Title: article.Title(), Language: primarySubtag(article.Language())}
	if t, err := article.PublishedTime(); err == nil {
		page.Published = t.UTC()
	}
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	page.Text, err = markdown(mainNode(article.Node, doc))
	return page, err
}

// Readability is made for articles. A page is not an article if its main text has
// fewer letters than fewLetters and the body more than muchMore times as many.
const (
	fewLetters = 250
	muchMore   = 4
)

// mainNode returns the article, or the body without navigation, headers, footers,
// asides and forms.
func mainNode(article, doc *html.Node) *html.Node {
	body := find(doc, atom.Body)
	if body == nil {
		body = doc
	}
	remove(body, func(n *html.Node) bool {
		switch n.DataAtom {
		case atom.Nav, atom.Header, atom.Footer, atom.Aside, atom.Form, atom.Script:
			return true
		}
		return false
	})
	if article == nil {
		return body
	}
	if n := letters(article); n < fewLetters && letters(body) > muchMore*n {
		return body
	}
	return article
}

func markdown(n *html.Node) (string, error) {
	plainInlines(n)
	flatten(n, 0)
	conv := converter.NewConverter(
		converter.WithPlugins(
			base.NewBasePlugin(),
			commonmark.NewCommonmarkPlugin(commonmark.WithListEndComment(false)),
			table.NewTablePlugin(table.WithCellPaddingBehavior(table.CellPaddingBehaviorMinimal)),
		),
		// Text is quoted verbatim, so nothing is escaped.
		converter.WithEscapeMode(converter.EscapeModeDisabled),
	)
	out, err := conv.ConvertNode(n)
	if err != nil {
		return "", fmt.Errorf("writing Markdown: %w", err)
	}
	return string(out), nil
}

// plainInlines replaces links and emphasis by their text and removes images, so
// that sentences are indexed and quoted without markup.
func plainInlines(n *html.Node) {
	remove(n, func(n *html.Node) bool {
		return n.DataAtom == atom.Img || n.DataAtom == atom.Picture || n.DataAtom == atom.Source
	})
	each(n, func(n *html.Node) {
		switch n.DataAtom {
		case atom.A, atom.B, atom.Strong, atom.I, atom.Em, atom.U, atom.S, atom.Del, atom.Ins, atom.Mark, atom.Cite, atom.Dfn, atom.Font:
			n.DataAtom, n.Data, n.Attr = atom.Span, "span", nil
		}
	})
}

// maxIndent is the depth to which quotations, lists and tables may be nested. Each
// line is prefixed once per level, so a small page with deep nesting would
// otherwise become gigabytes of Markdown.
const maxIndent = 8

// flatten replaces elements nested deeper than maxIndent by plain blocks.
func flatten(n *html.Node, depth int) {
	for c := range n.ChildNodes() {
		inner := depth
		switch c.DataAtom {
		case atom.Blockquote, atom.Ul, atom.Ol, atom.Table, atom.Dl:
			inner++
		}
		if depth >= maxIndent {
			switch c.DataAtom {
			case atom.Blockquote, atom.Ul, atom.Ol, atom.Dl, atom.Li, atom.Dt, atom.Dd, atom.Pre,
				atom.Table, atom.Thead, atom.Tbody, atom.Tfoot, atom.Tr, atom.Td, atom.Th:
				c.DataAtom, c.Data, c.Attr = atom.Div, "div", nil
			}
		}
		flatten(c, inner)
	}
}

var subtag = text.Pattern(`^[A-Za-z]{2,3}`)

func primarySubtag(lang string) string {
	first, _, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(lang), "_", "-"), "-")
	if subtag().FindString(first) != first {
		return ""
	}
	return strings.ToLower(first)
}

// letters returns the approximate number of bytes of text in n.
func letters(n *html.Node) int {
	sum := 0
	each(n, func(n *html.Node) {
		if n.Type == html.TextNode {
			sum += len(text.Squash(n.Data))
		}
	})
	return sum
}

func find(n *html.Node, a atom.Atom) *html.Node {
	for c := range n.Descendants() {
		if c.DataAtom == a {
			return c
		}
	}
	return nil
}

func each(n *html.Node, do func(*html.Node)) {
	do(n)
	for c := range n.Descendants() {
		do(c)
	}
}

// remove removes the topmost descendants of n that match.
func remove(n *html.Node, match func(*html.Node) bool) {
	for c := n.FirstChild; c != nil; {
		next := c.NextSibling
		if match(c) {
			n.RemoveChild(c)
		} else {
			remove(c, match)
		}
		c = next
	}
}
