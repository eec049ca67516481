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

// SettingPDF is the setting by which PDF is read.
const SettingPDF = "fetch.pdf"

// MaxPDF is how many bytes a PDF may have. Its table of contents stands at its
// end, so that a longer one cannot be cut.
const MaxPDF = 16 << 20

// Defaults of PDFOptions.
const (
	DefaultPDFPages = 60
	DefaultPDFTime  = 5 * time.Second
)

// maxContent is how many bytes a PDF's page may be written in, unpacked: what is
// beyond it is no text that somebody typed.
const maxContent = 16 << 20

// PDFOptions bound what is read of a PDF. Zeros mean the defaults.
type PDFOptions struct {
	MaxPages int           `json:"max_pages"` // default 60
	MaxText  int           `json:"max_text"`  // bytes; default MaxInput
	MaxTime  time.Duration `json:"max_time"`  // default 5 s; what was read until then is the result
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

// PDF is the text of a PDF, page after page, Truncated when a bound cut it. A
// file that is broken, encrypted, too long or without text (scanned) is an
// *evidence.Problem.
//
// It holds its bounds against files that are merely bad; one made for it may
// still exhaust memory or stack, which ends the process. Strangers' files belong
// into Isolated.PDF.
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
		return Page{}, pdfProblem(errors.New("no text was found in what could be read of it within the bounds"))
	case page.Text == "":
		return Page{}, pdfProblem(errors.New("no text was found in it; it may be scanned pictures"))
	}
	return page, nil
}

func checkPDF(data []byte) error {
	switch {
	case len(data) > MaxPDF:
		return &evidence.Problem{What: fmt.Sprintf("the PDF has %d bytes, more than %d", len(data), MaxPDF), Try: "look for a shorter document, or a page that says the same"}
	case !bytes.HasPrefix(data, []byte("%PDF-")):
		return pdfProblem(errors.New("it does not begin like a PDF"))
	}
	return nil
}

func pdfProblem(err error) error {
	what := "the PDF cannot be read: " + printableReason(err)
	if errors.Is(err, pdf.ErrInvalidPassword) || strings.Contains(err.Error(), "encrypt") {
		what = "the PDF is encrypted, and cannot be read without its password"
	}
	return &evidence.Problem{What: what, Try: "look for a web page, or another file, that says the same"}
}

// printableReason keeps a stranger's bytes out of a message.
func printableReason(err error) string {
	reason, _ := text.Cut(text.Squash(strings.Map(func(r rune) rune {
		if r >= ' ' && r < 0x7F {
			return r
		}
		return ' '
	}, err.Error())), 120)
	return reason
}

// asVersion1 writes version 2 as 1.7, which reads the same and which the
// library insists on.
func asVersion1(data []byte) []byte {
	if !bytes.HasPrefix(data, []byte("%PDF-2.")) || len(data) < 8 {
		return data
	}
	data = bytes.Clone(data)
	data[5], data[7] = '1', '7'
	return data
}

// pdfFile ends the reading of a file when its time is up: the library takes no
// context, but reads the file again for each object and each piece of a stream.
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

// tooLate is thrown through the library, which catches what it takes for a
// mistake of the file, but lets errors of the runtime pass.
type tooLate struct{}

func (tooLate) Error() string { return "reading it takes too long" }
func (tooLate) RuntimeError() {}

// caught makes an error of a panic in do: the library throws them for what it
// does not expect.
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

// readPDF reads page after page until a bound, the end, or nonsense.
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

// TaskNamePDF is what TaskPDF is registered as.
const TaskNamePDF = "extract-pdf"

type inputPDF struct {
	Raw     []byte     `json:"raw"`
	Options PDFOptions `json:"options"`
}

// outputPDF carries a problem as what it is: a task's error is no more than text.
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

// PDF is the function of that name in a child process. Its other errors are
// those of Runner.Run.
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

// Page reads a page of whatever kind it is: PDF if ReadPDF, else as HTML does,
// which says for a PDF which setting would have it read.
func (i Isolated) Page(ctx context.Context, raw []byte, contentType, pageURL string) (Page, error) {
	if i.ReadPDF && IsPDF(raw, contentType) {
		return i.PDF(ctx, raw, PDFOptions{})
	}
	return i.HTML(ctx, raw, contentType, pageURL)
}

// IsPDF is true for what is a PDF by its bytes or by its header.
func IsPDF(raw []byte, contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return bytes.HasPrefix(raw, []byte("%PDF-")) || isPDFType(media)
}

func isPDFType(media string) bool { return media == "application/pdf" || media == "application/x-pdf" }
