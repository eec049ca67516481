package app

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
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/tools"
)

// What the commands that keep things need.
type (
	RememberIn  = tools.RememberIn
	RememberOut = tools.RememberOut
)

// Sources of documents that no source found.
const (
	sourceNote = "note" // a text that was handed over
	sourceFile = "file"
)

const (
	// embedPatience is how long a document waits for Ollama's vectors before the
	// built-in embedder makes them: a client gives up after a minute.
	embedPatience = 30 * time.Second
	titleLength   = 80  // bytes of a text's first line that make its title
	longestTitle  = 300 // bytes of one that was given or stands as a heading
)

// Remember keeps a text or a page. Who hands a text over need not have written
// it, so all of it counts as a stranger's.
func (a *App) Remember(ctx context.Context, req tools.RememberRequest) (evidence.Receipt, error) {
	if req.URL == "" {
		return a.keepText(ctx, sourceNote, "", req.Title, req.Text, req.Tags)
	}
	doc, from, err := a.readPage(ctx, req.URL)
	if err != nil {
		return evidence.Receipt{}, unreadable(ctx, req.URL, err)
	}
	var notes []string
	if doc.Truncated {
		notes = append(notes, fmt.Sprintf("the page is longer than %d bytes: its beginning was kept", extract.MaxInput))
	}
	if from.Stale {
		notes = append(notes, fmt.Sprintf("the page could not be asked for: this is what it said %s ago", from.Age.Round(time.Second)))
	}
	doc.Title, doc.Tags = cmp.Or(strings.TrimSpace(req.Title), doc.Title), req.Tags
	return a.keep(ctx, doc, notes)
}

// unreadable puts the address into an error that may not name it.
func unreadable(ctx context.Context, address string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p := evidence.AsProblem(err)
	return &evidence.Problem{What: fmt.Sprintf("%s was not read: %s", address, p.What),
		Try: cmp.Or(p.Try, "look whether the address can be reached from here, or hand over its text"), Usage: p.Usage, Cause: err}
}

// RememberTool is Remember as the tool gives it, for the command of that name.
func (a *App) RememberTool(ctx context.Context, in RememberIn) (RememberOut, error) {
	return tools.Remember(ctx, a, in)
}

// RememberFile keeps a file of text, Markdown or HTML. A file is known by its
// path: what was kept of it earlier gives way to what it holds now.
func (a *App) RememberFile(ctx context.Context, path, title string, tags []string) (RememberOut, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return RememberOut{}, fmt.Errorf("finding the file: %w", err)
	}
	info, err := os.Stat(path) // before it is opened: a pipe without a writer would wait for ever
	switch {
	case err != nil:
		return RememberOut{}, noFile(path, err)
	case info.IsDir():
		return RememberOut{}, evidence.BadInput(fmt.Sprintf("%s is a folder", path), "name a file of text, Markdown or HTML")
	case !info.Mode().IsRegular():
		return RememberOut{}, evidence.BadInput(fmt.Sprintf("%s is no regular file", path), "read it from standard input: `research-mcp remember - < "+path+"`")
	case info.Size() > memory.DefaultMaxText:
		return RememberOut{}, tooLong(path, fmt.Sprintf("%d", info.Size()), memory.DefaultMaxText)
	}
	f, err := os.Open(path)
	if err != nil {
		return RememberOut{}, noFile(path, err)
	}
	defer f.Close()
	address := (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
	return a.rememberBytes(ctx, f, sourceFile, address, filepath.Base(path), title, tags)
}

// RememberStream keeps what in holds: text, Markdown or HTML.
func (a *App) RememberStream(ctx context.Context, in io.Reader, title string, tags []string) (RememberOut, error) {
	return a.rememberBytes(ctx, in, sourceNote, "", "the standard input", title, tags)
}

func noFile(path string, err error) error {
	what := fmt.Sprintf("%s cannot be read: %v", path, err)
	if errors.Is(err, os.ErrNotExist) {
		what = fmt.Sprintf("there is no file %s", path)
	}
	return &evidence.Problem{What: what, Try: "name a file that is there, a URL, or - for the standard input", Usage: true, Cause: err}
}

func tooLong(what, size string, limit int) error {
	return evidence.BadInput(fmt.Sprintf("%s is %s bytes; the limit is %d", what, size, limit), "split it into parts")
}

