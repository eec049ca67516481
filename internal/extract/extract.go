// Package extract turns the bytes of a page into clean text, and text into
// chunks. It takes its input for hostile: what a reader of the page cannot see
// does not come through, sizes are bounded, and everything can run in an
// isolated process.
package extract

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html/charset"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// MaxInput is how many bytes of a page are read: parsers of HTML take seconds
// beyond it.
const MaxInput = 2 << 20

const maxTitle = 300 // bytes

// Page is what a reader sees of a page.
type Page struct {
	Title     string    `json:"title"`
	Text      string    `json:"text"`               // valid UTF-8; headings, lists, tables and code as Markdown, links and images without their markup
	Language  string    `json:"language,omitempty"` // as the page declares it, primary subtag alone
	Published time.Time `json:"published,omitzero"`
	Truncated bool      `json:"truncated,omitempty"` // only the first MaxInput bytes of the page, or of its text, are here
}

// kind of content, by which it is read.
type kind int

const (
	refused kind = iota
	markup
	plain
)

// HTML reads a page: HTML as the main text of it, plain text and Markdown as
// they are. contentType is the header of the response, or empty to look at the
// bytes; pageURL may be empty. Anything else than text, such as JSON, images
// and PDF, is an *evidence.Problem. A page without any text gives an empty Text.
//
// It looks at ctx between its steps, of which the longest takes a few seconds for
// the worst pages; where that is too long, use Isolated.
func HTML(ctx context.Context, raw []byte, contentType, pageURL string) (Page, error) {
	if len(raw) > MaxInput {
		return read(ctx, raw[:MaxInput], contentType, pageURL, true)
	}
	return read(ctx, raw, contentType, pageURL, false)
}

// read reads raw, which was cut off somewhere if cut.
func read(ctx context.Context, raw []byte, contentType, pageURL string, cut bool) (Page, error) {
	what, err := kindOf(raw, contentType)
	if err != nil {
		return Page{}, err
	}
	content, err := decode(raw, contentType, cut)
	if err != nil {
		return Page{}, err
	}
	if err := ctx.Err(); err != nil {
		return Page{}, err
	}
	var page Page
	if what == markup {
		at, _ := url.Parse(pageURL) // nil will do: it resolves links, which are dropped
		page, err = fromHTML(ctx, content, at)
	} else {
		page = Page{Title: heading(content), Text: strings.TrimSpace(visible(content))}
	}
	if err != nil {
		return Page{}, err
	}
	page.Title, _ = text.Cut(text.Squash(visible(page.Title)), maxTitle)
	page.Text, page.Truncated = text.Cut(page.Text, MaxInput) // Markdown can be longer than its HTML
	page.Truncated = page.Truncated || cut
	return page, ctx.Err()
}

func kindOf(raw []byte, contentType string) (kind, error) {
	sniffed, _, _ := mime.ParseMediaType(http.DetectContentType(raw))
	media := sniffed
	if contentType != "" {
		// A broken parameter does not matter: the type in front of it counts.
		media, _, _ = strings.Cut(contentType, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	k := refused
	switch media {
	case "text/html", "application/xhtml+xml":
		k = markup
	case "text/plain", "text/markdown", "text/x-markdown":
		k = plain
	}
	if k != refused && !strings.HasPrefix(sniffed, "text/") && len(raw) > 0 {
		k, media = refused, sniffed // a name does not make a picture a page
	}
	if k == refused && (isPDFType(media) || isPDFType(sniffed)) {
		return refused, &evidence.Problem{
			What: "the content is a PDF (application/pdf), and the setting " + SettingPDF + " is off",
			Try:  "set " + SettingPDF + " to true to have PDF read, or use the address of an HTML or plain text page",
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

// printable keeps a header's value from smuggling anything into a message.
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

// decode gives the content as UTF-8 by byte order mark, header, or <meta>; else
// it is UTF-8 if it is valid as that, or Windows-1252, as browsers do.
func decode(raw []byte, contentType string, cut bool) (string, error) {
	enc, name, certain := charset.DetermineEncoding(raw, contentType)
	whole := raw
	if cut {
		whole = trimPartialRune(raw)
	}
	if utf8.Valid(whole) && (!certain || name == "utf-8") {
		return strings.TrimPrefix(string(whole), "\uFEFF"), nil
	}
	out, err := enc.NewDecoder().Bytes(raw)
	if err != nil {
		return "", fmt.Errorf("decoding the page from %s: %w", name, err)
	}
	return strings.TrimPrefix(string(out), "\uFEFF"), nil
}

func trimPartialRune(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

// heading is the first line of Markdown if that is a heading.
func heading(content string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(content), "\n")
	if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
		return title
	}
	return ""
}

// blanks are letters and symbols without ink, which text.Clean keeps.
var blanks = []rune{0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0}

// Visible is what a reader sees of s, as all text of a Page is, in valid UTF-8:
// for who does not trust the process that a Page came from.
func Visible(s string) string { return visible(strings.ToValidUTF8(s, "\uFFFD")) }

// visible takes out what has no ink: text.Clean's characters, variation
// selectors, blank letters, and joiners where there is nothing to join.
func visible(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	var out strings.Builder
	out.Grow(len(s))
	for line := range strings.Lines(s) { // most have nothing but ASCII, which costs little
		if isPlainASCII(line) {
			out.WriteString(line)
		} else {
			out.WriteString(inked(line))
		}
	}
	return out.String()
}

func isPlainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' && c != '\n' && c != '\t') || c > '~' {
			return false
		}
	}
	return true
}

// inked is visible of a line.
func inked(s string) string {
	s, _ = text.Clean(s)
	var before rune
	return strings.Map(func(r rune) rune {
		joiner := r == 0x200C || r == 0x200D
		switch {
		case r >= 0xFE00 && r <= 0xFE0F, slices.Contains(blanks, r):
			return -1
		case joiner && before < 0x0600: // Latin, Greek, Cyrillic, or another joiner (below)
			return -1
		}
		before = r
		if joiner {
			before = 0
		}
		return r
	}, s)
}
