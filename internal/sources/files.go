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
	"github.com/research-mcp/research-mcp/internal/fileindex"
)

func filesSpec() Spec {
	return Spec{
		Name: "files", About: "text, HTML, PDF, Office files, e-books, notebooks and e-mails in a folder of your own", DefaultTimeout: defaultTimeout,
		Enabled: true, Kinds: []string{KindGeneral},
		Options: []Option{{Name: "dir", About: "the folder; folders in it are searched too, except hidden ones"}},
		Needs:   []string{"dir"}, OwnFiles: true, New: newFiles,
	}
}

// files searches a folder, without a network. Its files may have been downloaded,
// so their text is as untrusted as that of any other source.
type files struct {
	timeout time.Duration
	folder  *folder
	now     func() time.Time
}

func newFiles(s Settings, _ *fetch.Network) (Source, error) {
	dir := s.Options["dir"]
	if rest, ok := strings.CutPrefix(filepath.ToSlash(dir), "~/"); ok || dir == "~" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, evidence.BadInput(fmt.Sprintf("sources.files.dir is %q, and this process has no home folder", dir), "set it to an absolute path")
		}
		dir = filepath.Join(home, rest)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding sources.files.dir: %w", err)
	}
	return &files{timeout: s.Timeout, folder: newFolder(abs, s), now: time.Now}, nil
}

func (f *files) Name() string { return "files" }

func (f *files) Timeout() time.Duration { return f.timeout }

// Local reports that a search costs no requests; see research.Local.
func (f *files) Local() bool { return true }

// Close ends the reading of the folder and waits for it.
func (f *files) Close() error { return f.folder.Close() }

// Indexed returns how many files the index had after the last search.
func (f *files) Indexed() int { return f.folder.indexed() }

// Search is SearchWarned without the warnings.
func (f *files) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	docs, _, err := f.SearchWarned(ctx, q)
	return docs, err
}

// SearchWarned first brings the index of the folder up to date. If that takes longer
// than the timeout, or than the query's patience, it searches what is read by then, and a
// warning says so; the reading goes on in the background until Close.
func (f *files) SearchWarned(ctx context.Context, q evidence.Query) ([]evidence.Document, []string, error) {
	docs, warnings, err := f.search(ctx, q)
	if unusable(err) {
		f.folder.discard(f.folder.current(), err)
		docs, warnings, err = f.search(ctx, q)
	}
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("searching the folder of sources.files.dir: %w", ctx.Err())
	}
	return docs, warnings, err
}

func (f *files) search(ctx context.Context, q evidence.Query) ([]evidence.Document, []string, error) {
	patience := f.timeout
	if q.Patience > 0 {
		patience = min(patience, time.Duration(float64(q.Patience)*readingShare))
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	u, err := f.folder.refresh(bounded)
	if err == nil && u.finished() {
		err = u.err
	}
	index := f.folder.current()
	var stale string
	if errors.Is(err, errIndex) && !unusable(err) && index != nil {
		stale, err = fmt.Sprintf("changes of the folder %s are not searched: %v", f.folder.dir, err), nil
		f.folder.log.Warn("the index of a folder is not up to date", "folder", f.folder.dir, "err", u.err)
	}
	switch {
	case err != nil:
		return nil, nil, f.refused(err)
	case index == nil:
		return nil, nil, fmt.Errorf("the index of the folder of sources.files.dir was not opened within %s: %w", patience, context.DeadlineExceeded)
	}
	warnings := f.folder.warnings(u)
	if stale != "" {
		warnings = append(warnings, stale)
	}
	docs, err := f.rank(ctx, index, q)
	if err == nil && len(docs) == 0 && !u.finished() {
		return nil, warnings, fmt.Errorf("the folder %s was not read within %s: %w", f.folder.dir, patience, context.DeadlineExceeded)
	}
	return docs, warnings, err
}

// readingShare of a query's patience is for reading; the rest is for searching.
const readingShare = 0.8

// refused is the problem of a folder that cannot be searched.
func (f *files) refused(err error) error {
	if unusable(err) || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, errIndex) {
		return &evidence.Problem{What: fmt.Sprintf("the folder %s of sources.files.dir cannot be searched: %v", f.folder.dir, err),
			Try: "ask again when that has passed; the data folder needs room and may be used by other processes", Cause: err}
	}
	what, try := "cannot be opened", "fix that, set sources.files.dir to another"
	switch info, statErr := os.Stat(f.folder.dir); {
	case errors.Is(err, fs.ErrNotExist):
		what, try = "does not exist", "set sources.files.dir to a folder that exists"
	case statErr == nil && !info.IsDir():
		what, try = "is not a folder", "set sources.files.dir to a folder"
	case errors.Is(err, errUnreadable):
		what = "holds files, none of which can be read"
	case errors.Is(err, fs.ErrPermission):
		what = "may not be read: this program has no permission"
	}
	return &evidence.Problem{What: fmt.Sprintf("the folder %s of sources.files.dir %s", f.folder.dir, what),
		Try: try + ", or set sources.files.enabled=false", Cause: err}
}

// document is a part of a file before it is finished.
func (f *files) document(p *fileindex.FoundPart) evidence.Document {
	d := evidence.Document{Source: f.Name(), URL: fileURL(f.folder.dir, p.File.Path), Title: p.File.Title, Text: p.Text,
		Language: p.File.Language, Published: p.File.Published, Truncated: p.File.Truncated,
		Revision: p.File.Modified.UTC().Format(time.RFC3339), Meta: meta("path", p.File.Path, evidence.MetaWarning, p.File.Warning)}
	if p.Of > 1 {
		d.URL += fmt.Sprintf("#part-%d", p.Number)
		d.Title += fmt.Sprintf(" (part %d of %d)", p.Number, p.Of)
	}
	return d
}
