package sources

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
)

// fileTypes are the media types of the files that are read, by file extension.
var fileTypes = map[string]string{
	".md": "text/markdown", ".markdown": "text/markdown", ".txt": "text/plain", ".text": "text/plain", ".rst": "text/plain",
	".rest": "text/plain", ".mdx": "text/markdown",
	".org": "text/plain", ".adoc": "text/plain", ".asciidoc": "text/plain", ".html": "text/html", ".htm": "text/html", ".xhtml": "text/html",
	".ipynb": extract.TypeNotebook, ".eml": extract.TypeMail,
	".pdf": typePDF, ".docx": typeDocument, ".pptx": typeDocument, ".xlsx": typeDocument, ".odt": typeDocument, ".ods": typeDocument,
	".odp": typeDocument, ".epub": typeDocument, ".mht": typeDocument, ".mhtml": typeDocument,
}

// Types of files that are read whole, as their tables of contents are at the end. Where
// the reader has PDF and documents turned off, they are files without text.
const (
	typePDF      = "application/pdf"
	typeDocument = "application/octet-stream" // known by its first bytes
)

// maxBytes is how much of a file of a type is read.
func maxBytes(kind string) int64 {
	switch kind {
	case typePDF:
		return extract.MaxPDF
	case typeDocument:
		return extract.MaxDocument
	}
	return maxFileBytes
}

// indexedFile is a file that was read.
type indexedFile struct {
	path      string // within the folder, with slashes
	size      int64
	modified  time.Time
	title     string
	language  string
	published time.Time
	truncated bool
	warning   string      // of what may be wrong in the text
	parts     []*filePart // none: it holds no text, or cannot be read
	failed    int         // attempts that failed for a reason that may pass
}

// maxTries is how often a file is read when the reader fails: a reader that was
// busy or killed may succeed next time, and one that the file itself crashes
// would delay every question.
const maxTries = 3

// current is f if the file has not changed since, else nil.
func (f *indexedFile) current(now indexedFile) *indexedFile {
	if f == nil || f.size != now.size || !f.modified.Equal(now.modified) {
		return nil
	}
	return f
}

func (f *indexedFile) bytes() int {
	n := 0
	for _, p := range f.parts {
		n += len(p.text)
	}
	return n
}

// names are the file's title and path.
func (f *indexedFile) names() string {
	if f.title == f.path {
		return f.path
	}
	return f.title + "\n" + f.path
}

// filePart is a part of a file's text, short enough for a document.
type filePart struct {
	file   *indexedFile
	number int // from 1
	text   string
	pieces []piece // what is ranked
}

func extension(name string) string { return strings.ToLower(path.Ext(name)) }

// read reads one file. A file without text has no parts, nor has one that the
// reader fails on. The end of ctx interrupts the reader, and that of life the rest, too:
// a long file that had to be begun again for each search would never be ready.
func (x *folderIndex) read(ctx, life context.Context, root *os.Root, it indexedFile) (*indexedFile, error) {
	raw, err := readHead(root, it.path, maxBytes(fileTypes[extension(it.path)]))
	if err != nil {
		return nil, err
	}
	kind := fileTypes[extension(it.path)]
	reader := x.pages
	if strings.HasPrefix(kind, "text/") && kind != "text/html" {
		reader = inProcess{} // there is no HTML to parse
	}
	page, err := reader.Page(ctx, raw, kind, path.Base(it.path))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	f := &it
	f.title = it.path
	var refused *evidence.Problem
	switch {
	case err == nil:
		f.failed = 0
		if err := f.setPage(life, page, x.pieces); err != nil {
			return nil, err
		}
	case errors.As(err, &refused): // not a text, whatever its extension
		f.failed = 0
	default:
		f.failed++
	}
	return f, nil
}

// setPage sets the fields that come from the file's content. It ends with ctx's error
// when ctx ends first: a long file takes seconds.
func (f *indexedFile) setPage(ctx context.Context, page extract.Page, pieces func(names, body string) []piece) error {
	f.title, f.language, f.published = cmp.Or(page.Title, f.path), page.Language, page.Published
	kind := fileTypes[extension(f.path)]
	f.truncated = page.Truncated || f.size > maxBytes(kind) && kind != extract.TypeNotebook // most of that is pictures
	f.warning = strings.Join(page.Warnings, "; ")
	for _, t := range cutParts(page.Text) {
		if err := ctx.Err(); err != nil {
			return err
		}
		f.parts = append(f.parts, &filePart{file: f, number: len(f.parts) + 1, text: t, pieces: pieces(f.names(), t)})
	}
	return nil
}

// readHead returns the first bytes of a file, at most limit.
func readHead(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read from
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, fs.ErrInvalid)
	}
	if extension(name) == ".ipynb" {
		return extract.ReadNotebook(f)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// cutParts cuts a text that is too long for one document, between paragraphs or
// sentences.
func cutParts(s string) []string {
	if s == "" {
		return nil
	}
	if len(s) <= maxPart {
		return []string{s}
	}
	var out []string
	for _, c := range extract.Chunks(s, extract.ChunkOptions{Target: maxPart * 2 / 3, Max: maxPart, Flat: true}) {
		out = append(out, c.Text)
	}
	return out
}

// fileURL is the address of a file in a folder.
func fileURL(dir, name string) string {
	full := filepath.ToSlash(filepath.Join(dir, filepath.FromSlash(name)))
	if !strings.HasPrefix(full, "/") {
		full = "/" + full // C:/…
	}
	return (&url.URL{Scheme: "file", Path: full}).String()
}
