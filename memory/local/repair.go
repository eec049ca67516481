package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	repairPrefix = ".research-mcp-repair-" // of the folder in which the new file is made
	// exclusiveWait is how long Repair waits for other processes to let go of the file.
	exclusiveWait = 3 * time.Second
)

// Rescue exports what can be read of a file that Open refuses, without changing
// it; see contract.Exporter.
func Rescue(ctx context.Context, cfg contract.Config, w io.Writer, opts contract.ExportOptions) (contract.Moved, error) {
	cfg = withDefaults(cfg)
	path := filepath.Join(cfg.Dir, fileName)
	temp, err := os.MkdirTemp("", repairPrefix)
	if err != nil {
		return contract.Moved{}, fmt.Errorf("making room for a copy: %w", err)
	}
	defer os.RemoveAll(temp)
	from, err := lengthened(path, temp)
	if err != nil {
		return contract.Moved{}, err
	}
	db, err := openDB(from, true)
	if err != nil {
		return contract.Moved{}, err
	}
	defer db.Close()
	return rescueFrom(ctx, cfg, db, path, w, opts)
}

// lengthened returns path, or if that file was cut short, the path of a copy in
// dir with empty pages at its end: SQLite reads nothing of a file that is shorter
// than its header says.
func lengthened(path, dir string) (string, error) {
	head := make([]byte, headerLen)
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close() // no connection is open yet whose locks that would release
	if _, err := f.ReadAt(head, 0); err != nil || string(head[:len(magic)]) != magic {
		return path, nil //nolint:nilerr // SQLite will say what is wrong with it
	}
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if want := headerSize(head); info.Size() < want {
		to, err := os.OpenFile(filepath.Join(dir, "cut.db"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(to, f)
		return to.Name(), errors.Join(err, to.Truncate(want), to.Close())
	}
	return path, nil
}

func rescueFrom(ctx context.Context, cfg contract.Config, db *sql.DB, path string, w io.Writer, opts contract.ExportOptions) (contract.Moved, error) {
	steps, err := migrations()
	if err != nil {
		return contract.Moved{}, err
	}
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return contract.Moved{}, explain(path, err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	if _, err := layout(ctx, tx, path, len(steps)); err != nil {
		return contract.Moved{}, explain(path, err)
	}
	return exportFrom(ctx, tx, w, opts, cfg.Now().UTC())
}

// Repair makes a new file of everything that can be read of a damaged one, and
// puts it in its place. The old file is kept among the backups. While another
// process has the memory open, it is an *evidence.Problem; so is a file of which
// nothing can be read, and nothing is changed then.
func Repair(ctx context.Context, cfg contract.Config) (r contract.RepairReport, err error) {
	cfg = withDefaults(cfg)
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return r, fmt.Errorf("resolving the data folder: %w", err)
	}
	r.Path = filepath.Join(dir, fileName)
	if info, err := os.Stat(r.Path); err != nil || !info.Mode().IsRegular() {
		return r, evidence.BadInput(fmt.Sprintf("there is no memory in %s", dir), "name the folder of the memory with --data-dir")
	}
	temp, err := os.MkdirTemp(dir, repairPrefix)
	if err != nil {
		return r, unusable(dir, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	if r.Moved, err = refill(ctx, cfg, r.Path, temp); err != nil {
		return r, err
	}
	if r.Moved.Documents+r.Moved.Sessions == 0 && r.Moved.Failed > 0 {
		p := damaged(r.Path, errUnreadable)
		p.What = "nothing can be read of " + r.Path + "; it was not changed"
		return r, p
	}
	r.Kept, err = swap(r.Path, filepath.Join(temp, fileName), cfg.Now())
	return r, err
}

// refill copies what can be read of the file at path into a new memory in dir.
func refill(ctx context.Context, cfg contract.Config, path, dir string) (moved contract.Moved, err error) {
	from, err := lengthened(path, dir)
	if err != nil {
		return moved, err
	}
	old, err := openAlone(ctx, from)
	if err != nil {
		return moved, err
	}
	defer func() { err = errors.Join(err, old.Close()) }()
	fresh := cfg
	fresh.Dir, fresh.Keep = dir, contract.Retention{}
	m, err := Open(ctx, fresh)
	if err != nil {
		return moved, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	lines, to := io.Pipe()
	var read, kept contract.Moved
	var g errgroup.Group
	g.Go(func() error {
		var err error
		read, err = rescueFrom(ctx, cfg, old, path, to, contract.ExportOptions{Vectors: true})
		return errors.Join(err, to.CloseWithError(err))
	})
	g.Go(func() error {
		var err error
		kept, err = m.Import(ctx, lines, contract.ImportOptions{})
		return errors.Join(err, lines.CloseWithError(err))
	})
	if err := g.Wait(); err != nil {
		return moved, err
	}
	kept.Failed += read.Failed
	kept.Warnings = append(read.Warnings, kept.Warnings...)
	return kept, ctx.Err()
}

// openAlone opens the file with a lock that no other process shares.
func openAlone(ctx context.Context, path string) (*sql.DB, error) {
	db, err := openDB(path, false)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	for _, query := range []string{fmt.Sprintf("PRAGMA busy_timeout=%d", exclusiveWait.Milliseconds()), "PRAGMA locking_mode=EXCLUSIVE", "BEGIN IMMEDIATE", "ROLLBACK"} {
		_, err := db.ExecContext(ctx, query)
		var se *sqlite.Error
		if errors.As(err, &se) && (se.Code()&0xff == sqlite3.SQLITE_BUSY || se.Code()&0xff == sqlite3.SQLITE_LOCKED) {
			return nil, errors.Join(&evidence.Problem{What: "another process uses " + path, Try: "stop the assistants and servers that use it, then repair again", Cause: err}, db.Close())
		}
		// Other errors are of the damage: reading will tell what is left.
	}
	return db, nil
}

// swap puts the file at fresh in the place of the one at path, which is kept in
// the folder of the backups with its write-ahead log, and returns its name there.
func swap(path, fresh string, now time.Time) (kept string, err error) {
	dir := filepath.Join(filepath.Dir(path), backupDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("creating the backup folder: %w", err)
	}
	kept = filepath.Join(dir, "memory-damaged-"+now.UTC().Format("20060102T150405.000000Z")+".db")
	for _, end := range []string{"", "-wal"} {
		if err := os.Link(path+end, kept+end); err != nil && (end == "" || !errors.Is(err, os.ErrNotExist)) {
			return "", fmt.Errorf("keeping the damaged file: %w", err)
		}
	}
	// The old log must be gone before the new file stands: SQLite would apply it.
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("removing %s: %w", path+end, err)
		}
	}
	return kept, os.Rename(fresh, path)
}
