package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	r.Bytes, err = copyInto(ctx, conn, path)
	_, back := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only=1")
	if err = errors.Join(err, back); err != nil {
		return r, l.failed(ctx, "backing up", err)
	}
	return r, l.read(ctx, "backing up", func(tx *sql.Tx) error {
		t, err := readTally(ctx, tx)
		r.Documents = int(t["documents"])
		return err
	})
}

// copyInto writes a whole copy of db as of one moment to path, through a
// temporary file, and returns its size. Readers and writers go on meanwhile.
func copyInto(ctx context.Context, db execer, path string) (size int64, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), ".backup-") // 0700: nobody else sees the copy grow
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	temp := filepath.Join(dir, "copy.db")
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", temp); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	err = errors.Join(f.Chmod(0o600), f.Sync())
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, err
	}
	return size, os.Rename(temp, path)
}
