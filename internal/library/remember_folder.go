package library

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	// maxFolderFiles bounds a folder that is stored at once.
	maxFolderFiles = 1_000_000
	// mostFailures is how many files that were not read are named, mostWarnings how many
	// warnings about the others there are: one may be the same for each file.
	mostFailures = 20
	mostWarnings = 20
	// inHand is how many bytes of files are read at once.
	inHand = 128 << 20
)

// FolderResult says what was stored of a folder. Warnings is never nil.
type FolderResult struct {
	Files     int      `json:"files"`     // that were found
	Kept      int      `json:"kept"`      // new ones, and new versions
	Unchanged int      `json:"unchanged"` // already in the memory
	Failed    int      `json:"failed"`    // not read
	Chunks    int      `json:"chunks"`    // of those kept
	Warnings  []string `json:"warnings"`

	warned int // about files that were read
}

// Done is how many of the files have been dealt with.
func (r FolderResult) Done() int { return r.Kept + r.Unchanged + r.Failed }

// RememberFolder stores each file of a folder that RememberFile reads by its ending, those
// in folders within it included, but not hidden ones or what is behind symbolic links in it. A
// file that is in the memory with its size and time is not read again, so that a call that was
// interrupted continues when it is repeated. A file or a folder that cannot be read is named in
// the warnings and counts as failed, and the others are stored. progress, which may be nil, is called after each
// file, never twice at once.
func (l *Library) RememberFolder(ctx context.Context, dir string, tags []string, progress func(FolderResult)) (FolderResult, error) {
	files, err := listFolder(ctx, dir)
	r := FolderResult{Files: len(files), Warnings: []string{}}
	if err != nil {
		return r, err
	}
	if progress == nil {
		progress = func(FolderResult) {}
	}
	var mu sync.Mutex
	room := semaphore.NewWeighted(inHand)
	// Files are read by child processes beside each other; the memory stores what comes at
	// the same time in one transaction.
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4 * runtime.GOMAXPROCS(0))
	for _, f := range files {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error {
			size := min(f.size(), inHand)
			if err := room.Acquire(gctx, size); err != nil {
				return err
			}
			defer room.Release(size)
			got, failed, err := l.rememberOf(gctx, f, tags)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			r.add(f.path, got, failed)
			progress(r)
			return nil
		})
	}
	err = g.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if r.Failed > mostFailures {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s more could not be read", text.Count(r.Failed-mostFailures, "file")))
	}
	if r.warned > mostWarnings {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s more about files that were read", text.Count(r.warned-mostWarnings, "warning")))
	}
	return r, err
}

func (r *FolderResult) add(path string, got RememberResult, failed error) {
	switch {
	case failed != nil:
		if r.Failed++; r.Failed <= mostFailures {
			p := evidence.AsProblem(failed)
			r.Warnings = append(r.Warnings, p.What)
		}
	case got.Deduplicated:
		r.Unchanged++
	default:
		r.Kept++
		r.Chunks += got.Chunks
	}
	for _, w := range got.Warnings {
		if r.warned++; r.warned <= mostWarnings {
			r.Warnings = append(r.Warnings, path+": "+w)
		}
	}
}

// folderFile is a file of a folder that is to be stored, or what cannot be read.
type folderFile struct {
	path   string // absolute
	info   fs.FileInfo
	failed error // why it cannot be read; info is nil
}

func (f folderFile) size() int64 {
	if f.info == nil {
		return 0
	}
	return f.info.Size()
}

// listFolder returns the files of a folder, by path. Their paths begin with dir, also where
// that is a symbolic link.
func listFolder(ctx context.Context, dir string) (files []folderFile, err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the folder: %w", err)
	}
	real, err := filepath.EvalSymlinks(dir) // WalkDir does not follow one
	if err != nil {
		return nil, noFile(dir, err)
	}
	err = filepath.WalkDir(real, func(path string, d fs.DirEntry, err error) error {
		path = filepath.Join(dir, strings.TrimPrefix(path, real))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && path == dir:
			return noFile(path, err)
		case err != nil:
			files = append(files, folderFile{path: path, failed: noFile(path, reason(err))})
			return nil
		case path != dir && strings.HasPrefix(d.Name(), ".") && d.IsDir():
			return fs.SkipDir
		case d.IsDir(), !d.Type().IsRegular(), strings.HasPrefix(d.Name(), "."), extract.TypeOfFile(d.Name()) == "":
			return nil
		case len(files) == maxFolderFiles:
			return evidence.BadInput(fmt.Sprintf("%s has more than %d files", dir, maxFolderFiles), "name folders within it")
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			return nil
		}
		if err != nil {
			files = append(files, folderFile{path: path, failed: noFile(path, reason(err))})
			return nil
		}
		files = append(files, folderFile{path: path, info: info})
		return nil
	})
	if err == nil && len(files) == 0 {
		err = evidence.BadInput(fmt.Sprintf("%s has no file of a kind that is read", dir),
			"name a folder with Markdown, text, HTML, PDF, Office files, EPUB, notebooks or mail")
	}
	return files, err
}

// reason is err without the path, which the message names.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// rememberOf stores a file, unless the memory has it. failed is why it cannot be read; any
// error is one of the memory, or ctx's.
func (l *Library) rememberOf(ctx context.Context, f folderFile, tags []string) (got RememberResult, failed, err error) {
	if f.failed != nil {
		return got, f.failed, nil
	}
	have, ok, err := l.deps.Memory.Document(ctx, evidence.DocumentID(SourceFile, fileAddress(f.path), ""))
	if err != nil {
		return got, nil, err
	}
	if ok && have.Revision == fileRevision(f.info) && containsAll(have.Tags, visibleTags(tags)) {
		return RememberResult{DocumentID: have.ID, Deduplicated: true}, nil, nil
	}
	n, err := l.readFile(ctx, f.path, f.path, "", tags)
	if ctx.Err() != nil {
		return got, nil, ctx.Err()
	}
	if err != nil {
		return got, err, nil
	}
	got, err = l.rememberText(ctx, n)
	var p *evidence.Problem
	if errors.As(err, &p) && p.Usage { // an empty text, or one that is too long
		return got, &evidence.Problem{What: f.path + ": " + p.What}, nil
	}
	return got, nil, err
}

func containsAll(have, want []string) bool {
	return !slices.ContainsFunc(want, func(t string) bool { return !slices.Contains(have, t) })
}
