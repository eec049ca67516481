package library

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/extract/decode"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// RememberFile stores a file of text, HTML, a notebook or an e-mail. Its id follows from its
// path: what was stored of the file earlier is replaced.
func (l *Library) RememberFile(ctx context.Context, path, title string, tags []string) (RememberResult, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return RememberResult{}, fmt.Errorf("finding the file: %w", err)
	}
	info, err := os.Stat(path) // before it is opened: a pipe without a writer would block for ever
	switch {
	case err != nil:
		return RememberResult{}, noFile(path, err)
	case info.IsDir():
		return RememberResult{}, evidence.BadInput(fmt.Sprintf("%s is a folder", path), "name a file of text, HTML, a notebook or an e-mail")
	case !info.Mode().IsRegular():
		return RememberResult{}, evidence.BadInput(fmt.Sprintf("%s is not a regular file", path), "read it from standard input: `research-mcp remember - < "+path+"`")
	case info.Size() > mostBytes(path):
		return RememberResult{}, tooLong(path, fmt.Sprintf("%d", info.Size()), int(mostBytes(path)))
	}
	f, err := os.Open(path)
	if err != nil {
		return RememberResult{}, noFile(path, err)
	}
	defer f.Close()
	name := filepath.Base(path)
	page, err := l.readText(ctx, f, name, name)
	if err != nil {
		return RememberResult{}, err
	}
	return l.rememberText(ctx, note{source: SourceFile, address: (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String(),
		title: cmp.Or(strings.TrimSpace(title), page.Title, name), body: page.Text, tags: tags, warnings: page.Warnings})
}

// RememberStream stores what in holds: text or HTML. A title that is the name of a
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
	return &evidence.Problem{What: what, Try: "name an existing file, a URL, or - for standard input", Usage: true, Cause: err}
}

// readText reads the text of in, which messages call name. The ending of fileName,
// which may be empty, tells what it is where the bytes leave it open.
func (l *Library) readText(ctx context.Context, in io.Reader, name, fileName string) (extract.Page, error) {
	ext := strings.ToLower(filepath.Ext(fileName))
	raw, err := readRaw(in, ext)
	if err != nil {
		return extract.Page{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(raw) > contract.DefaultMaxText {
		return extract.Page{}, tooLong(name, fmt.Sprintf("more than %d", contract.DefaultMaxText), contract.DefaultMaxText)
	}
	kind := decode.MediaType(raw)
	switch {
	case len(raw) == 0:
		return extract.Page{}, evidence.BadInput(name+" is empty", "give something to remember")
	case !strings.HasPrefix(kind, "text/"):
		return extract.Page{}, evidence.BadInput(fmt.Sprintf("%s is %s, not text", name, kind), "give text, Markdown or HTML")
	case ext == notebookEnding:
		return l.readIsolated(ctx, raw, extract.TypeNotebook, name)
	case ext == mailEnding:
		return l.readIsolated(ctx, raw, extract.TypeMail, name)
	case !strings.HasPrefix(kind, "text/html") && !slices.Contains([]string{".html", ".htm", ".xhtml"}, ext),
		slices.Contains([]string{".md", ".markdown", ".txt"}, ext): // Markdown may begin with a tag
		return extract.PlainText(raw, "", fileName), nil
	case len(raw) > extract.MaxInput:
		return extract.Page{}, tooLong(name, fmt.Sprintf("HTML of %d", len(raw)), extract.MaxInput)
	}
	return l.readIsolated(ctx, raw, "text/html", name)
}

// readIsolated reads what has to be parsed apart from this process.
func (l *Library) readIsolated(ctx context.Context, raw []byte, contentType, name string) (extract.Page, error) {
	if l.deps.HTML == nil {
		return extract.Page{}, &evidence.Problem{What: fmt.Sprintf("%s is %s, which this program cannot read", name, contentType), Try: "pass its text instead"}
	}
	page, err := l.deps.HTML.HTML(ctx, raw, contentType, "")
	if p := (*evidence.Problem)(nil); errors.As(err, &p) {
		return extract.Page{}, &evidence.Problem{What: fmt.Sprintf("%s was not read: %s", name, p.What), Try: p.Try, Usage: p.Usage, Cause: err}
	}
	if err != nil {
		return extract.Page{}, fmt.Errorf("reading %s: %w", name, err)
	}
	clean(&page)
	if page.Truncated {
		page.Warnings = append(page.Warnings, fmt.Sprintf("%s was not read to its end: at most %d bytes are", name, extract.MaxInput))
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
	return contract.DefaultMaxText
}

// readRaw reads in to its end, or one byte beyond what may be stored: of a notebook
// without its pictures, of an e-mail the beginning.
func readRaw(in io.Reader, ext string) ([]byte, error) {
	switch ext {
	case notebookEnding:
		return extract.ReadNotebook(in)
	case mailEnding:
		return io.ReadAll(io.LimitReader(in, extract.MaxInput+1))
	}
	return io.ReadAll(io.LimitReader(in, contract.DefaultMaxText+1))
}
