package sources

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Bounds of a folder, so that a home folder named by mistake neither fills the
// process nor keeps a question waiting.
const (
	maxFiles      = 5000
	maxEntries    = 100_000  // files of any kind and folders that are looked at
	maxFileBytes  = 2 << 20  // of one file: extract.MaxInput; what is behind is not read
	maxShelfBytes = 32 << 20 // of all texts
	maxPart       = 16 << 10 // of a text: longer ones are cut into parts
)

// bounds are how much of a folder is read.
type bounds struct{ files, entries, bytes int }

// fileTypes are the files that are read, by their ending.
var fileTypes = map[string]string{
	".md": "text/markdown", ".markdown": "text/markdown", ".txt": "text/plain", ".text": "text/plain", ".rst": "text/plain",
	".org": "text/plain", ".adoc": "text/plain", ".html": "text/html", ".htm": "text/html", ".xhtml": "text/html",
	".pdf": typePDF, // where fetch.pdf allows it; else a file without text
}

const typePDF = "application/pdf"

// most is how much of a file of a type is read.
func most(kind string) int64 {
	if kind == typePDF {
		return extract.MaxPDF // its table of contents stands at its end
	}
	return maxFileBytes
}

// book is a file that was read.
type book struct {
	path      string // within the folder, with slashes
	size      int64
	modified  time.Time
	title     string
	language  string
	published time.Time
	truncated bool
	parts     []*part // none: it holds no text, or cannot be read
	failed    int     // how often reading it failed for a reason that may pass
}

// maxTries is how often a file is read that the reader fails on: a reader that
// is busy or was ended may do better, one that the file itself brings down
// would hold up every question.
const maxTries = 3

// current is b if it is of the file as it is now, else nil.
func (b *book) current(now book) *book {
	if b == nil || b.size != now.size || !b.modified.Equal(now.modified) {
		return nil
	}
	return b
}

func (b *book) bytes() int {
	n := 0
	for _, p := range b.parts {
		n += len(p.text)
	}
	return n
}

// about is what names the file.
func (b *book) about() string {
	if b.title == b.path {
		return b.path
	}
	return b.title + "\n" + b.path
}

// part is a stretch of a file's text, short enough to be a document.
type part struct {
	book   *book
	number int // from 1
	text   string
	vocab  []uint64 // hashes of its distinct terms, sorted
}

// shelf keeps what was read, so that only what changed is read again. It is
// safe for concurrent use: one refreshes, the others wait.
type shelf struct {
	pages  PageReader
	log    *slog.Logger
	bounds bounds
	told   bool          // that the folder holds more than is read
	turn   chan struct{} // holds a token while nobody refreshes
	books  map[string]*book
	seed   maphash.Seed
}

func newShelf(pages PageReader, log *slog.Logger) shelf {
	s := shelf{pages: pages, log: log, bounds: bounds{maxFiles, maxEntries, maxShelfBytes},
		turn: make(chan struct{}, 1), books: map[string]*book{}, seed: maphash.MakeSeed()}
	s.turn <- struct{}{}
	return s
}

// errUnreadable is a folder in which there are files and none can be read.
var errUnreadable = errors.New("none of its files can be read")

// refresh brings the shelf in line with the folder and returns its books in
// the order of their paths. When ctx ends before, it returns what is known by
// then and ctx's error.
func (s *shelf) refresh(ctx context.Context, root *os.Root) ([]*book, error) {
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, all, err := s.list(ctx, root)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	fresh, unreadable, full := s.readChanged(ctx, root, found)
	s.tell(full || !all && ctx.Err() == nil, len(fresh))
	if ctx.Err() != nil {
		maps.Copy(s.books, fresh) // who is not listed is forgotten when there is time to look
	} else {
		s.books = fresh
	}
	out := slices.SortedFunc(maps.Values(s.books), func(a, b *book) int { return cmp.Compare(a.path, b.path) })
	out = slices.DeleteFunc(out, func(b *book) bool { return b.failed > 0 })
	if unreadable > 0 && len(out) == 0 && ctx.Err() == nil {
		return nil, errUnreadable
	}
	return out, ctx.Err()
}

// tell logs once that files are left out, and again after it was otherwise.
func (s *shelf) tell(leftOut bool, read int) {
	if leftOut && !s.told {
		s.log.Warn("the folder of sources.files.dir holds more than is searched: name a smaller folder, or move files that are of no use",
			"files searched", read, "most files", s.bounds.files, "most files and folders looked at", s.bounds.entries, "most MB of text", s.bounds.bytes>>20)
	}
	s.told = leftOut
}

// readChanged is the books of the files that were found, as far as time and
// room go, how many could not be read, and whether there was no room for all.
func (s *shelf) readChanged(ctx context.Context, root *os.Root, found []book) (fresh map[string]*book, unreadable int, full bool) {
	fresh = map[string]*book{}
	total := 0
	for _, it := range found {
		b := s.books[it.path].current(it)
		if b == nil || b.failed > 0 && b.failed < maxTries {
			if ctx.Err() != nil {
				break
			}
			if b != nil {
				it.failed = b.failed
			}
			var err error
			if b, err = s.read(ctx, root, it); err != nil {
				unreadable++ // gone by now, or closed to us: the others are read all the same
				continue
			}
		}
		if b.failed > 0 {
			unreadable++
		}
		if total += b.bytes(); total > s.bounds.bytes {
			return fresh, unreadable, true
		}
		fresh[it.path] = b
	}
	return fresh, unreadable, false
}

