package local

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// explain turns an error of SQLite into a Problem that says what to do. A
// Problem, and an error that no user can fix, is returned unchanged.
func explain(path string, err error) error {
	var known *evidence.Problem
	var se *sqlite.Error
	if err == nil || errors.As(err, &known) || !errors.As(err, &se) {
		return err
	}
	code := se.Code() & 0xff
	if se.Code() == sqlite3.SQLITE_IOERR_SHMSIZE { // what a full disk is called where the log's index is made
		code = sqlite3.SQLITE_FULL
	}
	switch code {
	case sqlite3.SQLITE_FULL:
		return &evidence.Problem{
			What:  fmt.Sprintf("the disk with %s is full; nothing was written, and the stored data are intact", path),
			Try:   "free some space, or forget what is no longer needed",
			Cause: errors.Join(contract.ErrFull, err),
		}
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged(path, err)
	case sqlite3.SQLITE_ERROR:
		if strings.Contains(se.Error(), "unsupported file format") {
			return damaged(path, err)
		}
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &evidence.Problem{
			What:  fmt.Sprintf("another process has kept %s busy for %s", path, busyTimeout),
			Try:   "try again; if that does not help, look for a process that has the file open and hangs",
			Cause: err,
		}
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return notWritable(path, err)
	case sqlite3.SQLITE_IOERR:
		return &evidence.Problem{
			What:  fmt.Sprintf("reading or writing %s failed: %v", path, se),
			Try:   "check the disk's health and free space, then run `research-mcp memory check`",
			Cause: err,
		}
	}
	return err
}

// isLogic reports whether SQLite refused a statement because the tables are others than
// it names, or the file is of a format that it does not know.
func isLogic(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code() == sqlite3.SQLITE_ERROR
}

// isBusy reports whether another process kept the file locked for too long.
func isBusy(err error) bool {
	var se *sqlite.Error
	if !errors.As(err, &se) {
		return false
	}
	code := se.Code() & 0xff
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
}

func notWritable(path string, cause error) *evidence.Problem {
	return &evidence.Problem{
		What:  fmt.Sprintf("%s is not writable", path),
		Try:   "check the owner of the file and its folder, or choose another data folder with --data-dir",
		Cause: errors.Join(contract.ErrReadOnly, cause),
	}
}

func inUse(path string, cause error) *evidence.Problem {
	return &evidence.Problem{What: "another process uses " + path, Try: "stop the assistants and servers that use it, then repair again", Cause: cause}
}

func damaged(path string, cause error) *evidence.Problem {
	return &evidence.Problem{
		What: fmt.Sprintf("%s is damaged or is not a memory", path),
		Try: fmt.Sprintf("`research-mcp memory check` says more; `research-mcp memory repair` makes a new file of what can be read and keeps the old one; or put the newest backup from %s in its place",
			filepath.Join(filepath.Dir(path), backupDir)),
		Cause: errors.Join(contract.ErrDamaged, cause),
	}
}
