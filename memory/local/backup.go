package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Backup writes a whole copy; see contract.Keeper.
func (l *Local) Backup(ctx context.Context, path string) (contract.BackupReport, error) {
	if path == "" {
		return contract.BackupReport{}, evidence.BadInput("no file for the backup is given", "name one that is not there yet")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return contract.BackupReport{}, fmt.Errorf("finding the file for the backup: %w", err)
	}
	if _, err := os.Lstat(path); err == nil {
		return contract.BackupReport{}, evidence.BadInput(fmt.Sprintf("%s is already there", path), "name a file that is not there yet")
	}
	r := contract.BackupReport{Path: path}
	conn, err := l.rdb.Conn(ctx)
	if err != nil {
		return r, l.failed(ctx, "backing up", err)
	}
	defer conn.Close()
	// A copy writes to another file only, but the connection has to allow it.
	if _, err := conn.ExecContext(ctx, "PRAGMA query_only=0"); err != nil {
		return r, l.failed(ctx, "backing up", err)
	}
	r.Bytes, r.Documents, err = copyInto(ctx, conn, path)
	_, back := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only=1")
	if err = errors.Join(err, back); err != nil {
		if errors.Is(err, os.ErrExist) {
			return r, evidence.BadInput(fmt.Sprintf("%s is already there", path), "name a file that is not there yet")
		}
		return r, l.failed(ctx, "backing up", err)
	}
	return r, nil
}

// copyInto writes a whole copy of db as of one moment to path, which must not be
// there, through a temporary file, and returns its size and how many documents
// it holds. Readers and writers go on meanwhile.
func copyInto(ctx context.Context, db execer, path string) (size int64, docs int, err error) {
	sweep(filepath.Dir(path), time.Now())
	dir, err := os.MkdirTemp(filepath.Dir(path), tempPrefix) // 0700: nobody else sees the copy grow
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	temp := filepath.Join(dir, "copy.db")
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", temp); err != nil {
		return 0, 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	if docs, err = countIn(ctx, temp); err != nil {
		return 0, 0, err
	}
	f, err := os.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		return 0, 0, err
	}
	err = errors.Join(f.Chmod(0o600), f.Sync())
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, 0, err
	}
	return size, docs, place(temp, path)
}

// countIn counts the documents of a copy.
func countIn(ctx context.Context, path string) (n int, err error) {
	db, err := openDB(path, true)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	t, err := readTally(ctx, db)
	return int(t["documents"]), err
}

// place gives a finished file its name, and never takes the place of one that is
// there: another process may have made it meanwhile.
func place(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, os.ErrExist) {
		return err
	}
	// A file system without links: the name is taken first, then filled.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Rename(temp, path))
}

const (
	tempPrefix = ".research-mcp-backup-" // such a folder is ours, wherever the backup goes
	// staleAfter is when what a killed process left half-done is removed.
	staleAfter = time.Hour
)

// sweep removes unfinished copies that nobody writes to any more.
func sweep(dir string, now time.Time) {
	found, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")) // a bad pattern finds nothing
	for _, old := range found {
		last := time.Time{}
		for _, p := range []string{old, filepath.Join(old, "copy.db")} {
			if info, err := os.Stat(p); err == nil && info.ModTime().After(last) {
				last = info.ModTime()
			}
		}
		if now.Sub(last) <= staleAfter {
			continue
		}
		for _, name := range []string{"copy.db", "copy.db-journal"} {
			_ = os.Remove(filepath.Join(old, name)) // the next one tries again
		}
		_ = os.Remove(old) // not with what somebody else put into it
	}
}
