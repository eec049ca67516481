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

// RememberFile stores a file of text, Markdown or HTML. Its id follows from its
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
		return RememberResult{}, evidence.BadInput(fmt.Sprintf("%s is a folder", path), "name a file of text, Markdown or HTML")
	case !info.Mode().IsRegular():
		return RememberResult{}, evidence.BadInput(fmt.Sprintf("%s is not a regular file", path), "read it from standard input: `research-mcp remember - < "+path+"`")
	case info.Size() > contract.DefaultMaxText:
		return RememberResult{}, tooLong(path, fmt.Sprintf("%d", info.Size()), contract.DefaultMaxText)
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
	raw, err := io.ReadAll(io.LimitReader(in, contract.DefaultMaxText+1))
	if err != nil {
		return extract.Page{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(raw) > contract.DefaultMaxText {
		return extract.Page{}, tooLong(name, fmt.Sprintf("more than %d", contract.DefaultMaxText), contract.DefaultMaxText)
	}
	kind := decode.MediaType(raw)
	ext := strings.ToLower(filepath.Ext(fileName))
	switch {
	case len(raw) == 0:
		return extract.Page{}, evidence.BadInput(name+" is empty", "give something to remember")
	case !strings.HasPrefix(kind, "text/"):
		return extract.Page{}, evidence.BadInput(fmt.Sprintf("%s is %s, not text", name, kind), "give text, Markdown or HTML")
	case !strings.HasPrefix(kind, "text/html") && !slices.Contains([]string{".html", ".htm", ".xhtml"}, ext),
		slices.Contains([]string{".md", ".markdown", ".txt"}, ext): // Markdown may begin with a tag
		return extract.PlainText(raw, "", fileName), nil
	case len(raw) > extract.MaxInput:
		return extract.Page{}, tooLong(name, fmt.Sprintf("HTML of %d", len(raw)), extract.MaxInput)
	case l.deps.HTML == nil:
		return extract.Page{}, &evidence.Problem{What: name + " is HTML, which this program cannot read", Try: "pass its text instead"}
	}
	page, err := l.deps.HTML.HTML(ctx, raw, "text/html", "")
	if err != nil {
		return extract.Page{}, fmt.Errorf("reading %s: %w", name, err)
	}
	clean(&page)
	return page, nil
}
