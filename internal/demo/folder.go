package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

const (
	folderPrefix = "research-mcp-demo-"
	lockName     = "lock"
	// startsWithin is how long a folder may be without a lock: longer than any demo needs
	// to make it.
	startsWithin = time.Hour
)

// folder is a temporary folder of one process, which holds a lock in it. The system frees
// the lock however the process ends, so the next demo can tell what is left of a process
// that was killed.
type folder struct {
	path string
	lock *flock.Flock
}

// newFolder makes a folder in base, and removes those that ended demos have left there.
func newFolder(base string) (*folder, error) {
	sweep(base)
	for range 3 {
		path, err := os.MkdirTemp(base, folderPrefix)
		if err != nil {
			return nil, fmt.Errorf("making the demo's folder: %w", err)
		}
		f := &folder{path: path, lock: flock.New(filepath.Join(path, lockName))}
		locked, err := f.lock.TryLock()
		if locked {
			return f, nil
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, errors.Join(fmt.Errorf("locking the demo's folder: %w", err), f.remove())
		}
		_ = f.remove() // another demo takes it for a left one and removes it, too
	}
	return nil, fmt.Errorf("making the demo's folder in %s: other processes remove it", base)
}

func (f *folder) remove() error { return errors.Join(f.lock.Close(), os.RemoveAll(f.path)) }

// sweep removes the folders in base that no process has locked. What cannot be removed,
// such as another user's, is left.
func sweep(base string) {
	left, err := filepath.Glob(filepath.Join(base, folderPrefix+"*"))
	if err != nil { // base is no pattern: nothing is swept
		return
	}
	for _, path := range left {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() {
			continue
		}
		lockFile := filepath.Join(path, lockName)
		if l, err := os.Lstat(lockFile); err != nil || !l.Mode().IsRegular() {
			if time.Since(info.ModTime()) > startsWithin {
				_ = os.RemoveAll(path)
			}
			continue
		}
		lock := flock.New(lockFile)
		if locked, err := lock.TryLock(); err == nil && locked {
			_ = lock.Close() // an open file cannot be removed on Windows
			_ = os.RemoveAll(path)
		}
		_ = lock.Close()
	}
}