// rememberBytes reads in, which is called name in messages, and keeps it.
func (a *App) rememberBytes(ctx context.Context, in io.Reader, source, address, name, title string, tags []string) (RememberOut, error) {
	raw, err := io.ReadAll(io.LimitReader(in, memory.DefaultMaxText+1))
	if err != nil {
		return RememberOut{}, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(raw) > memory.DefaultMaxText {
		return RememberOut{}, tooLong(name, "more than "+fmt.Sprint(memory.DefaultMaxText), memory.DefaultMaxText)
	}
	body, own, err := a.textOf(ctx, raw, name)
	if err != nil {
		return RememberOut{}, err
	}
	if source == sourceFile {
		own = cmp.Or(own, heading(body), name)
	}
	got, err := a.keepText(ctx, source, address, cmp.Or(strings.TrimSpace(title), own), body, tags)
	if err != nil {
		return RememberOut{}, err
	}
	out := RememberOut{DocumentID: got.DocumentID, Chunks: got.Chunks, Deduplicated: got.Deduplicated, Warnings: []string{}}
	out.Warnings = append(out.Warnings, got.Warnings...)
	return out, nil
}

// textOf is the text of a file, and for HTML its title. HTML is read in an
// isolated process.
func (a *App) textOf(ctx context.Context, raw []byte, name string) (body, title string, err error) {
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
	}
	page, err := a.pages.HTML(ctx, raw, "text/html", "")
	if err != nil {
		return "", "", fmt.Errorf("reading %s: %w", name, err)
	}
	return page.Text, page.Title, nil
}

// keepText keeps a text. Without an address it is known by what it says.
func (a *App) keepText(ctx context.Context, source, address, title, body string, tags []string) (evidence.Receipt, error) {
	if len(body) > memory.DefaultMaxText {
		return evidence.Receipt{}, tooLong("the text", fmt.Sprint(len(body)), memory.DefaultMaxText)
	}
	clean, _ := text.Clean(body)
	clean = strings.TrimSpace(clean)
	if clean == "" {
		return evidence.Receipt{}, evidence.BadInput("the text is empty", "give something to remember")
	}
	var notes []string
	if strings.ToValidUTF8(body, "\uFFFD") != body {
		notes = append(notes, "the text was not valid UTF-8: bytes that are no character were replaced by \uFFFD")
	}
	title, _ = text.Clean(title)
	title = shortened(text.Squash(title), longestTitle)
	doc := evidence.Document{ID: evidence.DocumentID(source, address, clean), Source: source, URL: address, Title: title, Text: clean,
		Retrieved: a.now(), Untrusted: true, Tags: tags}
	if title == "" {
		doc.Title = firstLine(clean)
		// The same text again, without the title that it was given: still the same.
		if have, ok, err := a.memory.Document(ctx, doc.ID); err == nil && ok && have.Text == clean {
			doc.Title = have.Title
		}
	}
	return a.keep(ctx, doc, notes)
}

// heading is the text's first line if Markdown says that it is one.
func heading(body string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(body), "\n")
	if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
		return strings.TrimSpace(title)
	}
	return ""
}

func firstLine(body string) string {
	line, _, _ := strings.Cut(body, "\n")
	return shortened(text.Squash(strings.TrimLeft(line, "# ")), titleLength)
}

func shortened(s string, limit int) string {
	short, cut := text.Cut(s, limit)
	if cut {
		short += "…"
	}
	return short
}

// keep chunks, embeds and puts doc.
func (a *App) keep(ctx context.Context, doc evidence.Document, notes []string) (evidence.Receipt, error) {
	chunks := evidence.Chunks{Items: extract.Chunks(doc.Text, extract.ChunkOptions{})}
	warning, err := a.embed(ctx, &chunks)
	if err != nil {
		return evidence.Receipt{}, err
	}
	got, err := a.memory.Put(ctx, doc, chunks)
	if err != nil {
		return evidence.Receipt{}, err
	}
	if got.Deduplicated && got.Chunks == 0 {
		got.Chunks = len(chunks.Items)
	}
	if warning != "" {
		notes = append(notes, warning)
	}
	got.Warnings = append(notes, got.Warnings...)
	return got, nil
}

// embed fills in all vectors: the kit's, or the built-in embedder's when that
// one fails or takes too long. Its only error is the end of ctx.
func (a *App) embed(ctx context.Context, chunks *evidence.Chunks) (warning string, err error) {
	texts := make([]string, len(chunks.Items))
	for i, c := range chunks.Items {
		texts[i] = c.Text
	}
	by := a.kits.Choose(ctx).Embedder
	bounded, cancel := context.WithTimeout(ctx, embedPatience)
	defer cancel()
	vectors, err := vectorsOf(bounded, by, texts)
	if err != nil && ctx.Err() == nil {
		builtIn := a.kits.BuiltIn().Embedder
		warning = fmt.Sprintf("%v: the vectors are those of %s", err, builtIn.Model().Name)
		by = builtIn
		vectors, err = vectorsOf(ctx, by, texts)
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return fmt.Sprintf("%v: the text is found by its words alone", err), nil
	}
	for i := range chunks.Items {
		chunks.Items[i].Vector = vectors[i]
	}
	chunks.Model = by.Model()
	return warning, nil
}

func vectorsOf(ctx context.Context, by models.Embedder, texts []string) ([][]float32, error) {
	vectors, err := by.Embed(ctx, texts)
	if err == nil && len(vectors) != len(texts) {
		err = fmt.Errorf("%d vectors for %d texts", len(vectors), len(texts))
	}
	if err != nil {
		return nil, fmt.Errorf("embedding with %s: %w", by.Model().Name, err)
	}
	return vectors, nil
}
