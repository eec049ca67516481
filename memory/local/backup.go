package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/newfile"
	"github.com/research-mcp/research-mcp/memory/contract"
)

type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Backup writes a complete copy; see contract.Backuper.
func (l *Local) Backup(ctx context.Context, path string) (contract.BackupReport, error) {
	return l.BackupSealed(ctx, path, nil)
}

// BackupSealed is Backup to an encrypted file; see contract.SealedBackuper.
func (l *Local) BackupSealed(ctx context.Context, path string, seal contract.Seal) (contract.BackupReport, error) {
	if path == "" {
		return contract.BackupReport{}, evidence.BadInput("no file for the backup is given", "name a file that does not exist yet")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return contract.BackupReport{}, fmt.Errorf("resolving the path of the backup: %w", err)
	}
	if _, err := os.Lstat(path); err == nil {
		return contract.BackupReport{}, evidence.BadInput(fmt.Sprintf("%s already exists", path), "name a file that does not exist yet")
	}
	r := contract.BackupReport{Path: path}
	conn, err := l.rdb.Conn(ctx)
	if err != nil {
		return r, l.failed(ctx, "backing up", err)
	}
	defer conn.Close()
	// The copy writes to another file, but the connection has to allow
	// writing.
	if _, err := conn.ExecContext(ctx, "PRAGMA query_only=0"); err != nil {
		return r, l.failed(ctx, "backing up", err)
	}
	r.Bytes, r.Documents, err = copyInto(ctx, conn, target{path: path, seal: seal, plainDir: filepath.Join(filepath.Dir(l.path), backupDir)})
	_, back := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only=1")
	if err = errors.Join(err, back); err != nil {
		if errors.Is(err, os.ErrExist) {
			return r, evidence.BadInput(fmt.Sprintf("%s already exists", path), "name a file that does not exist yet")
		}
		if isFullDisk(err) && ctx.Err() == nil {
			return r, l.noRoomFor(path, seal != nil, err)
		}
		return r, l.failed(ctx, "backing up", err)
	}
	return r, nil
}

// noRoomFor is the error of a backup that does not fit its disk. It is a
// contract.ErrFull only if that is the disk of the memory, where a sealed one is made.
func (l *Local) noRoomFor(path string, sealed bool, cause error) error {
	dir, ours := filepath.Dir(path), filepath.Dir(l.path)
	there, _ := freeBytes(dir)
	if here, known := freeBytes(ours); sealed && known && here < there {
		dir = ours
	}
	p := &evidence.Problem{What: fmt.Sprintf("the disk with %s is full; the backup was not made, and nothing of it is left", dir),
		Try: "free some space, or name a file on another disk", Cause: cause}
	if sameDisk(dir, ours) {
		p.Cause = errors.Join(contract.ErrFull, cause)
	}
	return p
}

// source is the database that is copied.
type source interface {
	execer
	querier
}

// target is where a copy goes. With seal, it is encrypted; until then it is in plainDir,
// which never leaves this machine and where Forget finds it.
type target struct {
	path     string
	seal     contract.Seal // nil: not encrypted
	plainDir string        // for seal
}

// copyTries is how often a copy is started again because documents were
// forgotten meanwhile.
const copyTries = 5

// copyInto writes a complete copy of db as of one moment to to.path, which must
// not exist, through a temporary file. It returns the size and the number of
// documents. Readers and writers are not blocked. A copy during which documents
// were forgotten is discarded and made again.
func copyInto(ctx context.Context, db source, to target) (size int64, docs int, err error) {
	removeStaleTemp(filepath.Dir(to.path), time.Now().Add(-staleAfter))
	for range copyTries {
		var again bool
		if size, docs, again, err = copyOnce(ctx, db, to); !again {
			return size, docs, err
		}
	}
	return 0, 0, &evidence.Problem{What: "the backup was not made: documents were forgotten during each attempt", Try: "try again", Cause: err}
}

