package local

import (
	"errors"
	"io"
	"os"
	"sync"
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
}

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
				r.users++
				return r, nil
			}
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if accessOf(path) != "" { // the file exists and can only be read
		f, err = os.Open(path)
	}
	if err != nil {
		return nil, err
	}
	r := &raw{File: f, users: 1}
	openFiles.all = append(openFiles.all, r)
	return r, nil
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
