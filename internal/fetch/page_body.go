package fetch

import (
	"bufio"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

// maxPage is how many bytes of an HTML or text page are read. Parsing more
// takes seconds and seldom helps.
const maxPage = 2 << 20

// sniffed is how much of a body http.DetectContentType looks at.
const sniffed = 512

// readPage reads the body of a page, if its type can hold text.
func readPage(r *Response, body io.Reader, limit int64) error {
	if r.ContentType == "" {
		start := bufio.NewReaderSize(body, sniffed)
		head, _ := start.Peek(sniffed) // an error comes again at the next read
		r.ContentType = mediaType(http.DetectContentType(head))
		body = start
	}
	if !holdsText(r.ContentType) {
		return &Error{Kind: ContentType, Detail: "answered " + shortType(r.ContentType) + ", which is not text, a page or a PDF"}
	}
	if !mayCut(r.ContentType) {
		var err error
		r.Body, err = readAll(body, limit)
		return err
	}
	limit = min(limit, maxPage)
	got, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return err
	}
	if int64(len(got)) > limit {
		got, r.Truncated = wholeRunes(got[:limit]), true
	}
	r.Body = got
	return nil
}

// holdsText reports whether public clients read that content type.
func holdsText(t string) bool {
	switch t {
	case "application/xhtml+xml", "application/json", "application/ld+json", "application/x-ndjson", "application/feed+json",
		"application/xml", "application/rss+xml", "application/atom+xml", "application/rdf+xml",
		"application/pdf", "application/markdown", "application/x-markdown", "application/yaml", "application/javascript":
		return true
	}
	return strings.HasPrefix(t, "text/") || strings.HasPrefix(t, "application/") && (strings.HasSuffix(t, "+json") || strings.HasSuffix(t, "+xml"))
}

// mayCut reports whether the beginning of a body of that type is useful alone.
func mayCut(t string) bool {
	switch t {
	case "text/html", "application/xhtml+xml", "text/plain", "text/markdown", "application/markdown", "application/x-markdown":
		return true
	}
	return false
}

// wholeRunes removes an incomplete UTF-8 sequence from the end. Other encodings
// lose at most three bytes.
func wholeRunes(b []byte) []byte {
	for back := 1; back <= min(utf8.UTFMax-1, len(b)); back++ {
		if at := len(b) - back; utf8.RuneStart(b[at]) {
			if b[at] >= utf8.RuneSelf && !utf8.FullRune(b[at:]) {
				return b[:at]
			}
			break
		}
	}
	return b
}

// mediaType returns a content type without its parameters, in lower case.
func mediaType(s string) string {
	t, _, _ := mime.ParseMediaType(s)
	return t
}

// maxCharset is longer than any charset's name.
const maxCharset = 40

// charsetOf returns the charset of a content type in lower case; empty if there
// is none or it cannot be a charset's name.
func charsetOf(s string) string {
	_, parameters, _ := mime.ParseMediaType(s)
	name := strings.ToLower(parameters["charset"])
	strange := strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.:+", r)
	})
	if strange || len(name) > maxCharset {
		return ""
	}
	return name
}
