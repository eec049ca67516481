// Package extract turns the bytes of a page into clean text, and text into
// chunks. It treats its input as hostile: text that a reader of the page cannot
// see is dropped, sizes are bounded, and everything can run in a child process.
package extract

import (
	"context"
	"fmt"
	"mime"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract/decode"
	"github.com/research-mcp/research-mcp/internal/text"
)

// MaxInput is the number of bytes of a page that are read. HTML parsers take
// seconds for longer pages.
const MaxInput = 2 << 20

const maxTitle = 300 // bytes

// Page is the visible text of a page.
type Page struct {
	Title     string    `json:"title"`
	Text      string    `json:"text"`               // valid UTF-8; headings, lists, tables and code as Markdown, without links, emphasis and images
	Language  string    `json:"language,omitempty"` // primary subtag, as the page declares it
	Published time.Time `json:"published,omitzero"`
	Truncated bool      `json:"truncated,omitempty"` // the page, or its text, was cut at MaxInput bytes
	Warnings  []string  `json:"warnings,omitempty"`  // of what is not as the page shows it
}

// kind of content.
type kind int

const (
	refused kind = iota
	hypertext
	plain
	interactive // a Jupyter notebook
	letter      // an e-mail
)

// Media types of files by their endings, where a server or a file system names none.
const (
	TypeNotebook = "application/x-ipynb+json"
	TypeMail     = "message/rfc822"
)

// HTML reads a page: the main text of HTML, and plain text as PlainText does.
// contentType is the response header; if it is empty, the type is detected
// from the bytes. pageURL is the address or the name of a file, and may be empty; its
// ending tells Jupyter notebooks (.ipynb) and e-mails (.eml), which are read, too.
// Content of any other type, such as JSON, images and PDF, is an *evidence.Problem. The
// Text of a page without text is empty.
//
// HTML checks ctx between its steps. The longest step takes a few seconds for the
// worst pages; use Isolated where that is too long.
func HTML(ctx context.Context, raw []byte, contentType, pageURL string) (Page, error) {
	if len(raw) > MaxInput {
		return read(ctx, raw[:MaxInput], contentType, pageURL, true)
	}
	return read(ctx, raw, contentType, pageURL, false)
}

// read reads raw. cut means that raw is only the beginning of the page.
func read(ctx context.Context, raw []byte, contentType, pageURL string, cut bool) (Page, error) {
	what, err := kindOf(raw, contentType, pageURL)
	if err != nil {
		return Page{}, err
	}
	var page Page
	switch what {
	case hypertext:
		at, _ := url.Parse(pageURL) // may be nil: it only resolves links, which are dropped
		decoded := decode.Bytes(raw, decode.Hints{ContentType: contentType, Markup: true, Cut: cut})
		if err := ctx.Err(); err != nil {
			return Page{}, err
		}
		page, err = fromHTML(ctx, decoded.Text, at)
		page.Warnings = append(decoded.Warnings(), page.Warnings...)
	case interactive:
		page, err = fromNotebook(ctx, raw)
	case letter:
		page, err = fromMail(ctx, raw)
	default:
		page = plainText(raw, contentType, pageURL, cut)
	}
	if err != nil {
		return Page{}, err
	}
	page.Title, _ = text.Cut(text.Squash(visible(page.Title)), maxTitle)
	body, long := text.Cut(page.Text, MaxInput) // Markdown can be longer than its HTML
	page.Text, page.Truncated = body, page.Truncated || long || cut
	return page, ctx.Err()
}

// kindOf tells what a page is by its header, its bytes and the ending of its name.
func kindOf(raw []byte, contentType, name string) (kind, error) {
	sniffed, _, _ := mime.ParseMediaType(decode.MediaType(raw))
	media := sniffed
	if contentType != "" {
		// A malformed parameter is ignored; only the type counts.
		media, _, _ = strings.Cut(contentType, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	k := refused
	switch media = byEnding(media, name); media {
	case "text/html", "application/xhtml+xml":
		k = hypertext
	case "text/plain", "text/markdown", "text/x-markdown":
		k = plain
	case TypeNotebook:
		k = interactive
	case TypeMail:
		k = letter
	}
	if k != refused && !strings.HasPrefix(sniffed, "text/") && len(raw) > 0 {
		k, media = refused, sniffed // binary content under a text type
	}
	if k == refused && (isPDFType(media) || isPDFType(sniffed)) {
		return refused, &evidence.Problem{
			What: "the content is a PDF (application/pdf), and the setting " + SettingPDF + " is off",
			Try:  "set " + SettingPDF + " to true to read PDF, or use the address of an HTML or plain text page",
		}
	}
	if k == refused {
		return refused, &evidence.Problem{
			What: fmt.Sprintf("the content is %s, not a page of text", printable(media)),
			Try:  "use the address of an HTML or plain text page",
		}
	}
	return k, nil
}

// byEnding is the media type of a file with an ending that few servers know.
func byEnding(media, name string) string {
	switch media {
	case "text/plain", "application/json", "application/octet-stream":
	default:
		return media
	}
	switch strings.ToLower(path.Ext(fileName(name))) {
	case ".ipynb":
		return TypeNotebook
	case ".eml":
		return TypeMail
	}
	return media
}

// printable makes a header value safe to show in a message.
func printable(media string) string {
	media, _ = text.Cut(strings.Map(func(r rune) rune {
		if r > ' ' && r < unicode.MaxASCII {
			return r
		}
		return -1
	}, media), 60)
	if media == "" {
		return "of an unknown type"
	}
	return media
}
