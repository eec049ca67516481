// Package office turns Office files, EPUB books and archived pages into HTML: headings,
// paragraphs, lists, tables, code, formulas and footnotes, without their looks.
//
// Archives are small readers over archive/zip and encoding/xml: the libraries that
// exist read one format each, keep whole files in memory, or have no bounds. The input
// is hostile; every part is bounded in bytes and elements. Read it in a child process.
package office

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind is a format of a document.
type Kind string

// The kinds that Read reads.
const (
	None        Kind = ""
	Word        Kind = "docx"
	Slides      Kind = "pptx"
	Sheets      Kind = "xlsx"
	OpenText    Kind = "odt"
	OpenSheets  Kind = "ods"
	OpenSlides  Kind = "odp"
	Book        Kind = "epub"
	WebArchive  Kind = "mhtml"
	ZippedPages Kind = "zip"
	Legacy      Kind = "legacy" // a file of Office 97 to 2003, or an encrypted one
)

// Errors of Read, to be tested with errors.Is.
var (
	ErrEncrypted = errors.New("it is encrypted")
	ErrBomb      = errors.New("its parts are far larger than the file")
	ErrLegacy    = errors.New("it has the format of Office 97 to 2003")
	ErrUnknown   = errors.New("it holds no document of a known format")
)

// Part is a piece of a document, in reading order.
type Part struct {
	HTML        []byte
	ContentType string // of a page from an archive; "" for HTML in UTF-8 that this package made
	Whole       bool   // all of the page is text, as in a book; else the page has a main part
}

// Document is the content of a file.
type Document struct {
	Title     string
	Language  string
	Modified  time.Time
	Parts     []Part
	Truncated bool // a bound or a damaged part ended the text early
}

// Detect returns the kind of raw by its first bytes and its table of contents. It reads
// no part of it.
func Detect(raw []byte) Kind {
	switch {
	case bytes.HasPrefix(raw, []byte("PK\x03\x04")), bytes.HasPrefix(raw, []byte("PK\x05\x06")):
		return detectZip(raw)
	case bytes.HasPrefix(raw, []byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")):
		return Legacy
	case isWebArchive(raw):
		return WebArchive
	}
	return None
}

// Read reads a document of a kind until its end, a bound or the end of ctx; in the last
// case the Document has what was read until then. maxText is a bound in bytes, about.
func Read(ctx context.Context, raw []byte, kind Kind, maxText int) (doc Document, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file is malformed: %v", r)
		}
	}()
	switch kind {
	case Legacy:
		if isEncryptedPackage(raw) {
			return Document{}, ErrEncrypted
		}
		return Document{}, ErrLegacy
	case WebArchive:
		return readWebArchive(raw)
	case None:
		return Document{}, ErrUnknown
	}
	a, err := openArchive(ctx, raw)
	if err != nil {
		return Document{}, err
	}
	switch kind {
	case Word:
		doc, err = readWord(a, maxText)
	case Slides:
		doc, err = readSlides(a, maxText)
	case Sheets:
		doc, err = readSheets(a, maxText)
	case OpenText, OpenSheets, OpenSlides:
		doc, err = readOpen(a, maxText)
	case Book:
		doc, err = readBook(a, maxText)
	default:
		doc, err = readPages(a, maxText)
	}
	if ctx.Err() != nil {
		doc.Truncated = true
	}
	return doc, err
}

// isEncryptedPackage reports whether an OLE file is an encrypted file of Office: its
// directory has a stream of that name, in UTF-16.
func isEncryptedPackage(raw []byte) bool {
	return bytes.Contains(raw, utf16le("EncryptedPackage"))
}

func utf16le(s string) []byte {
	out := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		out = append(out, s[i], 0)
	}
	return out
}

// properties sets the title, language and date of a document from its metadata.
func (d *Document) properties(n *node) {
	d.Title = strings.TrimSpace(n.find("title").allText())
	d.Language = strings.TrimSpace(n.find("language").allText())
	for _, name := range []string{"modified", "date", "created", "creation-date"} {
		s := strings.TrimSpace(n.find(name).allText())
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02"} {
			if at, err := time.Parse(layout, s[:min(len(s), len(layout)+8)]); err == nil {
				d.Modified = at.UTC()
				return
			}
		}
	}
}
