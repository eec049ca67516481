package library

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
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
	body, own, err := l.readText(ctx, f, name)
	if err != nil {
		return RememberResult{}, err
	}
	return l.rememberText(ctx, note{source: SourceFile, address: (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String(),
		title: cmp.Or(strings.TrimSpace(title), own, heading(body), name), body: body, tags: tags})
}

// RememberStream stores what in holds: text, Markdown or HTML.
func (l *Library) RememberStream(ctx context.Context, in io.Reader, title string, tags []string) (RememberResult, error) {
	body, own, err := l.readText(ctx, in, "standard input")
	if err != nil {
		return RememberResult{}, err
	}
	return l.rememberText(ctx, note{source: SourceNote, title: cmp.Or(strings.TrimSpace(title), own), body: body, tags: tags})
}

// noFile explains why a file that a person named cannot be opened.
func noFile(path string, err error) error {
	what := fmt.Sprintf("%s cannot be read: %v", path, err)
	if errors.Is(err, os.ErrNotExist) {
		what = fmt.Sprintf("there is no file %s", path)
	}
	return &evidence.Problem{What: what, Try: "name an existing file, a URL, or - for standard input", Usage: true, Cause: err}
}

// readText returns the text of in, which messages call name, and for HTML its
// title.
func (l *Library) readText(ctx context.Context, in io.Reader, name string) (body, title string, err error) {
	raw, err := io.ReadAll(io.LimitReader(in, contract.DefaultMaxText+1))
	if err != nil {
		return "", "", fmt.Errorf("reading %s: %w", name, err)
	}
	if len(raw) > contract.DefaultMaxText {
		return "", "", tooLong(name, fmt.Sprintf("more than %d", contract.DefaultMaxText), contract.DefaultMaxText)
	}
	kind := http.DetectContentType(raw)
	ext := strings.ToLower(filepath.Ext(name))
	switch {
	case len(raw) == 0:
		return "", "", evidence.BadInput(name+" is empty", "give something to remember")
	case !strings.HasPrefix(kind, "text/"), strings.Contains(kind, "utf-16"):
		return "", "", evidence.BadInput(fmt.Sprintf("%s is %s, not text in UTF-8", name, kind), "give text, Markdown or HTML")
	case !strings.HasPrefix(kind, "text/html") && !slices.Contains([]string{".html", ".htm", ".xhtml"}, ext),
		slices.Contains([]string{".md", ".markdown", ".txt"}, ext): // Markdown may begin with a tag
		return strings.TrimPrefix(string(raw), "\uFEFF"), "", nil
	case len(raw) > extract.MaxInput:
		return "", "", tooLong(name, fmt.Sprintf("HTML of %d", len(raw)), extract.MaxInput)
	case l.deps.HTML == nil:
		return "", "", &evidence.Problem{What: name + " is HTML, which this program cannot read", Try: "pass its text instead"}
	}
	page, err := l.deps.HTML.HTML(ctx, raw, "text/html", "")
	if err != nil {
		return "", "", fmt.Errorf("reading %s: %w", name, err)
	}
	return page.Text, page.Title, nil
}

// heading returns the text's first line if it is a Markdown heading.
func heading(body string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(body), "\n")
	if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
		return strings.TrimSpace(title)
	}
	return ""
}
