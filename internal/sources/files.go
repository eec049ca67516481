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
	dir     string // absolute
	timeout time.Duration
	index   folderIndex
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
	return &files{dir: abs, timeout: s.Timeout, index: newFolderIndex(s.reader(), s.logger()), now: time.Now}, nil
}

func (f *files) Name() string { return "files" }

func (f *files) Timeout() time.Duration { return f.timeout }

// Local reports that a search costs no requests; see research.Local.
func (f *files) Local() bool { return true }

// Search first reads the files that changed since the last search. When its
// timeout ends before all are read, it searches those that are; the next search
// reads on from there.
func (f *files) Search(ctx context.Context, q evidence.Query) ([]evidence.Document, error) {
	bounded, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	read, err := f.refresh(bounded, ctx)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("searching the folder of sources.files.dir: %w", ctx.Err())
	}
	switch late := errors.Is(err, context.DeadlineExceeded); {
	case late && len(read) == 0:
		return nil, fmt.Errorf("the folder of sources.files.dir was not read within %s: %w", f.timeout, err)
	case err != nil && !late:
		return nil, f.refused(err)
	}
	return f.rank(ctx, read, q)
}

// refresh returns the files that the folder holds now. See folderIndex.refresh.
func (f *files) refresh(ctx, life context.Context) ([]*indexedFile, error) {
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // it was only read from
	return f.index.refresh(ctx, life, root)
}

// refused is the problem of a folder that cannot be searched.
func (f *files) refused(err error) error {
	what := "cannot be opened"
	switch info, statErr := os.Stat(f.dir); {
	case errors.Is(err, fs.ErrNotExist):
		what = "does not exist"
	case statErr == nil && !info.IsDir():
		what = "is not a folder"
	case errors.Is(err, errUnreadable):
		what = "holds files, none of which can be read"
	case errors.Is(err, fs.ErrPermission):
		what = "may not be read: this program has no permission"
	}
	return &evidence.Problem{What: fmt.Sprintf("the folder %s of sources.files.dir %s", f.dir, what),
		Try: "fix that, set sources.files.dir to another, or set sources.files.enabled=false", Cause: err}
}

// document is a part of a file before it is finished.
func (f *files) document(p *filePart) evidence.Document {
	d := evidence.Document{Source: f.Name(), URL: fileURL(f.dir, p.file.path), Title: p.file.title, Text: p.text,
		Language: p.file.language, Published: p.file.published, Truncated: p.file.truncated,
		Revision: p.file.modified.UTC().Format(time.RFC3339), Meta: meta("path", p.file.path, evidence.MetaWarning, p.file.warning)}
	if len(p.file.parts) > 1 {
		d.URL += fmt.Sprintf("#part-%d", p.number)
		d.Title += fmt.Sprintf(" (part %d of %d)", p.number, len(p.file.parts))
	}
	return d
}
