package fileindex

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// RemoveUnused removes the indexes in the folders beside dir that were last used before a
// time. What cannot be removed, or is in use, stays.
func RemoveUnused(dir string, before time.Time) {
	parent := filepath.Dir(dir)
	all, _ := os.ReadDir(parent) // what cannot be listed stays
	for _, d := range all {
		other := filepath.Join(parent, d.Name())
		if other != filepath.Clean(dir) && usedBefore(other, before) {
			_ = whileUnused(other, func() error {
				if !usedBefore(other, before) { // it was used since
					return nil
				}
				if err := remove(other); err != nil {
					return err
				}
				return os.RemoveAll(other) // on Windows the locks stay
			})
		}
	}
}

// usedBefore reports whether dir has an index that was last used before a time.
func usedBefore(dir string, before time.Time) bool {
	info, err := os.Stat(filepath.Join(dir, lockName))
	return err == nil && info.ModTime().Before(before)
}

// whileUnused calls f while no process opens or updates the index in dir, or not at all
// if one does.
func whileUnused(dir string, f func() error) (err error) {
	for _, name := range []string{openName, lockName} {
		lock := newLock(dir, name)
		if ok, err := lock.TryLock(); !ok || err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.Close()) }()
	}
	return f()
}

// Discard closes a damaged index and removes it, unless another process has replaced it
// or uses it: then the next Open finds what became of it.
func (x *Index) Discard() error {
	_ = x.Close() // it is damaged
	if x.path == "" {
		return nil
	}
	dir := filepath.Dir(x.path)
	return whileUnused(dir, func() error {
		if !x.inPlace() {
			return nil
		}
		return remove(dir)
	})
}

// inPlace reports whether the index's path is still the file that was opened.
func (x *Index) inPlace() bool {
	info, err := os.Stat(x.path)
	return err == nil && os.SameFile(info, x.file)
}

// remove removes the index in a folder. One that does not exist is no error.
func remove(dir string) error {
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		if err := os.Remove(filepath.Join(dir, fileName+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing an index: %w", err)
		}
	}
	return nil
}

var errGone = errors.New("the index was removed or replaced by another process")

// Gone reports whether err means that the stored index is no longer where it was. Close
// it and open it again.
func Gone(err error) bool {
	var e *sqlite.Error
	return errors.Is(err, errGone) ||
		errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_CANTOPEN || e.Code() == sqlite3.SQLITE_READONLY_DBMOVED)
}

// Unwritable reports whether err means that no index can be stored in the folder, as
// opposed to a failure that may pass: no permission, a medium that is read-only, or a file
// system without what SQLite needs.
func Unwritable(err error) bool {
	for _, cause := range []error{fs.ErrPermission, errors.ErrUnsupported, syscall.EROFS, syscall.ENOTDIR, syscall.ENOLCK} {
		if errors.Is(err, cause) {
			return true
		}
	}
	var e *sqlite.Error
	if !errors.As(err, &e) || Gone(err) {
		return false
	}
	switch e.Code() {
	case sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_IOERR_SHMLOCK:
		return true
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_PERM || code == sqlite3.SQLITE_PROTOCOL
}

// errInconsistent is the error for rows that do not fit together.
var errInconsistent = errors.New("the index is damaged")

// missing is the error for a row that another one needs.
func missing(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("%w: %w", errInconsistent, err)
	}
	return err
}

// Damaged reports whether err means that the stored index cannot be used, as opposed to
// a temporary failure.
func Damaged(err error) bool {
	var e *sqlite.Error
	if errors.Is(err, errInconsistent) {
		return true
	}
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}
