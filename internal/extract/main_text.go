package extract

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"

	"codeberg.org/readeck/go-readability/v2"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// fromHTML reads a page by its tree, or with stripped if that fails.
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
	doc, uncertain, err := parse(ctx, content, true)
	if err != nil {
		return Page{}, fmt.Errorf("parsing the page: %w", err)
	}
	fallback := fallbackSize(doc)
	page, own, err := readTree(ctx, doc, uncertain, at)
	if err == nil && own < minOwnText && fallback > 2*own {
		page = withoutScripts(ctx, content, at, page, own)
	}
	return page, err
}

// readTree extracts the text of a parsed page. own is the number of bytes of text
// that is not in links.
func readTree(ctx context.Context, doc *html.Node, uncertain bool, at *url.URL) (page Page, own int, err error) {
	meta := readMetadata(doc)
	readFormulas(doc)
	kept, removed := removeHidden(ctx, doc, uncertain)
	if err := ctx.Err(); err != nil {
		return Page{}, 0, err
	}
	page = Page{Title: meta.title(doc), Language: primarySubtag(meta.language), Published: meta.published}
	removeConsent(bodyOf(doc))
	whole := proseSize(bodyOf(doc))
	part := mainPart(doc, at)
	left := proseSize(part)
	if page.Text = markdown(part); page.Text == "" {
		page.Text = markdown(bodyOf(doc))
		left = whole
	}
	own = left
	if left < minOwnText {
		if linked := meta.linked.text(); linked != "" {
			page.Text, own = linked, len(linked)
			page.Warnings = append(page.Warnings, "the page has no text without its scripts; the text is that of its linked data (JSON-LD)")
		}
	}
	if uncertain {
		page.Warnings = append(page.Warnings, "the page has too many elements, or too many within each other; a part of its structure was left out")
	}
	if removed > minRemoved && removed > kept/2 {
		page.Warnings = append(page.Warnings, fmt.Sprintf("%d %% of the text of the page are hidden from a reader, and were left out", 100*removed/(kept+removed)))
	}
	if outside := whole - left; outside > minRemoved && outside > whole/3 {
		page.Warnings = append(page.Warnings, fmt.Sprintf("%d %% of the text of the page are outside of its main part, and were left out", 100*outside/whole))
	}
	return page, own, ctx.Err()
}

const (
	minOwnText = 200 // bytes of visible text below which that of linked data is used
	minRemoved = 100 // bytes of text left out that are worth a warning
)

// parse parses a page. One with too many elements, nested or formatting ones, is
// bounded first. Then all of its text is doubtful: a style sheet may have hidden it
// by elements that were left out. Without scripts, what is in noscript elements is
// parsed, too.
func parse(ctx context.Context, content string, scripts bool) (doc *html.Node, uncertain bool, err error) {
	many, unended := suspicious(content)
	if !many && !unended {
		doc, err = parseTree(ctx, content, scripts)
		if err == nil || ctx.Err() != nil {
			return doc, false, err
		}
		unended = true // too deep
	}
	content, lossy := boundMarkup(content, unended)
	doc, err = parseTree(ctx, content, scripts)
	if err == nil && unended {
		restoreFormatting(doc)
	}
	return doc, lossy || unended, err
}

func parseTree(ctx context.Context, content string, scripts bool) (*html.Node, error) {
	return html.ParseWithOptions(&patientReader{ctx: ctx, r: strings.NewReader(content)}, html.ParseOptionEnableScripting(scripts))
}

// patientReader fails when ctx is done, which ends the parser.
type patientReader struct {
	ctx context.Context //nolint:containedctx // a reader's life is one call
	r   io.Reader
}

func (p *patientReader) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

// mainPart returns the part of the page that a person comes for: its main element
// or article, or what readability finds, or the body without navigation.
func mainPart(doc *html.Node, at *url.URL) *html.Node {
	body := bodyOf(doc)
	total := visibleTextSize(body)
	if n := landmark(body, total); n != nil {
		removeFurniture(n)
		return n
	}
	var article *html.Node
	if elements(body) < maxReadability {
		article = readabilityArticle(doc, at)
	}
	removeFurniture(body)
	if article == nil {
		return body
	}
	if inArticle, inBody := proseSize(article), proseSize(body); inArticle*10 < inBody*7 {
		return body
	}
	// What is around it without much of its own, such as a heading, belongs to it.
	for size := visibleTextSize(article); article != body && article.Parent != nil; article = article.Parent {
		if visibleTextSize(article.Parent)*4 > size*5 {
			break
		}
	}
	return article
}

// maxReadability is the number of elements beyond which readability is too slow.
const maxReadability = 20_000

// markAttr numbers the elements of a page while readability works on its copy.
const markAttr = "data-x-mark"

// readabilityArticle returns the innermost element of the page around all that
// readability takes for the article, or nil. What readability itself returns lacks
// parts of it, such as sections with many links.
func readabilityArticle(doc *html.Node, at *url.URL) *html.Node {
	var marked []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode {
			n.Attr = append(n.Attr, html.Attribute{Key: markAttr, Val: strconv.Itoa(len(marked))})
			marked = append(marked, n)
		}
	}
	defer func() {
		for _, n := range marked {
			n.Attr = n.Attr[:len(n.Attr)-1]
		}
	}()
	parser := readability.NewParser()
	parser.KeepClasses = true
	parser.Logger = slog.New(slog.DiscardHandler)
	article, err := parser.ParseDocument(doc, at)
	if err != nil || article.Node == nil {
		return nil
	}
	var around *html.Node
	for n := range article.Node.Descendants() {
		i, err := strconv.Atoi(attribute(n.Attr, markAttr))
		if err != nil || i < 0 || i >= len(marked) || visibleTextSize(marked[i]) == 0 {
			continue
		}
		if around == nil {
			around = marked[i]
		}
		for around != nil && !attached(marked[i], around) {
			around = around.Parent
		}
	}
	return around
}

