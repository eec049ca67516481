package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract/pdftext"
	"github.com/research-mcp/research-mcp/internal/isolate"
	"github.com/research-mcp/research-mcp/internal/text"
)

// SettingPDF is the name of the setting that turns on reading PDF.
const SettingPDF = "fetch.pdf"

// MaxPDF is the maximum size of a PDF in bytes. A longer one is refused rather than
// cut, because its cross-reference table is at its end.
const MaxPDF = 16 << 20

// Defaults of PDFOptions.
const (
	DefaultPDFPages = 400
	DefaultPDFTime  = 5 * time.Second
)

// PDFOptions bounds how much of a PDF is read. Zero means the default.
type PDFOptions struct {
	MaxPages int           `json:"max_pages"` // default 400
	MaxText  int           `json:"max_text"`  // bytes; default MaxInput
	MaxTime  time.Duration `json:"max_time"`  // default 5 s; the result is what was read until then
}

func (o PDFOptions) complete() PDFOptions {
	if o.MaxPages <= 0 {
		o.MaxPages = DefaultPDFPages
	}
	if o.MaxText <= 0 {
		o.MaxText = MaxInput
	}
	if o.MaxTime <= 0 {
		o.MaxTime = DefaultPDFTime
	}
	return o
}

// PDF returns the text of a PDF as Markdown; Truncated if a bound was reached or a page
// is damaged. A file that is damaged, encrypted, too long or without text (scanned) is
// an *evidence.Problem.
//
// A file made to attack the parser can still exhaust memory and end the process: use
// Isolated.PDF for untrusted files.
func PDF(ctx context.Context, data []byte, o PDFOptions) (Page, error) {
	o = o.complete()
	if err := checkPDF(data); err != nil {
		return Page{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, o.MaxTime)
	defer cancel()
	doc, err := pdftext.Read(bounded, data, pdftext.Options{MaxPages: o.MaxPages, MaxText: o.MaxText, Script: scriptText})
	if ctx.Err() != nil {
		return Page{}, ctx.Err()
	}
	if err != nil {
		return Page{}, pdfProblem(err)
	}
	page := Page{Truncated: doc.Truncated, Warnings: doc.Warnings}
	page.Title, _ = text.Cut(text.Squash(visible(doc.Title)), maxTitle)
	if page.Title == "(anonymous)" || page.Title == "untitled" { // what ReportLab writes without a title
		page.Title = ""
	}
	whole := strings.TrimSpace(visible(doc.Text))
	page.Text, _ = text.Cut(whole, o.MaxText)
	page.Truncated = page.Truncated || len(page.Text) < len(whole)
	if page.Text == "" {
		return Page{}, pdfProblem(pdftext.ErrNoText)
	}
	return page, nil
}

func checkPDF(data []byte) error {
	switch {
	case len(data) > MaxPDF:
		return &evidence.Problem{What: fmt.Sprintf("the PDF has %d bytes, more than %d", len(data), MaxPDF), Try: "look for a shorter document or a web page with the same content"}
	case !bytes.HasPrefix(data, []byte("%PDF-")):
		return pdfProblem(errors.New("it does not begin with %PDF-"))
	}
	return nil
}

func pdfProblem(err error) error {
	what := "the PDF cannot be read: " + printableReason(err)
	if errors.Is(err, pdftext.ErrEncrypted) {
		what = "the PDF is encrypted, and cannot be read without its password"
	} else if reason := err.Error(); strings.Contains(reason, "missing root") || strings.Contains(reason, "EOF") || strings.Contains(reason, "unexpected eof") {
		what = "the PDF cannot be read: it is damaged or cut off"
	}
	return &evidence.Problem{What: what, Try: "look for a web page or another file with the same content"}
}

// printableReason makes the text of err, which may quote the file, safe to show.
func printableReason(err error) string {
	reason, _ := text.Cut(text.Squash(strings.Map(func(r rune) rune {
		if r >= ' ' && r < 0x7F {
			return r
		}
		return ' '
	}, err.Error())), 120)
	return reason
}

// TaskNamePDF is the name under which TaskPDF is registered.
const TaskNamePDF = "extract-pdf"

type inputPDF struct {
	Raw     []byte     `json:"raw"`
	Options PDFOptions `json:"options"`
}

// TaskPDF is PDF as a task of package isolate.
func TaskPDF(ctx context.Context, in []byte) ([]byte, error) {
	return isolate.JSON(func(ctx context.Context, in inputPDF) (output, error) {
		page, err := PDF(ctx, in.Raw, in.Options)
		var p *evidence.Problem
		if errors.As(err, &p) {
			return output{Problem: p}, nil
		}
		return output{Page: page}, err
	})(ctx, in)
}

// PDF is the function PDF in a child process. Other errors are those of Runner.Run.
func (i Isolated) PDF(ctx context.Context, data []byte, o PDFOptions) (Page, error) {
	if err := checkPDF(data); err != nil {
		return Page{}, err
	}
	return i.runDocument(ctx, TaskNamePDF, inputPDF{Raw: data, Options: o})
}

// Page reads a page of any kind: a PDF with PDF if ReadPDF is set, a document with
// Document if ReadDocuments is set, anything else with HTML.
func (i Isolated) Page(ctx context.Context, raw []byte, contentType, pageURL string) (Page, error) {
	switch {
	case i.ReadPDF && IsPDF(raw, contentType):
		return i.PDF(ctx, raw, PDFOptions{})
	case IsDocument(raw) && i.ReadDocuments:
		return i.Document(ctx, raw)
	case IsDocument(raw):
		return Page{}, documentsOff()
	}
	return i.HTML(ctx, raw, contentType, pageURL)
}

// IsPDF reports whether content is a PDF by its first bytes or its header.
func IsPDF(raw []byte, contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return bytes.HasPrefix(raw, []byte("%PDF-")) || isPDFType(media)
}

func isPDFType(media string) bool { return media == "application/pdf" || media == "application/x-pdf" }
