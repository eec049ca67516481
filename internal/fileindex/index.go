// Package fileindex is a full-text index of the files of one folder, kept in one
// SQLite file. It stores what was read, so that a search reads no file, and the words,
// so that misspelt ones can be repaired. It is derived data: it may be deleted at any
// time, and one that is damaged or of another version is replaced by an empty one.
//
// Reading order: index.go, store.go and remove.go (the file), write.go, search.go, words.go.
package fileindex

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// File describes a file as it was read.
type File struct {
	Path     string // within the folder, with slashes
	Size     int64
	Modified time.Time
	Hash     []byte // of its content

	Title     string
	Language  string
	Published time.Time
	Truncated bool
	Warning   string // of what may be wrong in the text
	Failed    int    // attempts to read it that failed for a reason that may pass
	LeftOut   int64  // bytes of its text, if the index had no room for it
}

// Names are the file's title and path, each once.
func (f File) Names() string {
	if f.Title == "" || f.Title == f.Path {
		return f.Path
	}
	return f.Title + "\n" + f.Path
}

// Part is a part of a file's text with the chunks that are ranked.
type Part struct {
	Text   string
	Chunks []evidence.Chunk
}

// State is what tells whether a file has changed.
type State struct {
	Size     int64
	Modified time.Time
	Hash     []byte
	Failed   int
	LeftOut  int64 // bytes of its text, if the index had no room for it
	Bytes    int64 // of its text in the index
}

// Index is an open index. It is safe for concurrent use, also by several processes.
type Index struct {
	version string
	path    string      // "": in this process's memory
	file    os.FileInfo // of path when it was opened
	write   *sql.DB
	read    *sql.DB // the same as write for an index in memory
	lock    *flock.Flock
	reset   string
}

// Options say which index to open.
type Options struct {
	Dir     string // folder of its files, created if necessary; "": it is kept in this process's memory
	Version string // of what is stored: an index of another version is emptied
	Logger  *slog.Logger
}

const (
	fileName = "index.db"     // in the index's folder
	lockName = "refresh.lock" // held by the process that updates the index; its time is that of the last use
	openName = "open.lock"    // held by the process that opens, creates or removes the index
)

// Open opens or creates an index.
func Open(ctx context.Context, o Options) (*Index, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Dir == "" {
		return openInMemory(ctx, o)
	}
	for try := 1; ; try++ {
		x, err := openStored(ctx, o)
		// RemoveUnused of another process may have removed the folder just now.
		if err == nil || try == openTries || !errors.Is(err, fs.ErrNotExist) {
			return x, err
		}
	}
}

// openTries is how often an index is opened whose folder another process removes.
const openTries = 3

func openStored(ctx context.Context, o Options) (*Index, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the folder of an index: %w", err)
	}
	x := &Index{version: o.Version, path: filepath.Join(o.Dir, fileName), lock: newLock(o.Dir, lockName)}
	// SQLite does not wait by itself when two processes create a file at once.
	opening := newLock(o.Dir, openName)
	if _, err := opening.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("locking the index %s: %w", x.path, err)
	}
	x.touch()
	err := x.open(ctx, o)
	if err = errors.Join(err, opening.Close()); err != nil {
		return nil, fmt.Errorf("opening the index %s: %w", x.path, err)
	}
	return x, nil
}

func newLock(dir, name string) *flock.Flock {
	return flock.New(filepath.Join(dir, name), flock.SetPermissions(0o600))
}

// touch sets the time of the last use, which RemoveUnused looks at.
func (x *Index) touch() {
	f, err := os.OpenFile(x.lock.Path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return // an index that cannot be locked says so when it is updated
	}
	_ = f.Close() // nothing was written
	now := time.Now()
	_ = os.Chtimes(x.lock.Path(), now, now)
}

// Replaced says why the stored index was replaced by an empty one, or is "".
func (x *Index) Replaced() string { return x.reset }

// lockRetry is how often another process's lock is looked at.
const lockRetry = 20 * time.Millisecond

// ErrVersion is the cause of an update that another version of the program has to make.
var ErrVersion = errors.New("the index was taken over by another version of the program: restart this one")

// Lock waits until no other process updates the index, or for the end of ctx. The
// caller ends it with unlock. Within a process, one caller at a time may lock. The error
// is Gone when the file was removed or replaced since it was opened, and ErrVersion when another
// version emptied it.
func (x *Index) Lock(ctx context.Context) (unlock func(), err error) {
	if x.lock == nil {
		return func() {}, ctx.Err()
	}
	_, err = x.lock.TryLockContext(ctx, lockRetry)
	if errors.Is(err, fs.ErrNotExist) { // its folder
		return nil, errGone
	}
	if err != nil {
		return nil, fmt.Errorf("waiting for another process that updates the index: %w", err)
	}
	if !x.inPlace() {
		return nil, errors.Join(errGone, x.lock.Unlock())
	}
	if err := x.sameVersion(ctx, x.read); err != nil {
		return nil, errors.Join(failed(ctx, "locking the index", err), x.lock.Unlock())
	}
	x.touch()
	return func() { _ = x.lock.Unlock() }, nil // closing the file unlocks it at the latest
}

// Files returns the state of every file in the index, by path.
func (x *Index) Files(ctx context.Context) (map[string]State, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT path, size, modified, hash, failed, left_out, bytes FROM file")
	if err != nil {
		return nil, failed(ctx, "listing the index", err)
	}
	defer rows.Close()
	out := map[string]State{}
	for rows.Next() {
		var path string
		var s State
		var modified int64
		if err := rows.Scan(&path, &s.Size, &modified, &s.Hash, &s.Failed, &s.LeftOut, &s.Bytes); err != nil {
			return nil, failed(ctx, "listing the index", err)
		}
		s.Modified = time.Unix(0, modified)
		out[path] = s
	}
	return out, failed(ctx, "listing the index", rows.Err())
}

// Count returns how many files have text in the index.
func (x *Index) Count(ctx context.Context) (int, error) {
	n := 0
	err := x.read.QueryRowContext(ctx, "SELECT count(*) FROM file WHERE bytes > 0").Scan(&n)
	return n, failed(ctx, "counting the files of the index", err)
}

// Close closes the index.
func (x *Index) Close() error {
	err := x.write.Close()
	if x.read != x.write {
		err = errors.Join(err, x.read.Close())
	}
	if x.lock != nil {
		err = errors.Join(err, x.lock.Close())
	}
	return err
}

// failed wraps an error of SQLite, which only says "interrupted" when ctx has ended.
func failed(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("%s: %w", doing, err)
}