func bodyOf(doc *html.Node) *html.Node {
	if body := findElement(doc, "body"); body != nil {
		return body
	}
	return doc
}

func elements(n *html.Node) int {
	count := 0
	for range n.Descendants() {
		count++
	}
	return count
}

// minLandmark is the text below which a main element is taken for empty.
const minLandmark = 20

// landmark returns the main element, or the article if there is one that holds
// most of the text, or nil.
func landmark(body *html.Node, total int) *html.Node {
	var mains, articles []*html.Node
	for n := range body.Descendants() {
		switch {
		case n.DataAtom == atom.Main || attribute(n.Attr, "role") == "main":
			if len(mains) == 0 || !attached(n, mains[len(mains)-1]) {
				mains = append(mains, n)
			}
		case n.DataAtom == atom.Article || attribute(n.Attr, "itemprop") == "articleBody":
			if len(articles) == 0 || !attached(n, articles[len(articles)-1]) {
				articles = append(articles, n)
			}
		}
	}
	if len(mains) == 1 {
		if size := visibleTextSize(mains[0]); size >= minLandmark && size*10 >= total {
			return mains[0]
		}
	}
	for _, a := range articles {
		if size := visibleTextSize(a); size >= 2*minLandmark && size*2 >= total {
			return aroundAll(a, articles)
		}
	}
	return nil
}

// aroundAll returns an article, or the element around it and those like it: the
// posts of a forum. Teasers of other articles are mostly links.
func aroundAll(article *html.Node, articles []*html.Node) *html.Node {
	around := article
	for _, a := range articles {
		if a.Parent != article.Parent && attribute(a.Attr, "class") != attribute(article.Attr, "class") || proseSize(a)*2 < visibleTextSize(a) {
			continue
		}
		for around.Parent != nil && !attached(a, around) {
			around = around.Parent
		}
	}
	return around
}

// removeFurniture removes navigation, headers, footers, asides and forms from a
// main part. What holds most of its text stays.
func removeFurniture(root *html.Node) {
	sizes := map[*html.Node]textSize{}
	total := measure(root, sizes)
	remove(root, func(n *html.Node) bool {
		if n.Type != html.ElementNode {
			return false
		}
		size := sizes[n]
		switch {
		case n.DataAtom == atom.Script:
			return true
		case isNavigation(n), n.DataAtom == atom.Form:
		case n.DataAtom == atom.Header || n.DataAtom == atom.Footer || n.DataAtom == atom.Aside:
			if inMain(n, root) && size.prose*10 > size.all*6 {
				return false
			}
		default:
			return false
		}
		return size.all*2 < total.all
	})
}

func isNavigation(n *html.Node) bool {
	switch attribute(n.Attr, "role") {
	case "navigation", "search", "contentinfo":
		return true
	}
	return n.DataAtom == atom.Nav
}

// textSize is the number of bytes of text, and of those that are not in links.
type textSize struct{ all, prose int }

// measure returns the size of n and stores those of the elements in it.
func measure(n *html.Node, sizes map[*html.Node]textSize) textSize {
	if n.Type == html.TextNode {
		size := letterCount(n.Data)
		return textSize{size, size}
	}
	if n.Type == html.ElementNode && neverText(n) {
		return textSize{}
	}
	var sum textSize
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		size := measure(c, sizes)
		sum.all, sum.prose = sum.all+size.all, sum.prose+size.prose
	}
	if n.DataAtom == atom.A && has(n.Attr, "href") {
		sum.prose = 0
	}
	switch n.DataAtom {
	case atom.A, atom.B, atom.I, atom.Span, atom.P, atom.Li, atom.Td:
		if !isNavigation(n) {
			return sum // never removed
		}
	}
	sizes[n] = sum
	return sum
}

// inMain reports whether n is in an article or in the main part itself.
func inMain(n, root *html.Node) bool {
	for p := n.Parent; p != nil; p = p.Parent {
		switch p.DataAtom {
		case atom.Article, atom.Main, atom.Blockquote:
			return true
		case atom.Body:
			return false
		}
		if p == root {
			return true
		}
	}
	return false
}

// proseSize is the size of the text of n that is not in links.
func proseSize(n *html.Node) int {
	if n.DataAtom == atom.A && has(n.Attr, "href") || n.Type == html.ElementNode && neverText(n) {
		return 0
	}
	if n.Type == html.TextNode {
		return letterCount(n.Data)
	}
	sum := 0
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		sum += proseSize(c)
	}
	return sum
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

// wholeHTML is all visible text of a piece of HTML, which has no parts beside the main
// one: an e-mail, an output of a program.
func wholeHTML(ctx context.Context, content string) string {
	body, err := wholeTree(ctx, content)
	if err != nil {
		body = stripped(content).Text
	}
	return strings.TrimSpace(visible(body))
}

func wholeTree(ctx context.Context, content string) (body string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("reading HTML: panic: %v", r)
		}
	}()
	doc, uncertain, err := parse(ctx, content, true)
	if err != nil {
		return "", err
	}
	readFormulas(doc)
	removeHidden(ctx, doc, uncertain)
	return markdown(bodyOf(doc)), ctx.Err()
}
