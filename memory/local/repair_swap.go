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

	"github.com/gofrs/flock"
)

// swap puts the file at fresh in the place of the damaged one, which is kept in the
// folder of the backups with its write-ahead log, and returns its name there. Until
// then nobody else opens it.
func (d *damagedFile) swap(ctx context.Context, fresh string, now time.Time) (kept string, err error) {
	if ok, err := d.raw.stillLocked(); err != nil || !ok {
		return "", errors.Join(inUse(d.path, err), err)
	}
	dir := filepath.Join(filepath.Dir(d.path), backupDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("creating the backup folder: %w", err)
	}
	kept = filepath.Join(dir, "memory-damaged-"+now.UTC().Format("20060102T150405.000000Z")+".db")
	if err := d.keep(ctx, kept, os.Link); err != nil {
		return "", fmt.Errorf("keeping the damaged file: %w", err)
	}
	if !openFilesCanBeReplaced {
		if err := d.close(); err != nil {
			return "", err
		}
	}
	// The old log must be gone before the new file stands: SQLite would apply it.
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(d.path + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("removing %s: %w", d.path+end, err)
		}
	}
	if err := os.Rename(fresh, d.path); err != nil {
		back := copyFile(context.WithoutCancel(ctx), d.path+"-wal", kept+"-wal")
		if errors.Is(back, os.ErrNotExist) { // there was none
			back = nil
		}
		return "", errors.Join(fmt.Errorf("putting the new file in its place: %w", err), back)
	}
	return kept, nil
}

// keep gives the file and its log a second name, or where the file system has no
// hard links, copies them.
func (d *damagedFile) keep(ctx context.Context, kept string, link func(old, name string) error) error {
	if err := link(d.path, kept); errors.Is(err, os.ErrExist) {
		return err
	} else if err != nil {
		if err := copyTo(ctx, kept, d.raw.reader()); err != nil { // another descriptor would release the lock
			return err
		}
	}
	log := d.path + "-wal"
	err := link(log, kept+"-wal")
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) {
		err = copyFile(ctx, kept+"-wal", log)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.Join(err, os.Remove(kept))
	}
	return nil
}

// finish moves the write-ahead log of the new file into it, and fails unless all of
// it is there: only the file itself is put in the place of the damaged one.
func finish(ctx context.Context, path string) (err error) {
	db, err := openDB(path, false)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	err = errors.Join(checkpoint(ctx, db), db.Close())
	if info, stat := os.Stat(path + "-wal"); err == nil && stat == nil && info.Size() > 0 {
		err = fmt.Errorf("its write-ahead log still has %d bytes", info.Size())
	}
	if err != nil {
		return fmt.Errorf("completing the new file: %w", explain(path, err))
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// checkpoint moves the write-ahead log into the database, all of it or it is an error.
func checkpoint(ctx context.Context, db *sql.DB) error {
	var busy, frames, moved int
	err := db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	if err == nil && (busy != 0 || frames != moved) {
		err = fmt.Errorf("%d of %d pages of the write-ahead log were moved", moved, frames)
	}
	return err
}

// carryErasures copies what is recorded of removals: those that were interrupted, and
// the hashes of forgotten ids. It returns what could not be read.
func carryErasures(ctx context.Context, from, to *sql.DB) (notes []string, err error) {
	for _, c := range []struct{ what, query, insert string }{
		{"interrupted removals", "SELECT id, at, selector FROM due ORDER BY id", "INSERT OR IGNORE INTO due(id, at, selector) VALUES(?, ?, ?)"},
		{"forgotten ids", "SELECT mark, at, NULL FROM gone", "INSERT OR IGNORE INTO gone(mark, at) VALUES(?, ?)"},
	} {
		tx, err := to.BeginTx(ctx, nil)
		if err != nil {
			return notes, err
		}
		var write error
		read := eachRow(ctx, from, c.query, nil, func(row scanner) error {
			var id, at int64
			var selector sql.NullString
			if err := row.Scan(&id, &at, &selector); err != nil {
				return err
			}
			args := []any{id, at}
			if selector.Valid {
				args = append(args, selector.String)
			}
			_, write = tx.ExecContext(ctx, c.insert, args...)
			return write
		})
		if write != nil {
			return notes, errors.Join(write, tx.Rollback())
		}
		if err := errors.Join(ctx.Err(), tx.Commit()); err != nil {
			return notes, err
		}
		if read != nil && !strings.Contains(read.Error(), "no such table") { // an old layout
			notes = append(notes, fmt.Sprintf("the records of %s cannot be read (%v): forget again what is to be gone from the backups", c.what, read))
		}
	}
	return notes, nil
}

// removeUnfinishedCopies removes the folders that killed repairs of this memory and
// killed exports of damaged ones have left.
func (l *Local) removeUnfinishedCopies() error {
	// A repair has the file to itself, and this process has it open: none is running.
	err := removeStaleRepairs(filepath.Dir(l.path), time.Now().Add(staleAfter))
	return errors.Join(err, removeStaleExports(os.TempDir()))
}

// removeStaleRepairs removes the folders that killed repairs have left in dir, except
// those that were changed after a moment.
func removeStaleRepairs(dir string, before time.Time) error {
	return removeRepairFolders(dir, func(_ string, changed time.Time) bool { return changed.Before(before) })
}

// removeStaleExports removes the folders in dir whose export has ended: it would have
// the lock. One that is just being made is left alone.
func removeStaleExports(dir string) error {
	return removeRepairFolders(dir, func(folder string, changed time.Time) bool {
		if changed.After(time.Now().Add(-copyMade)) {
			return false
		}
		lock := flock.New(filepath.Join(folder, copyLock), flock.SetPermissions(0o600))
		ended, err := lock.TryLock()
		return err == nil && ended && lock.Unlock() == nil
	})
}

func removeRepairFolders(dir string, stale func(folder string, changed time.Time) bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		folder := filepath.Join(dir, e.Name())
		if info, statErr := e.Info(); statErr == nil && e.IsDir() && strings.HasPrefix(e.Name(), repairPrefix) && stale(folder, info.ModTime()) {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}
	return err
}