// list is the files to read, in the order of their paths: no hidden ones, none
// behind a symbolic link, nothing but regular files of a known type. all is
// false when there are more than are looked at.
func (s *shelf) list(ctx context.Context, root *os.Root) (out []book, all bool, err error) {
	entries := 0
	all = true
	err = fs.WalkDir(root.FS(), ".", func(at string, d fs.DirEntry, err error) error {
		if entries++; entries > s.bounds.entries {
			all = false
			return fs.SkipAll
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && at == ".":
			return fmt.Errorf("listing the folder of sources.files.dir: %w", err)
		case err != nil:
			return fs.SkipDir // a folder that is closed to us
		case strings.HasPrefix(d.Name(), ".") && at != ".":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || fileTypes[ending(at)] == "":
			return nil
		case len(out) >= s.bounds.files:
			all = false
			return fs.SkipAll
		}
		if info, err := d.Info(); err == nil { // else it is gone
			out = append(out, book{path: at, size: info.Size(), modified: info.ModTime()})
		}
		return nil
	})
	return out, all, err
}

func ending(name string) string { return strings.ToLower(path.Ext(name)) }

// read reads one file. A file that holds no text is a book without parts, and so
// is one that the reader failed on.
func (s *shelf) read(ctx context.Context, root *os.Root, it book) (*book, error) {
	raw, err := readHead(root, it.path, most(fileTypes[ending(it.path)]))
	if err != nil {
		return nil, err
	}
	kind := fileTypes[ending(it.path)]
	if kind != "text/html" && kind != typePDF {
		raw = mended(raw)
	}
	reader := s.pages
	if kind != "text/html" && kind != typePDF {
		reader = inProcess{} // nothing in it is parsed
	}
	page, err := reader.Page(ctx, raw, kind, "")
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	b := &it
	b.title = it.path
	var refused *evidence.Problem
	switch {
	case err == nil:
		b.failed = 0
		b.fill(page, s.vocabulary)
	case errors.As(err, &refused): // its name says text and its bytes do not
		b.failed = 0
	default:
		b.failed++
	}
	return b, nil
}

// fill takes over what is on the page.
func (b *book) fill(page extract.Page, vocabulary func(string) []uint64) {
	b.title, b.language, b.published = cmp.Or(page.Title, b.path), page.Language, page.Published
	b.truncated = page.Truncated || b.size > most(fileTypes[ending(b.path)])
	for _, t := range cutParts(page.Text) {
		b.parts = append(b.parts, &part{book: b, number: len(b.parts) + 1, text: t, vocab: vocabulary(t + "\n" + b.about())})
	}
}

// readHead is the file's first bytes.
func readHead(root *os.Root, name string, most int64) ([]byte, error) {
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, err
	}
	defer f.Close() // it was only read from
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, cmp.Or(err, fs.ErrInvalid)
	}
	return io.ReadAll(io.LimitReader(f, most))
}

// mended replaces the few broken bytes of a text that is UTF-8 for the most
// part: as a whole it would be taken for another encoding.
func mended(raw []byte) []byte {
	good, bad := 0, 0
	for rest := raw; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			bad++
		case n > 1:
			good++
		}
		rest = rest[n:]
	}
	if bad == 0 || bad >= good {
		return raw
	}
	return bytes.ToValidUTF8(raw, []byte("\uFFFD"))
}

// cutParts cuts a text that is too long for one document where a paragraph or
// sentence ends.
func cutParts(s string) []string {
	if s == "" {
		return nil
	}
	if len(s) <= maxPart {
		return []string{s}
	}
	return pieces(s, extract.ChunkOptions{Target: maxPart, Max: maxPart})
}

// paragraphs are the pieces of a part that are scored.
func paragraphs(s string) []string { return pieces(s, extract.ChunkOptions{Target: paragraph}) }

func pieces(s string, o extract.ChunkOptions) []string {
	var out []string
	for _, c := range extract.Chunks(s, o) {
		out = append(out, c.Text)
	}
	return out
}

func (s *shelf) vocabulary(body string) []uint64 {
	terms := text.Terms(body)
	out := make([]uint64, len(terms))
	for i, t := range terms {
		out[i] = maphash.String(s.seed, t)
	}
	slices.Sort(out)
	return slices.Clip(slices.Compact(out))
}

// shortlist is the parts that hold most of the query by weight, at most
// contenders of them: a rare word weighs more.
func (s *shelf) shortlist(parts []*part, query []string) []*part {
	holds := make([][]bool, len(parts))
	count := make([]int, len(query))
	for i, p := range parts {
		holds[i] = make([]bool, len(query))
		for j, term := range query {
			if _, holds[i][j] = slices.BinarySearch(p.vocab, maphash.String(s.seed, term)); holds[i][j] {
				count[j]++
			}
		}
	}
	type held struct {
		part   *part
		weight float64
	}
	var all []held
	for i, p := range parts {
		weight := 0.0
		for j := range query {
			if holds[i][j] {
				weight += math.Log(1 + float64(len(parts))/float64(count[j]))
			}
		}
		if weight > 0 {
			all = append(all, held{p, weight})
		}
	}
	slices.SortStableFunc(all, func(a, b held) int { return cmp.Compare(b.weight, a.weight) })
	out := make([]*part, min(len(all), contenders))
	for i := range out {
		out[i] = all[i].part
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
