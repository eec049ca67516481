package local

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const (
	locksArePerProcess     = false
	openFilesCanBeReplaced = false
)

// lockBytes takes the lock that SQLite has for an exclusive transaction, and reports
// whether nobody else has any lock on the file. f is open for writing.
func lockBytes(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, lockLen, 0,
		&windows.Overlapped{Offset: lockStart})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}
