package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"strings"
	"time"

	"github.com/ledongthuc/pdf"

	"github.com/research-mcp/research-mcp/internal/evidence"
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
	DefaultPDFPages = 60
	DefaultPDFTime  = 5 * time.Second
)

// maxContent is the maximum size of a page's uncompressed content streams. More
// than that is not text.
const maxContent = 16 << 20

// PDFOptions bounds how much of a PDF is read. Zero means the default.
type PDFOptions struct {
	MaxPages int           `json:"max_pages"` // default 60
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

// PDF returns the text of a PDF, page after page; Truncated if a bound was reached.
// A file that is damaged, encrypted, too long or without text (scanned) is an
// *evidence.Problem.
//
// A file made to attack the parser can still exhaust memory or stack and end the
// process: use Isolated.PDF for untrusted files.
func PDF(ctx context.Context, data []byte, o PDFOptions) (Page, error) {
	o = o.complete()
	if err := checkPDF(data); err != nil {
		return Page{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, o.MaxTime)
	defer cancel()
	file := &pdfFile{ctx: bounded, data: asVersion1(data)}
	doc, err := openPDF(file)
	if ctx.Err() != nil {
		return Page{}, ctx.Err()
	}
	if err != nil {
		return Page{}, pdfProblem(err)
	}
	page := readPDF(bounded, doc, o)
	if ctx.Err() != nil {
		return Page{}, ctx.Err()
	}
	switch {
	case page.Text == "" && page.Truncated:
		return Page{}, pdfProblem(errors.New("no text was found in the part that could be read within the limits"))
	case page.Text == "":
		return Page{}, pdfProblem(errors.New("it has no text; it may be a scan"))
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
	if errors.Is(err, pdf.ErrInvalidPassword) || strings.Contains(err.Error(), "encrypt") {
		what = "the PDF is encrypted, and cannot be read without its password"
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

// asVersion1 changes version 2 to 1.7, the newest that the library accepts; the
// syntax is the same.
func asVersion1(data []byte) []byte {
	if !bytes.HasPrefix(data, []byte("%PDF-2.")) || len(data) < 8 {
		return data
	}
	data = bytes.Clone(data)
	data[5], data[7] = '1', '7'
	return data
}

// pdfFile is an io.ReaderAt that panics with tooLate once ctx is done. The library
// takes no context, but reads the file for each object and each part of a stream.
type pdfFile struct {
	ctx  context.Context //nolint:containedctx // a file's life is one call
	data []byte
}

func (f *pdfFile) ReadAt(p []byte, at int64) (int, error) {
	if f.ctx.Err() != nil {
		panic(tooLate{})
	}
	if at < 0 || at >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// tooLate is a panic value. It is a runtime error because the library recovers
// from other panics.
type tooLate struct{}

func (tooLate) Error() string { return "reading it takes too long" }
func (tooLate) RuntimeError() {}

// caught calls do and returns a panic as an error: the library panics on malformed
// files.
func caught(do func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = r
		default:
			err = fmt.Errorf("%v", r)
		}
	}()
	return do()
}

func openPDF(f *pdfFile) (doc *pdf.Reader, err error) {
	err = caught(func() error {
		doc, err = pdf.NewReader(f, int64(len(f.data)))
		return err
	})
	return doc, err
}

// readPDF reads pages until the end, a bound, or a page that cannot be found.
func readPDF(ctx context.Context, doc *pdf.Reader, o PDFOptions) Page {
	var page Page
	_ = caught(func() error {
		page.Title, _ = text.Cut(text.Squash(visible(doc.Trailer().Key("Info").Key("Title").Text())), maxTitle)
		return nil
	})
	var out strings.Builder
	for n := 1; ; n++ {
		var p pdf.Page
		err := caught(func() error { p = doc.Page(n); return nil })
		if err != nil || p.V.IsNull() {
			page.Truncated = page.Truncated || err != nil
			break
		}
		if n > o.MaxPages || ctx.Err() != nil || out.Len() >= o.MaxText {
			page.Truncated = true
			break
		}
		got, err := pageText(p, o.MaxText-out.Len())
		page.Truncated = page.Truncated || err != nil
		if got = strings.TrimSpace(visible(got)); got != "" {
			if out.Len() > 0 {
				out.WriteString("\n\n")
			}
			out.WriteString(got)
		}
	}
	whole := out.String()
	page.Text, _ = text.Cut(whole, o.MaxText)
	page.Truncated = page.Truncated || len(page.Text) < len(whole)
	return page
}

// TaskNamePDF is the name under which TaskPDF is registered.
const TaskNamePDF = "extract-pdf"

type inputPDF struct {
	Raw     []byte     `json:"raw"`
	Options PDFOptions `json:"options"`
}

// outputPDF holds the page or a Problem, since an error of a task crosses the
// process boundary only as text.
type outputPDF struct {
	Page    Page              `json:"page"`
	Problem *evidence.Problem `json:"problem,omitempty"`
}

// TaskPDF is PDF as a task of package isolate.
func TaskPDF(ctx context.Context, in []byte) ([]byte, error) {
	return isolate.JSON(func(ctx context.Context, in inputPDF) (outputPDF, error) {
		page, err := PDF(ctx, in.Raw, in.Options)
		var p *evidence.Problem
		if errors.As(err, &p) {
			return outputPDF{Problem: p}, nil
		}
		return outputPDF{Page: page}, err
	})(ctx, in)
}

// PDF is the function PDF in a child process. Other errors are those of Runner.Run.
func (i Isolated) PDF(ctx context.Context, data []byte, o PDFOptions) (Page, error) {
	if err := checkPDF(data); err != nil {
		return Page{}, err
	}
	var out outputPDF
	if err := i.Runner.Run(ctx, TaskNamePDF, inputPDF{Raw: data, Options: o}, &out); err != nil {
		return Page{}, err
	}
	if out.Problem != nil {
		return Page{}, out.Problem
	}
	return out.Page, nil
}

// Page reads a page of any kind: a PDF with PDF if ReadPDF is set, anything else
// with HTML.
func (i Isolated) Page(ctx context.Context, raw []byte, contentType, pageURL string) (Page, error) {
	if i.ReadPDF && IsPDF(raw, contentType) {
		return i.PDF(ctx, raw, PDFOptions{})
	}
	return i.HTML(ctx, raw, contentType, pageURL)
}

// IsPDF reports whether content is a PDF by its first bytes or its header.
func IsPDF(raw []byte, contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return bytes.HasPrefix(raw, []byte("%PDF-")) || isPDFType(media)
}

func isPDFType(media string) bool { return media == "application/pdf" || media == "application/x-pdf" }
