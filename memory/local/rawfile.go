package local

import (
	"errors"
	"io"
	"os"
	"sync"
)

// raw is the database file, open beside SQLite's connections, to be looked at
// byte by byte.
//
// POSIX takes all locks of a process on a file away as soon as the process
// closes any descriptor of it, also one that never locked anything. The locks of
// SQLite's connections would go without their knowing, and the next process that
// closes the memory would delete the write-ahead log under them. So the file is
// opened through hold alone, and closed when the last memory of this process on
// it has closed its connections.
type raw struct {
	*os.File
	users int
}

// held files are the process's, as their locks are: two memories on one file
// share a descriptor.
var openFiles struct {
	sync.Mutex
	all []*raw
}

// hold opens the file at path, or makes it for its owner alone. Release what it
// gives after all connections are closed.
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
	if err != nil {
		return nil, err
	}
	r := &raw{File: f, users: 1}
	openFiles.all = append(openFiles.all, r)
	return r, nil
}

// release closes the file if nobody else in this process has it.
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

// reader reads the file from its start.
func (r *raw) reader() io.Reader { return io.NewSectionReader(r, 0, 1<<62) }
