// Package pdftext turns a PDF into Markdown. A page says where each letter stands;
// words, lines, columns, paragraphs, tables and headings follow from the positions
// and sizes. pdfcpu reads the objects of the file.
//
// The input is hostile: every loop over it is bounded by Options, the context or a
// constant. A file made for it can still exhaust memory: read it in a child process.
package pdftext

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Errors of Read, to be tested with errors.Is.
var (
	ErrEncrypted = errors.New("the PDF is encrypted")
	ErrNoText    = errors.New("it has no text; it may be a scan")
	ErrTooLate   = errors.New("no text was found in the part that could be read within the limits")
)

// Options bounds what is read. Every field is required.
type Options struct {
	MaxPages int
	MaxText  int // bytes, about
	// Script writes raised or lowered text after the text before it, so that the two
	// do not join: 10^6, H₂O.
	Script func(before, s string, raised bool) string
}

// Document is the text of a PDF.
type Document struct {
	Title     string
	Text      string // Markdown
	Truncated bool   // a bound or a damaged page ended the text early
	Warnings  []string
}

// Read reads a PDF until its end, a bound of o, or the end of ctx; in the last case
// the Document has the pages read until then.
func Read(ctx context.Context, raw []byte, o Options) (doc Document, err error) {
	defer func() { // pdfcpu reads malformed files in thousands of places
		if r := recover(); r != nil {
			err = fmt.Errorf("the file is malformed: %v", r)
		}
	}()
	f, err := open(ctx, raw)
	if err != nil {
		return Document{}, err
	}
	doc.Title = f.title()
	pages, complete := readPages(ctx, f, o)
	doc.Truncated = !complete
	letters, unmapped := 0, 0
	for i, p := range pages {
		letters, unmapped = letters+p.letters, unmapped+p.unmapped
		doc.Truncated = doc.Truncated || p.damaged
		pages[i].words = p.visibleWords()
	}
	doc.Text = layOut(pages, o)
	if unmapped*10 > letters {
		doc.Warnings = append(doc.Warnings, fmt.Sprintf("%d %% of the letters of the PDF cannot be read, because their fonts do not say which letters they are", 100*unmapped/letters))
	}
	switch {
	case strings.TrimSpace(doc.Text) != "":
		return doc, nil
	case doc.Truncated:
		return Document{}, ErrTooLate
	case unmapped > 0:
		return Document{}, errors.New("its fonts do not say which letters they show")
	}
	return Document{}, ErrNoText
}

// page is what was drawn on a page.
type page struct {
	words    []word
	letters  int  // that were drawn
	unmapped int  // of them without a known character
	damaged  bool // something of it could not be read
}

// visibleWords drops what a reader cannot see. The invisible words of a page without
// others are those of a scan that was recognised: they are the text.
func (p page) visibleWords() []word {
	seen := slices.ContainsFunc(p.words, func(w word) bool { return w.hidden == shown && strings.TrimSpace(w.s) != "" })
	return slices.DeleteFunc(p.words, func(w word) bool {
		return w.hidden == covered || w.hidden == unpainted && seen
	})
}

// readPages reads pages while the bounds hold. complete is false if pages are left.
func readPages(ctx context.Context, f *file, o Options) (pages []page, complete bool) {
	complete = true
	size := 0
	err := f.eachPage(func(p pageDict) bool {
		if len(pages) >= o.MaxPages || size >= o.MaxText || ctx.Err() != nil {
			complete = false
			return false
		}
		got := f.read(ctx, p, o.MaxText-size)
		for _, w := range got.words {
			size += len(w.s) + 1
		}
		pages = append(pages, got)
		return true
	})
	return pages, complete && err == nil && ctx.Err() == nil
}
