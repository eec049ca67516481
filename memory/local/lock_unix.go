//go:build unix

package local

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// locksArePerProcess: closing any descriptor of a file releases all locks that
	// the process has on it, and a lock that the process has can be taken again.
	locksArePerProcess = true
	// openFilesCanBeReplaced: a file is renamed over another that is open.
	openFilesCanBeReplaced = true
)

// lockBytes takes the lock that SQLite has for an exclusive transaction, and reports
// whether no other process has any lock on the file. f is open for writing.
func lockBytes(f *os.File) (bool, error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: lockStart, Len: lockLen}
	err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}
