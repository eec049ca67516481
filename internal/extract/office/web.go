package office

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
)

// Bounds of a web archive.
const (
	maxHead     = 16 << 10 // bytes in which its headers are looked for
	maxSections = 2000
)

// isWebArchive reports whether raw is a page saved with its parts, in MIME (.mht).
func isWebArchive(raw []byte) bool {
	head := bytes.ToLower(raw[:min(len(raw), maxHead)])
	if end := bytes.Index(head, []byte("\n\n")); end >= 0 {
		head = head[:end]
	} else if end := bytes.Index(head, []byte("\r\n\r\n")); end >= 0 {
		head = head[:end]
	}
	if !bytes.Contains(head, []byte("mime-version:")) {
		return false
	}
	if bytes.Contains(head, []byte("snapshot-content-location:")) {
		return true
	}
	for _, field := range []string{"\nto:", "\nreceived:", "\nmessage-id:"} { // those of an e-mail
		if bytes.Contains(head, []byte(field)) {
			return false
		}
	}
	return bytes.Contains(head, []byte("multipart/related"))
}

// readWebArchive reads the page of a web archive, and the pages of its frames.
func readWebArchive(raw []byte) (Document, error) {
	var doc Document
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return doc, errors.New("its headers are damaged")
	}
	if at, err := m.Header.Date(); err == nil {
		doc.Modified = at.UTC()
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err == nil {
		doc.Title = subject
	}
	header := textproto.MIMEHeader(m.Header)
	doc.Truncated = !readSection(header, m.Body, &doc, 0)
	if len(doc.Parts) == 0 {
		if doc.Truncated {
			return doc, errors.New("the archive is damaged or cut off")
		}
		return doc, ErrUnknown
	}
	return doc, nil
}

// readSection reads a section and those within it. whole is false if it is damaged.
func readSection(header textproto.MIMEHeader, body io.Reader, doc *Document, depth int) (whole bool) {
	media, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return true
	}
	switch {
	case strings.HasPrefix(media, "multipart/") && depth < 4:
		r := multipart.NewReader(bufio.NewReader(body), params["boundary"])
		for range maxSections {
			p, err := r.NextRawPart()
			if errors.Is(err, io.EOF) {
				return true
			}
			if err != nil || !readSection(p.Header, p, doc, depth+1) {
				return false
			}
		}
		return false
	case media == "text/html", media == "application/xhtml+xml":
		content, err := io.ReadAll(io.LimitReader(decoded(header, body), maxPart))
		if len(content) > 0 {
			doc.Parts = append(doc.Parts, Part{HTML: content, ContentType: header.Get("Content-Type")})
		}
		return err == nil
	}
	return true
}

func decoded(header textproto.MIMEHeader, body io.Reader) io.Reader {
	switch strings.ToLower(strings.TrimSpace(header.Get("Content-Transfer-Encoding"))) {
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	}
	return body
}
