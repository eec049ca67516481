package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract/decode"
	"github.com/research-mcp/research-mcp/internal/extract/office"
	"github.com/research-mcp/research-mcp/internal/isolate"
	"github.com/research-mcp/research-mcp/internal/text"
)

// SettingDocuments is the name of the setting that turns on reading documents of the
// net; see Isolated.ReadDocuments.
const SettingDocuments = "fetch.documents"

// MaxDocument is the maximum size of a document in bytes. A longer one is refused rather
// than cut, because an archive's table of contents is at its end.
const MaxDocument = MaxPDF

// documentTime bounds the reading of a document; what was read until then is kept.
const documentTime = 5 * time.Second

// IsDocument reports whether content may be an Office file, an EPUB book, a web archive
// or a zip file of pages. It looks at the first bytes alone.
func IsDocument(raw []byte) bool {
	return bytes.HasPrefix(raw, []byte("PK\x03\x04")) || bytes.HasPrefix(raw, []byte("PK\x05\x06")) || office.Detect(raw[:min(len(raw), 16<<10)]) != office.None
}

// Document returns the text of an Office file (docx, pptx, xlsx, odt, ods, odp), of an
// EPUB book, of a web archive (mht) or of a zip file of pages; Truncated if a bound was
// reached or a part is damaged. A file that is damaged, encrypted, too long, without
// text or of another kind is an *evidence.Problem.
func Document(ctx context.Context, raw []byte) (Page, error) {
	if err := checkDocument(raw); err != nil {
		return Page{}, err
	}
	bounded, cancel := context.WithTimeout(ctx, documentTime)
	defer cancel()
	doc, err := office.Read(bounded, raw, office.Detect(raw), MaxInput)
	if ctx.Err() != nil {
		return Page{}, ctx.Err()
	}
	if err != nil {
		return Page{}, documentProblem(err)
	}
	page := joinParts(bounded, doc)
	if ctx.Err() != nil {
		return Page{}, ctx.Err()
	}
	switch {
	case page.Text == "" && page.Truncated:
		return Page{}, documentProblem(errors.New("no text was found in the part that could be read within the limits"))
	case page.Text == "":
		return Page{}, documentProblem(errors.New("it has no text"))
	}
	return page, nil
}

func checkDocument(raw []byte) error {
	if len(raw) > MaxDocument {
		return &evidence.Problem{What: fmt.Sprintf("the document has %d bytes, more than %d", len(raw), MaxDocument), Try: "look for a shorter document, or split it into parts"}
	}
	return nil
}

func documentProblem(err error) error {
	p := &evidence.Problem{What: "the document cannot be read: " + printableReason(err), Try: "open it in its program, save it again, and read that file"}
	switch {
	case errors.Is(err, office.ErrEncrypted):
		p.What, p.Try = "the document is encrypted, and cannot be read without its password", "save it without a password, and read that file"
	case errors.Is(err, office.ErrLegacy):
		p.What, p.Try = "the document has the format of Office 97 to 2003 (.doc, .xls, .ppt), which is not read", "save it as .docx, .xlsx, .pptx or PDF, and read that file"
	case errors.Is(err, office.ErrBomb):
		p.What, p.Try = "the document cannot be read: its parts are far larger than the file, as those of a zip bomb are", "do not open it; look for the document elsewhere"
	case errors.Is(err, office.ErrUnknown):
		p.What, p.Try = "the file is an archive without a document of a known format", "unpack it, and read its files"
	}
	return p
}

// joinParts writes the parts of a document one after the other.
func joinParts(ctx context.Context, doc office.Document) Page {
	page := Page{Title: doc.Title, Language: primarySubtag(doc.Language), Published: doc.Modified, Truncated: doc.Truncated}
	var texts []string
	size := 0
	for _, part := range doc.Parts {
		if ctx.Err() != nil || size > MaxInput {
			page.Truncated = true
			break
		}
		p, err := readPart(ctx, part)
		if err != nil {
			page.Truncated = true
			continue
		}
		if page.Title == "" && part.ContentType != "" {
			page.Title = p.Title
		}
		if page.Language == "" {
			page.Language = p.Language
		}
		page.Truncated = page.Truncated || p.Truncated
		page.Warnings = append(page.Warnings, p.Warnings...)
		if p.Text != "" {
			texts = append(texts, p.Text)
			size += len(p.Text)
		}
	}
	if page.Title == "" && len(texts) > 0 {
		page.Title = firstHeading(texts[0])
	}
	page.Title, _ = text.Cut(text.Squash(visible(page.Title)), maxTitle)
	whole := strings.Join(texts, "\n\n")
	page.Text, _ = text.Cut(whole, MaxInput)
	page.Truncated = page.Truncated || len(page.Text) < len(whole)
	return page
}

// readPart turns a part into Markdown.
func readPart(ctx context.Context, part office.Part) (Page, error) {
	if part.ContentType != "" && !part.Whole {
		return HTML(ctx, part.HTML, part.ContentType, "")
	}
	content := string(part.HTML)
	if part.ContentType != "" {
		content = decode.Bytes(part.HTML, decode.Hints{Markup: true, XML: true}).Text
	}
	doc, uncertain, err := parse(ctx, content, true)
	if err != nil {
		return Page{}, err
	}
	meta := readMetadata(doc)
	readFormulas(doc)
	removeHidden(ctx, doc, uncertain)
	return Page{Title: meta.title(doc), Language: primarySubtag(meta.language), Text: strings.TrimSpace(visible(markdown(bodyOf(doc))))}, ctx.Err()
}

// TaskNameDocument is the name under which TaskDocument is registered.
const TaskNameDocument = "extract-document"

// TaskDocument is Document as a task of package isolate.
func TaskDocument(ctx context.Context, in []byte) ([]byte, error) {
	return isolate.JSON(func(ctx context.Context, in input) (output, error) {
		page, err := Document(ctx, in.Raw)
		var p *evidence.Problem
		if errors.As(err, &p) {
			return output{Problem: p}, nil
		}
		return output{Page: page}, err
	})(ctx, in)
}

// Document is the function Document in a child process. Other errors are those of
// Runner.Run.
func (i Isolated) Document(ctx context.Context, raw []byte) (Page, error) {
	if err := checkDocument(raw); err != nil {
		return Page{}, err
	}
	return i.runDocument(ctx, TaskNameDocument, input{Raw: raw})
}

// runDocument runs a task that returns a page or a Problem.
func (i Isolated) runDocument(ctx context.Context, task string, in any) (Page, error) {
	return i.run(ctx, task, in, "the document takes too long to read", "reading the document failed; it may take too much memory")
}

// documentsOff is the problem of a document where the setting is off.
func documentsOff() error {
	return &evidence.Problem{
		What: "the content is an Office file, a book or an archive, and the setting " + SettingDocuments + " is off",
		Try:  "set " + SettingDocuments + " to true to read such files of the net, or `research-mcp remember` its address",
	}
}

// firstHeading is the first line of Markdown if it is a heading, else "".
func firstHeading(content string) string {
	line, _, _ := strings.Cut(content, "\n")
	if title := strings.TrimLeft(line, "#"); title != line {
		return strings.TrimSpace(title)
	}
	return ""
}
