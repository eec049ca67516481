package extract

import (
	"context"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// fallbackSize is about the number of bytes of text in the noscript elements of a page
// that was parsed with scripts.
func fallbackSize(doc *html.Node) int {
	size := 0
	for n := range doc.Descendants() {
		if n.DataAtom != atom.Noscript || n.FirstChild == nil || n.Parent.DataAtom == atom.Head {
			continue
		}
		z := html.NewTokenizer(strings.NewReader(n.FirstChild.Data))
		for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
			if kind == html.TextToken {
				size += letterCount(string(z.Raw()))
			}
		}
	}
	return size
}

// withoutScripts is a page as a reader without scripts sees it, if that is more than
// twice the own text that it has with them; else it is page. What reads as an
// instruction is left out: a reader with scripts never sees it.
func withoutScripts(ctx context.Context, content string, at *url.URL, page Page, own int) Page {
	doc, _, err := parse(ctx, content, false)
	if err != nil {
		return page
	}
	for n := range doc.Descendants() {
		if n.DataAtom == atom.Noscript && n.Parent.DataAtom != atom.Head {
			n.Data, n.DataAtom = "div", atom.Div
		}
	}
	other, _, err := readTree(ctx, doc, true, at)
	if err != nil {
		return page
	}
	other.Text = withoutScriptNotes(other.Text)
	if size := letterCount(other.Text); size < minLandmark || size <= 2*own {
		return page
	}
	page.Text = other.Text
	page.Warnings = append(page.Warnings, "the page has no text with its scripts; the text is what it shows without them (noscript)")
	return page
}

// longestNote is the size of a block up to which a word about JavaScript makes it a note
// about the page, in bytes.
const longestNote = 300

// withoutScriptNotes drops the blocks that only tell a reader to turn scripts on.
func withoutScriptNotes(s string) string {
	var out []string
	for block := range strings.SplitSeq(s, "\n\n") {
		lower := strings.ToLower(block)
		if len(block) <= longestNote && (strings.Contains(lower, "javascript") || strings.Contains(lower, "java script")) {
			continue
		}
		out = append(out, block)
	}
	return strings.TrimSpace(strings.Join(out, "\n\n"))
}
