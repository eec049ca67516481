package sources

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fileindex"
)

// maxBytes is how much of a file of a type is read.
func maxBytes(kind string) int64 {
	switch kind {
	case extract.TypePDF:
		return extract.MaxPDF
	case extract.TypeDocument:
		return extract.MaxDocument
	}
	return maxFileBytes
}

func extension(name string) string { return strings.ToLower(path.Ext(name)) }

// read reads one file, unless its content is what the index has. A file without text
// has no parts, nor has one that the reader fails on.
func (x *folder) read(ctx context.Context, root *os.Root, it listedFile) outcome {
	if ctx.Err() != nil {
		return outcome{file: it}
	}
	kind := extract.TypeOfFile(it.path)
	raw, err := readHead(root, it.path, maxBytes(kind))
	if errors.Is(err, fs.ErrNotExist) { // removed since it was listed
		return outcome{file: it}
	}
	if err != nil {
		return outcome{file: it, why: err}
	}
	f := fileindex.File{Path: it.path, Title: it.path, Size: it.size, Modified: it.modified}
	hash := sha256.Sum256(raw)
	if f.Hash = hash[:]; it.known.Failed == 0 && it.known.LeftOut == 0 && it.known.Size == it.size && bytes.Equal(f.Hash, it.known.Hash) {
		return outcome{file: it, touched: true}
	}
	reader := x.pages
	if strings.HasPrefix(kind, "text/") && kind != "text/html" {
		reader = inProcess{} // there is no HTML to parse
	}
	page, err := reader.Page(ctx, raw, kind, path.Base(it.path))
	var refused *evidence.Problem
	switch {
	case errors.As(err, &refused) && !extract.Interrupted(err): // not a text, whatever its extension
		page = extract.Page{}
	case err != nil:
		page, f.Failed = extract.Page{}, it.failed+1
	}
	setPage(&f, page)
	entry, ended := fileindex.Prepare(ctx, f, cutParts(page.Text))
	if ended != nil { // ctx
		return outcome{file: it}
	}
	return outcome{file: it, entry: entry, failed: f.Failed > 0, why: err}
}

// setPage sets the fields that come from the file's content.
func setPage(f *fileindex.File, page extract.Page) {
	f.Title, f.Language, f.Published = cmp.Or(page.Title, f.Path), page.Language, page.Published
	kind := extract.TypeOfFile(f.Path)
	f.Truncated = page.Truncated || page.Text != "" && f.Size > maxBytes(kind) && kind != extract.TypeNotebook // most of that is pictures
	f.Warning = strings.Join(page.Warnings, "; ")
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
// sentences, and each part into what is ranked.
func cutParts(s string) []fileindex.Part {
	if s == "" {
		return nil
	}
	if len(s) <= maxPart {
		return []fileindex.Part{{Text: s, Chunks: extract.Chunks(s, extract.ChunkOptions{})}}
	}
	var out []fileindex.Part
	for _, c := range extract.Chunks(s, extract.ChunkOptions{Target: maxPart * 2 / 3, Max: maxPart, Flat: true}) {
		out = append(out, fileindex.Part{Text: c.Text, Chunks: extract.Chunks(c.Text, extract.ChunkOptions{})})
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
