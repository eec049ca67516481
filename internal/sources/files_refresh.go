package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fileindex"
)

// listedFile is a file of the folder that is to be in the index.
type listedFile struct {
	path     string // within the folder, with slashes
	size     int64
	modified time.Time
	known    fileindex.State // what the index has of it
	failed   int             // attempts that failed, if it is the known one
}

// same reports whether the file has the size and time that the index knows.
func (it listedFile) same() bool {
	return it.known.Size == it.size && it.known.Modified.Equal(it.modified)
}

// Sizes of what is written in one transaction. Small ones lose little when the process
// ends; each costs some milliseconds.
const (
	batchFiles = 128
	batchBytes = 2 << 20 // of files
)

// maxTries is how often a file is read when the reader fails: a reader that was
// busy or killed may succeed next time, and one that the file itself crashes
// would delay every question.
const maxTries = 3

// reading brings an index up to date.
type reading struct {
	folder     *folder
	root       *os.Root
	index      *fileindex.Index
	update     *update
	known      map[string]fileindex.State
	bytes      int64 // of the texts in the index
	unreadable int   // files
	leftOut    int   // files that the index has no room for
	full       atomic.Bool
}

// all reads the listed files that are new or changed, and removes from the index what
// is not listed. What it wrote stays when ctx ends it. A change of a file that is in the
// index goes before what is new. Once the index is full, no other new files are read.
func (r *reading) all(ctx context.Context, listed []listedFile) error {
	var changed, fresh, leftOut []listedFile
	gone := r.known
	usable, indexed := 0, int64(0)
	for _, it := range listed {
		it.known = r.known[it.path]
		delete(gone, it.path)
		if it.same() {
			it.failed = it.known.Failed
		}
		indexed += it.known.Bytes
		switch {
		case it.same() && it.known.LeftOut > 0:
			leftOut = append(leftOut, it)
		case it.known.Bytes > 0 && !it.same():
			changed = append(changed, it)
		case !it.same() || it.failed > 0 && it.failed < maxTries:
			fresh = append(fresh, it)
		case it.failed > 0:
			r.unreadable++
		default:
			usable++
			r.bytes += it.known.Bytes
		}
	}
	for _, it := range leftOut { // there may be room now
		if indexed+it.known.LeftOut > int64(r.folder.bounds.bytes) {
			r.leftOut++
			continue
		}
		indexed += it.known.LeftOut
		fresh = append(fresh, it)
	}
	r.update.read.Store(int64(usable))
	r.update.files.Store(int64(len(listed)))
	if err := r.remove(ctx, gone); err != nil {
		return err
	}
	if err := r.changed(ctx, changed, fresh); err != nil {
		return err
	}
	if r.leftOut == 0 && r.unreadable > 0 && r.update.read.Load() == 0 {
		return errUnreadable
	}
	return nil
}

// changed reads the files and writes them, the next batch while the last one is written.
func (r *reading) changed(ctx context.Context, known, fresh []listedFile) error {
	files := slices.Concat(known, fresh)
	group, gctx := errgroup.WithContext(ctx)
	ready := make(chan []outcome)
	group.Go(func() error {
		defer close(ready)
		for len(files) > len(fresh) || len(files) > 0 && !r.full.Load() {
			workers, err := r.folder.turn(gctx)
			if err != nil {
				return err
			}
			n := batchOf(files)
			got := r.readAll(gctx, files[:n], workers)
			files = files[n:]
			select {
			case ready <- got:
			case <-gctx.Done():
				return gctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		for got := range ready {
			if err := r.write(gctx, got); err != nil {
				return err
			}
		}
		return nil
	})
	return cmp.Or(ctx.Err(), group.Wait())
}

// remove removes files from the index, a batch at a time.
func (r *reading) remove(ctx context.Context, gone map[string]fileindex.State) error {
	var paths []string
	for p := range gone {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for some := range slices.Chunk(paths, batchFiles) {
		if err := r.apply(ctx, fileindex.Change{Removed: some}); err != nil {
			return err
		}
	}
	return nil
}

// batchOf returns how many of the files are read at once, at least one.
func batchOf(files []listedFile) int {
	size := int64(0)
	for i, it := range files {
		if size += it.size; i > 0 && (i == batchFiles || size > batchBytes) {
			return i
		}
	}
	return len(files)
}

// outcome is what became of one file. Without more than the file: it cannot be opened.
type outcome struct {
	file    listedFile
	entry   *fileindex.Entry
	touched bool  // its content is what the index has
	failed  bool  // the reader failed
	why     error // it cannot be read
}

// readAll reads some files, so many at a time.
func (r *reading) readAll(ctx context.Context, files []listedFile, workers int) []outcome {
	out := make([]outcome, len(files))
	var group errgroup.Group
	group.SetLimit(workers)
	for i, it := range files {
		group.Go(func() error {
			out[i] = r.readGuarded(ctx, it)
			return nil // the others are read nevertheless
		})
	}
	_ = group.Wait()
	return out
}

// write writes what became of some files. Of one that the index has no room for it writes
// only that, so that it is not read again before there is room.
func (r *reading) write(ctx context.Context, files []outcome) error {
	if err := ctx.Err(); err != nil { // then the files were not read
		return err
	}
	var change fileindex.Change
	read := int64(0)
	for _, got := range files {
		bytes, usable := got.file.known.Bytes, !got.failed
		if got.entry != nil {
			bytes = int64(got.entry.Bytes())
		}
		switch {
		case got.entry == nil && !got.touched: // removed since, or no permission
			change.Removed = append(change.Removed, got.file.path)
			usable = false
		case got.entry != nil && bytes > 0 && r.bytes+bytes > int64(r.folder.bounds.bytes):
			change.Put = append(change.Put, got.entry.LeftOut())
			r.leftOut++
			r.full.Store(true)
			continue
		case got.touched:
			change.Touched = append(change.Touched, fileindex.File{Path: got.file.path, Size: got.file.size, Modified: got.file.modified})
			r.bytes += bytes
		default:
			change.Put = append(change.Put, got.entry)
			r.bytes += bytes
		}
		if usable {
			read++
		} else {
			r.unreadable++
		}
	}
	if err := r.apply(ctx, change); err != nil {
		return err
	}
	r.folder.unread.add(files)
	r.update.read.Add(read)
	return nil
}

func (r *reading) apply(ctx context.Context, c fileindex.Change) error {
	if err := r.index.Apply(ctx, c); err != nil {
		return fmt.Errorf("%w: %w", errIndex, err)
	}
	return nil
}

// readGuarded reads one file. A panic is a failure of the reader.
func (r *reading) readGuarded(ctx context.Context, it listedFile) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			r.folder.log.Error("reading a file panicked", "path", it.path, "panic", p)
			out = r.failedAt(ctx, it)
		}
	}()
	return r.folder.read(ctx, r.root, it)
}