// copyOnce makes one attempt. again reports that documents were forgotten
// meanwhile: either Forget found the unfinished copy and removed it, or it ran
// too early to find the finished one.
func copyOnce(ctx context.Context, db source, to target) (size int64, docs int, again bool, err error) {
	dir, err := os.MkdirTemp(filepath.Dir(to.path), tempPrefix) // mode 0700, so that no other user can read the copy
	if err != nil {
		return 0, 0, false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	plain := dir
	if to.seal != nil {
		if plain, err = plainFolder(to.plainDir); err != nil {
			return 0, 0, false, err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(plain)) }()
	}
	temp := filepath.Join(plain, tempCopy)
	size, docs, known, err := fillCopy(ctx, db, temp)
	if err == nil && to.seal != nil {
		sealed := filepath.Join(dir, tempSealed)
		size, err = sealCopy(ctx, temp, sealed, to.seal)
		temp = sealed
	}
	if err == nil {
		err = newfile.Publish(temp, to.path)
	}
	if err != nil {
		_, lost := os.Stat(plain)
		return 0, 0, ctx.Err() == nil && errors.Is(lost, os.ErrNotExist), err
	}
	now, err := removalCount(ctx, db)
	if err != nil || now != known {
		return 0, 0, err == nil, errors.Join(err, os.Remove(to.path))
	}
	return size, docs, false, nil
}

// fillCopy writes the copy to temp and reads how many removals it contains.
func fillCopy(ctx context.Context, db source, temp string) (size int64, docs int, known int64, err error) {
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", temp); err != nil {
		return 0, 0, 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, 0, 0, err
	}
	if docs, known, err = countCopy(ctx, temp); err != nil {
		return 0, 0, 0, err
	}
	f, err := os.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		return 0, 0, 0, err
	}
	err = errors.Join(f.Chmod(0o600), f.Sync())
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	return size, docs, known, errors.Join(err, f.Close())
}

// countCopy counts the documents and the removals of a copy.
func countCopy(ctx context.Context, path string) (docs int, known int64, err error) {
	db, err := openDB(path, true)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	t, err := readTally(ctx, db)
	if err == nil {
		known, err = removalCount(ctx, db)
	}
	return int(t["documents"]), known, err
}

// removalCount is the number of Forgets since the file was created.
func removalCount(ctx context.Context, db querier) (n int64, err error) {
	var counted bool
	err = db.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE name='sqlite_sequence')").Scan(&counted)
	if err != nil || !counted { // an old layout
		return 0, err
	}
	err = db.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name='due'").Scan(&n)
	return n, err
}

const (
	tempPrefix = ".research-mcp-backup-" // of temporary folders beside a backup
	tempCopy   = "copy.db"
	tempSealed = "copy.age"
	// staleAfter is the age at which the temporary folder of a killed process
	// is removed.
	staleAfter = time.Hour
)

// removeStaleTemp removes the unfinished copies in dir that were last written
// before a moment, and reports whether all of those are removed.
func removeStaleTemp(dir string, before time.Time) bool {
	entries, err := os.ReadDir(dir) // not Glob: dir may contain its meta characters
	removed := err == nil || errors.Is(err, os.ErrNotExist)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) || !e.IsDir() {
			continue
		}
		old, last := filepath.Join(dir, e.Name()), time.Time{}
		for _, p := range []string{old, filepath.Join(old, tempCopy), filepath.Join(old, tempSealed)} {
			if info, err := os.Stat(p); err == nil && info.ModTime().After(last) {
				last = info.ModTime()
			}
		}
		if !last.Before(before) {
			continue
		}
		for _, name := range []string{tempCopy, tempCopy + "-journal", tempSealed} {
			if err := os.Remove(filepath.Join(old, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
				removed = false // retried by the next backup
			}
		}
		_ = os.Remove(old) // fails if it holds foreign files
	}
	return removed
}
