package library

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/extract/decode"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// RememberFile stores a file of text, HTML, PDF or another format that is read. Its id follows from its
// path: what was stored of the file earlier is replaced.
func (l *Library) RememberFile(ctx context.Context, path, title string, tags []string) (RememberResult, error) {
	n, err := l.readFile(ctx, path, filepath.Base(path), title, tags)
	if err != nil {
		return RememberResult{}, err
	}
	return l.rememberText(ctx, n)
}

// readFile reads a file as a note; messages about its text call it so.
func (l *Library) readFile(ctx context.Context, path, called, title string, tags []string) (note, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return note{}, fmt.Errorf("finding the file: %w", err)
	}
	info, err := os.Stat(path) // before it is opened: a pipe without a writer would block for ever
	switch {
	case err != nil:
		return note{}, noFile(path, err)
	case info.IsDir():
		return note{}, evidence.BadInput(fmt.Sprintf("%s is a folder", path), "name a file in it, or store all of its files with `research-mcp remember FOLDER`")
	case !info.Mode().IsRegular():
		return note{}, evidence.BadInput(fmt.Sprintf("%s is not a regular file", path), "read it from standard input: `research-mcp remember - < "+path+"`")
	case info.Size() > mostBytes(path):
		return note{}, tooLong(path, fmt.Sprintf("%d", info.Size()), int(mostBytes(path)))
	}
	f, err := os.Open(path)
	if err != nil {
		return note{}, noFile(path, err)
	}
	defer f.Close()
	name := filepath.Base(path)
	page, err := l.readText(ctx, f, called, name)
	if err != nil {
		return note{}, err
	}
	return note{source: SourceFile, address: fileAddress(path), revision: fileRevision(info),
		title: cmp.Or(strings.TrimSpace(title), page.Title, name), body: page.Text, tags: tags, warnings: page.Warnings}, nil
}

func fileAddress(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}

// fileRevision tells one state of a file from another without reading it.
func fileRevision(info fs.FileInfo) string {
	return fmt.Sprintf("%d bytes, %s", info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
}

// RememberStream stores what in holds, as RememberFile does. A title that is the name of a
// file tells the markup of the text.
func (l *Library) RememberStream(ctx context.Context, in io.Reader, title string, tags []string) (RememberResult, error) {
	title = strings.TrimSpace(title)
	page, err := l.readText(ctx, in, "standard input", title)
	if err != nil {
		return RememberResult{}, err
	}
	return l.rememberText(ctx, note{source: SourceNote, title: cmp.Or(title, page.Title), body: page.Text, tags: tags, warnings: page.Warnings})
}

// noFile explains why a file that a person named cannot be opened.
func noFile(path string, err error) error {
	what := fmt.Sprintf("%s cannot be read: %v", path, err)
	if errors.Is(err, os.ErrNotExist) {
		what = fmt.Sprintf("there is no file %s", path)
	}
	return &evidence.Problem{What: what, Try: "name an existing file, or - for standard input", Usage: true, Cause: err}
}

// readText reads the text of in, which messages call name. The ending of fileName,
// which may be empty, tells what it is where the bytes leave it open.
func (l *Library) readText(ctx context.Context, in io.Reader, name, fileName string) (extract.Page, error) {
	ext := strings.ToLower(filepath.Ext(fileName))
	raw, err := readRaw(in, ext)
	if err != nil {
		return extract.Page{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(raw) > extract.MaxDocument {
		return extract.Page{}, tooLong(name, fmt.Sprintf("more than %d", extract.MaxDocument), extract.MaxDocument)
	}
	kind := decode.MediaType(raw)
	document := extract.IsPDF(raw, "") || extract.IsDocument(raw)
	switch {
	case len(raw) == 0:
		return extract.Page{}, evidence.BadInput(name+" is empty", "give something to remember")
	case document && ext != mailEnding:
		return l.readIsolated(ctx, raw, "", name)
	case !strings.HasPrefix(kind, "text/"):
		return extract.Page{}, evidence.BadInput(fmt.Sprintf("%s is %s, not text", name, kind), "give text, Markdown, HTML, PDF, an Office file or an EPUB book")
	case programFormat(raw) != "":
		return extract.Page{}, evidence.BadInput(fmt.Sprintf("%s has the format %s, which is not read", name, programFormat(raw)), "save it as .docx, .odt or PDF, and read that file")
	case ext == notebookEnding:
		return l.readIsolated(ctx, raw, extract.TypeNotebook, name)
	case ext == mailEnding:
		return l.readIsolated(ctx, raw, extract.TypeMail, name)
	case len(raw) > contract.DefaultMaxText:
		return extract.Page{}, tooLong(name, fmt.Sprint(len(raw)), contract.DefaultMaxText)
	case !strings.HasPrefix(kind, "text/html") && !slices.Contains([]string{".html", ".htm", ".xhtml"}, ext),
		slices.Contains([]string{".md", ".markdown", ".txt"}, ext): // Markdown may begin with a tag
		return extract.PlainText(raw, "", fileName), nil
	case len(raw) > extract.MaxInput:
		return extract.Page{}, tooLong(name, fmt.Sprintf("HTML of %d", len(raw)), extract.MaxInput)
	}
	return l.readIsolated(ctx, raw, "text/html", name)
}

// programFormat names a format that is written in letters, but for a program: as a text
// it would be noise. It is empty for others.
func programFormat(raw []byte) string {
	head := bytes.TrimLeft(raw[:min(len(raw), 1024)], "\uFEFF \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte(`{\rtf`)):
		return "RTF"
	case bytes.HasPrefix(head, []byte("<?xml")) && bytes.Contains(head, []byte("<office:document ")):
		return "flat OpenDocument"
	}
	return ""
}

// readIsolated reads what has to be parsed apart from this process.
func (l *Library) readIsolated(ctx context.Context, raw []byte, contentType, name string) (extract.Page, error) {
	if l.deps.Files == nil {
		return extract.Page{}, &evidence.Problem{What: name + " is not plain text, and this program reads nothing else", Try: "pass its text instead"}
	}
	page, err := l.deps.Files.Page(ctx, raw, contentType, "")
	if err != nil {
		return extract.Page{}, unreadable(ctx, name, err)
	}
	clean(&page)
	if page.Truncated {
		page.Warnings = append(page.Warnings, fmt.Sprintf("%s was not read to its end: at most %d bytes are, and no damaged parts", name, extract.MaxInput))
	}
	return page, nil
}

// Endings of files most of whose bytes may be pictures and attachments.
const (
	notebookEnding = ".ipynb"
	mailEnding     = ".eml"
)

// mostBytes is how large a file may be.
func mostBytes(path string) int64 {
	switch strings.ToLower(filepath.Ext(path)) {
	case notebookEnding, mailEnding:
		return extract.MaxNotebook
	}
	return extract.MaxDocument
}

// readRaw reads in to its end, or one byte beyond what may be read: of a notebook
// without its pictures, of an e-mail the beginning.
func readRaw(in io.Reader, ext string) ([]byte, error) {
	switch ext {
	case notebookEnding:
		return extract.ReadNotebook(in)
	case mailEnding:
		return io.ReadAll(io.LimitReader(in, extract.MaxInput+1))
	}
	return io.ReadAll(io.LimitReader(in, extract.MaxDocument+1))
}