var errPanicked = errors.New("its reader failed on it")

// failedAt is the outcome of a file that the reader panicked on: one attempt that failed.
func (r *reading) failedAt(ctx context.Context, it listedFile) outcome {
	f := fileindex.File{Path: it.path, Title: it.path, Size: it.size, Modified: it.modified, Failed: it.failed + 1}
	entry, err := fileindex.Prepare(ctx, f, nil)
	if err != nil { // ctx has ended
		return outcome{file: it}
	}
	return outcome{file: it, entry: entry, failed: true, why: errPanicked}
}

// list returns the files to read, sorted by path: regular files of a known type
// that are neither hidden nor behind a symbolic link. all is false when there are
// more than the bounds allow.
func (x *folder) list(ctx context.Context, root *os.Root) (out []listedFile, all bool, err error) {
	l := &listing{root: root, bounds: x.bounds}
	err = l.folder(ctx, ".")
	full := errors.Is(err, errFull)
	if err != nil && !full {
		return nil, false, fmt.Errorf("listing the folder of sources.files.dir: %w", err)
	}
	return l.files, !full, nil
}

// errFull ends a listing that has reached its bounds.
var errFull = errors.New("the folder holds more than is read")

// listing lists a folder. It reads folders piece by piece, so that one with millions of
// files does not fill the process's memory.
type listing struct {
	root    *os.Root
	bounds  bounds
	entries int
	files   []listedFile
}

// folder lists one folder with those in it. It returns an error for the first one only:
// those that may not be read are left out.
func (l *listing) folder(ctx context.Context, at string) error {
	entries, full, err := l.read(ctx, at)
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	for _, d := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(at, d.Name())
		if d.IsDir() {
			if err := l.folder(ctx, name); errors.Is(err, errFull) || ctx.Err() != nil {
				return cmp.Or(ctx.Err(), err)
			}
			continue
		}
		if len(l.files) >= l.bounds.files {
			return errFull
		}
		if info, err := d.Info(); err == nil { // else it was removed
			l.files = append(l.files, listedFile{path: name, size: info.Size(), modified: info.ModTime()})
		}
	}
	if full {
		return errFull
	}
	return nil
}

// readAtOnce is how many entries of a folder are read at once.
const readAtOnce = 1024

// read returns the folders and the files of a known type in a folder, but for hidden
// ones. full reports that the bounds were reached before its end.
func (l *listing) read(ctx context.Context, at string) (out []fs.DirEntry, full bool, err error) {
	dir, err := l.root.Open(filepath.FromSlash(at))
	if err != nil {
		return nil, false, err
	}
	defer dir.Close() // it was only read from
	for {
		some, err := dir.ReadDir(readAtOnce)
		for _, d := range some {
			if l.entries++; l.entries > l.bounds.entries || len(out) == maxHeld {
				return out, true, nil
			}
			if !strings.HasPrefix(d.Name(), ".") && (d.IsDir() || d.Type().IsRegular() && extract.TypeOfFile(d.Name()) != "") {
				out = append(out, d)
			}
		}
		if errors.Is(err, io.EOF) {
			return out, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
	}
}
