package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/text"
)

func filesSpec() Spec {
	return Spec{
		Name: "files", About: "Markdown, text and HTML files in a folder of your own", DefaultTimeout: defaultTimeout,
		Enabled: true, Kinds: []string{KindGeneral},
		Options: []Option{{Name: "dir", About: "the folder; folders in it are read, too, but hidden ones"}},
		Needs:   []string{"dir"}, New: newFiles,
	}
}

// files searches a folder. It needs no network, and asks nobody's leave: what
// lies there may have been downloaded, so its text is a stranger's as any other.
type files struct {
	dir     string // absolute
	timeout time.Duration
	shelf   shelf
	now     func() time.Time
}

func newFiles(s Settings, _ *fetch.Network) (Source, error) {
	dir := s.Options["dir"]
	if rest, ok := strings.CutPrefix(filepath.ToSlash(dir), "~/"); ok || dir == "~" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, evidence.BadInput(fmt.Sprintf("sources.files.dir is %q, and this process has no home folder", dir), "give the folder's whole path")
		}
		dir = filepath.Join(home, rest)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding sources.files.dir: %w", err)
	}
	return &files{dir: abs, timeout: s.Timeout, shelf: newShelf(s.reader(), s.logger()), now: time.Now}, nil
}

func (f *files) Name() string { return "files" }

func (f *files) Timeout() time.Duration { return f.timeout }

// Search looks at the folder anew: what changed since the last time is read
// again. When the time is over before all is read, it searches what was; the
// next search goes on from there.
func (f *files) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	bounded, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	books, err := f.look(bounded)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("searching the folder of sources.files.dir: %w", ctx.Err())
	}
	switch late := errors.Is(err, context.DeadlineExceeded); {
	case late && len(books) == 0:
		return nil, fmt.Errorf("the folder of sources.files.dir was not read within %s: %w", f.timeout, err)
	case err != nil && !late:
		return nil, f.refused(err)
	}
	return f.rank(ctx, books, q)
}

// look is what the folder holds now.
func (f *files) look(ctx context.Context) ([]*book, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // it was only read from
	return f.shelf.refresh(ctx, root)
}

// refused says what is wrong with the folder, and what to do.
func (f *files) refused(err error) error {
	what := "cannot be opened"
	switch info, statErr := os.Stat(f.dir); {
	case errors.Is(err, fs.ErrNotExist):
		what = "is not there"
	case statErr == nil && !info.IsDir():
		what = "is not a folder"
	case errors.Is(err, errUnreadable):
		what = "holds files, none of which can be read"
	case errors.Is(err, fs.ErrPermission):
		what = "may not be read by this program"
	}
	return &evidence.Problem{What: fmt.Sprintf("the folder %s of sources.files.dir %s", f.dir, what),
		Try: "mend that, set sources.files.dir to another, or set sources.files.enabled=false", Cause: err}
}

// Bounds of ranking.
const (
	contenders = 100 // parts whose paragraphs are compared: the words of the others hold less of the query
	paragraph  = 900 // bytes, about
)

// rank is the parts of files that hold words of the query, best paragraph
// first.
func (f *files) rank(ctx context.Context, books []*book, q evidence.Query) ([]evidence.Document, error) {
	query := text.QueryTerms(q.Text)
	var parts []*part
	for _, b := range books {
		parts = append(parts, b.parts...)
	}
	best := f.shelf.shortlist(parts, query)
	var terms [][]string
	var of []int // the part that a paragraph is from
	for i, p := range best {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("searching the folder of sources.files.dir: %w", err)
		}
		title := text.Terms(p.book.about())
		for _, piece := range paragraphs(p.text) {
			terms, of = append(terms, append(text.Terms(piece), title...)), append(of, i)
		}
	}
	scores, top := make([]float64, len(best)), 0.0
	for i, s := range text.NewBM25(terms).Scores(query) {
		scores[of[i]] = max(scores[of[i]], s)
		top = max(top, s)
	}
	docs := []evidence.Document{}
	for i, p := range best {
		d := f.document(p)
		d.Score = scores[i]
		if d, ok := finish(d, f.now()); ok && d.Score > 0 {
			d.Score /= top
			docs = append(docs, d)
		}
	}
	return byScore(docs)[:min(len(docs), clamp(q.Limit, 1, maxLimit))], nil
}

// document is a part of a file before it is cleaned.
func (f *files) document(p *part) evidence.Document {
	d := evidence.Document{Source: f.Name(), URL: fileURL(f.dir, p.book.path), Title: p.book.title, Text: p.text,
		Language: p.book.language, Published: p.book.published, Truncated: p.book.truncated,
		Revision: p.book.modified.UTC().Format(time.RFC3339), Meta: meta("path", p.book.path)}
	if len(p.book.parts) > 1 {
		d.URL += fmt.Sprintf("#part-%d", p.number)
		d.Title += fmt.Sprintf(" (part %d of %d)", p.number, len(p.book.parts))
	}
	return d
}
