package local

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// raw is the database file, opened beside the connections of SQLite to be
// searched byte by byte.
//
// When a process closes any descriptor of a file, POSIX releases all locks that
// the process has on it. The connections of SQLite would lose their locks
// without noticing, and the next process to close the memory would delete the
// write-ahead log while they use it. So the file is only opened by openRaw, and
// closed when the last memory of this process on it has closed its connections.
type raw struct {
	*os.File
	users int
	alone bool // by lockAlone: the file is not shared
}

// The bytes that SQLite locks in a database file, on all platforms: one for a
// waiting writer, one for a writer, 510 for the connections.
const (
	lockStart = 0x40000000
	lockLen   = 512
)

// openFiles is shared by the process, as its locks are: two memories on one
// file share a descriptor.
var openFiles struct {
	sync.Mutex
	all []*raw
}

// openRaw opens or creates the file at path, with mode 0600. The caller
// releases it after all connections are closed.
func openRaw(path string) (*raw, error) {
	openFiles.Lock()
	defer openFiles.Unlock()
	if info, err := os.Stat(path); err == nil {
		for _, r := range openFiles.all {
			if have, err := r.Stat(); err == nil && os.SameFile(have, info) {
				if r.alone {
					return nil, inUse(path, nil)
				}
				r.users++
				return r, nil
			}
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// Asked first: a descriptor that is opened in vain and closed would release the locks.
	flags := os.O_RDWR | os.O_CREATE
	if accessOf(path) != accessWrite { // the file exists and can only be read
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	r := &raw{File: f, users: 1}
	openFiles.all = append(openFiles.all, r)
	return r, nil
}

// lockAlone takes the file for this user of it alone, and reports whether it could:
// it waits for a moment while another process or another memory of this one has it
// open. The lock ends with release.
func (r *raw) lockAlone(ctx context.Context, wait time.Duration) (bool, error) {
	openFiles.Lock()
	r.alone = r.users == 1
	openFiles.Unlock()
	if !r.alone {
		return false, nil
	}
	for end := time.Now().Add(wait); ; {
		ok, err := lockBytes(r.File)
		if ok {
			return true, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil || time.Now().After(end) {
			openFiles.Lock()
			r.alone = false
			openFiles.Unlock()
			return false, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(lockRetry):
		}
	}
}

// lockRetry is how often a lock that another process has is tried.
const lockRetry = 50 * time.Millisecond

// stillLocked reports whether the lock of lockAlone was kept.
func (r *raw) stillLocked() (bool, error) {
	if !locksArePerProcess { // they are kept, and cannot be taken twice
		return true, nil
	}
	return lockBytes(r.File)
}

// unreplaced returns a Problem if path no longer names the open file: a repair has
// put another one in its place since it was opened.
func (r *raw) unreplaced(path string) error {
	have, err := r.Stat()
	if err != nil {
		return err
	}
	now, err := os.Stat(path)
	if err == nil && os.SameFile(have, now) {
		return nil
	}
	return &evidence.Problem{What: path + " was replaced by a repair while it was opened", Try: "try again", Cause: err}
}

// release closes the file if no other memory of this process uses it.
func (r *raw) release() error {
	openFiles.Lock()
	defer openFiles.Unlock()
	if r.users--; r.users > 0 {
		return nil
	}
	for i, other := range openFiles.all {
		if other == r {
			openFiles.all = append(openFiles.all[:i], openFiles.all[i+1:]...)
			break
		}
	}
	return r.Close()
}

// reader returns a reader of the whole file.
func (r *raw) reader() io.Reader { return io.NewSectionReader(r, 0, 1<<62) }
