package extract

import (
	"net/url"
	"path"
	"strings"

	"github.com/research-mcp/research-mcp/internal/extract/decode"
	"github.com/research-mcp/research-mcp/internal/extract/markup"
	"github.com/research-mcp/research-mcp/internal/text"
)

// PlainText reads a text that is not HTML: Markdown, AsciiDoc, reStructuredText, Org,
// hard-wrapped text, or any other, which stays as it is. name is its file name or
// address, or empty: its ending tells the markup. contentType is the response header,
// which may name the character encoding, or empty. The text is not cut.
func PlainText(raw []byte, contentType, name string) Page {
	return plainText(raw, contentType, name, false)
}

// plainText is PlainText of bytes that may be only the beginning of a text.
func plainText(raw []byte, contentType, name string, cut bool) Page {
	decoded := decode.Bytes(raw, decode.Hints{ContentType: contentType, Cut: cut})
	name = fileName(name)
	if media, _, _ := strings.Cut(contentType, ";"); strings.HasSuffix(strings.TrimSpace(media), "markdown") {
		name = "page.md"
	}
	body, title := markup.Read(name, visible(decoded.Text))
	return Page{Title: title, Text: strings.TrimSpace(body), Warnings: decoded.Warnings()}
}

// fileName is the last part of an address or a path.
func fileName(address string) string {
	if u, err := url.Parse(address); err == nil && u.Path != "" {
		address = u.Path
	}
	return path.Base(address)
}

// visible is s without what a reader cannot see.
func visible(s string) string {
	s, _ = text.Clean(s)
	return s
}
