package local

import (
	"errors"
	"fmt"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// explain turns what SQLite says into words and a way out. Errors that already
// are a Problem, and those that only a developer can mend, pass unchanged.
func explain(path string, err error) error {
	var known *evidence.Problem
	var se *sqlite.Error
	if err == nil || errors.As(err, &known) || !errors.As(err, &se) {
		return err
	}
	switch se.Code() & 0xff {
	case sqlite3.SQLITE_FULL:
		return &evidence.Problem{
			What:  fmt.Sprintf("the disk that holds %s is full; nothing of this was written, and what was there is whole", path),
			Try:   "free some space, or forget what is no longer needed",
			Cause: err,
		}
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return damaged(path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return &evidence.Problem{
			What:  fmt.Sprintf("another process has kept %s busy for %s", path, busyTimeout),
			Try:   "try again; if it stays so, look for a stuck process that has the file open",
			Cause: err,
		}
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return &evidence.Problem{
			What:  fmt.Sprintf("%s cannot be written", path),
			Try:   "check who owns the file and its folder, or choose another data folder with --data-dir",
			Cause: err,
		}
	case sqlite3.SQLITE_IOERR:
		return &evidence.Problem{
			What:  fmt.Sprintf("reading or writing %s failed: %v", path, se),
			Try:   "check the disk's health and free space, then run `research-mcp memory check`",
			Cause: err,
		}
	}
	return err
}

func damaged(path string, cause error) *evidence.Problem {
	return &evidence.Problem{
		What: fmt.Sprintf("%s is damaged, or is no memory", path),
		Try: fmt.Sprintf("run `research-mcp memory check`; move the file away and put the newest backup from %s in its place, or choose another data folder with --data-dir",
			filepath.Join(filepath.Dir(path), backupDir)),
		Cause: cause,
	}
}
