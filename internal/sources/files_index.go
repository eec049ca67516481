package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
)

// Bounds of a folder, so that a home folder named by mistake neither fills the
// process's memory nor delays a question.
const (
	maxFiles      = 5000
	maxEntries    = 100_000  // files of any type and folders that are listed
	maxFileBytes  = 2 << 20  // of one file, as extract.MaxInput; the rest is not read
	maxIndexBytes = 32 << 20 // of all texts
	maxPart       = 32 << 10 // bytes; longer texts are cut into parts
)

// bounds are how much of a folder is read.
type bounds struct{ files, entries, bytes int }

// folderIndex is the files of a folder in memory. Only files that changed are read
// again. It is safe for concurrent use: one search refreshes it, others wait.
type folderIndex struct {
	pages  PageReader
	log    *slog.Logger
	bounds bounds
	warned bool      // that the folder holds more than is read
	mutex  semaphore // held by the search that refreshes
	files  map[string]*indexedFile
	words  *wordList
	seed   maphash.Seed
}

func newFolderIndex(pages PageReader, log *slog.Logger) folderIndex {
	return folderIndex{pages: pages, log: log, bounds: bounds{maxFiles, maxEntries, maxIndexBytes},
		mutex: make(semaphore, 1), files: map[string]*indexedFile{}, words: &wordList{}, seed: maphash.MakeSeed()}
}

// errUnreadable is the error for a folder with files none of which can be read.
var errUnreadable = errors.New("none of its files can be read")

// refresh updates the index from the folder and returns its files, sorted by path.
// When ctx ends first, it returns the files known so far and ctx's error; a file that
// is being read then is read to its end, unless life ends, too.
func (x *folderIndex) refresh(ctx, life context.Context, root *os.Root) ([]*indexedFile, error) {
	if err := x.mutex.acquire(ctx); err != nil {
		return nil, err
	}
	defer x.mutex.release()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	listed, all, err := x.list(ctx, root)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	fresh, unreadable, full := x.readChanged(ctx, life, root, listed)
	x.warn(full || !all && ctx.Err() == nil, len(fresh))
	if ctx.Err() != nil {
		maps.Copy(x.files, fresh) // files that were not listed stay until a search has time to look
	} else {
		x.files = fresh
	}
	out := slices.SortedFunc(maps.Values(x.files), func(a, b *indexedFile) int { return cmp.Compare(a.path, b.path) })
	out = slices.DeleteFunc(out, func(f *indexedFile) bool { return f.failed > 0 })
	if unreadable > 0 && len(out) == 0 && ctx.Err() == nil {
		return nil, errUnreadable
	}
	return out, ctx.Err()
}

// warn logs once that files are left out, and again after a time without.
func (x *folderIndex) warn(leftOut bool, read int) {
	if leftOut && !x.warned {
		x.log.Warn("the folder of sources.files.dir holds more than is searched: name a smaller folder, or move files that need no search",
			"files searched", read, "max files", x.bounds.files, "max files and folders listed", x.bounds.entries, "max MB of text", x.bounds.bytes>>20)
	}
	x.warned = leftOut
}

// readChanged reads the listed files that are new or changed, while ctx lasts and
// the text is within bounds. It returns all files that are read by then, how many
// could not be read, and whether the bounds were reached.
func (x *folderIndex) readChanged(ctx, life context.Context, root *os.Root, listed []indexedFile) (fresh map[string]*indexedFile, unreadable int, full bool) {
	fresh = map[string]*indexedFile{}
	total := 0
	for _, it := range listed {
		f := x.files[it.path].current(it)
		if f == nil || f.failed > 0 && f.failed < maxTries {
			if ctx.Err() != nil {
				break
			}
			if f != nil {
				it.failed = f.failed
			}
			var err error
			if f, err = x.read(ctx, life, root, it); err != nil {
				unreadable++ // removed since, or no permission: the others are read nevertheless
				continue
			}
		}
		if f.failed > 0 {
			unreadable++
		}
		if total += f.bytes(); total > x.bounds.bytes {
			return fresh, unreadable, true
		}
		fresh[it.path] = f
	}
	return fresh, unreadable, false
}

// list returns the files to read, sorted by path: regular files of a known type
// that are neither hidden nor behind a symbolic link. all is false when there are
// more than the bounds allow.
func (x *folderIndex) list(ctx context.Context, root *os.Root) (out []indexedFile, all bool, err error) {
	entries := 0
	all = true
	err = fs.WalkDir(root.FS(), ".", func(at string, d fs.DirEntry, err error) error {
		if entries++; entries > x.bounds.entries {
			all = false
			return fs.SkipAll
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && at == ".":
			return fmt.Errorf("listing the folder of sources.files.dir: %w", err)
		case err != nil:
			return fs.SkipDir // no permission
		case strings.HasPrefix(d.Name(), ".") && at != ".":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || fileTypes[extension(at)] == "":
			return nil
		case len(out) >= x.bounds.files:
			all = false
			return fs.SkipAll
		}
		if info, err := d.Info(); err == nil { // else it was removed
			out = append(out, indexedFile{path: at, size: info.Size(), modified: info.ModTime()})
		}
		return nil
	})
	return out, all, err
}
