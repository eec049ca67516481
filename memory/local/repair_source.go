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
)

// damagedFile is the file of a memory that is read for a repair or an export, and is
// not changed: not even its write-ahead log is applied to it.
type damagedFile struct {
	path  string
	raw   *raw
	alone bool // no other process and no other memory of this one has it open
	db    *sql.DB
}

// openDamaged opens the file at path, and waits for a moment for those who use it.
// The caller closes it.
func openDamaged(ctx context.Context, path string, wait time.Duration) (*damagedFile, error) {
	if err := refuseOrphanedLog(path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil { // openRaw would create it
		return nil, err
	}
	file, err := openRaw(path)
	if err != nil {
		return nil, err
	}
	d := &damagedFile{path: path, raw: file}
	if accessOf(path) == accessWrite { // else it cannot be locked
		if d.alone, err = file.lockAlone(ctx, wait); err != nil {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), file.release())
		}
	}
	return d, nil
}

// connect opens the database, or a copy in dir if SQLite could not read it where it
// is: one with a write-ahead log, and one that was cut short.
func (d *damagedFile) connect(ctx context.Context, dir string) error {
	cut, size, err := d.cutShort()
	if err != nil {
		return err
	}
	if !d.alone && !cut && accessOf(d.path) != accessImmutable {
		d.db, err = openDB(d.path, true) // SQLite reads beside the processes that use it
		return err
	}
	log, err := os.Stat(d.path + "-wal")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !cut && (err != nil || log.Size() <= walHeader) {
		d.db, err = openUnlocked(d.path)
		return err
	}
	to := filepath.Join(dir, "copy.db")
	if err := copyTo(ctx, to, d.raw.reader()); err != nil {
		return fmt.Errorf("copying %s: %w", d.path, err)
	}
	if cut { // empty pages at its end: SQLite reads nothing of a file that is shorter than its header says
		err = os.Truncate(to, size)
	}
	if err == nil && log != nil {
		err = copyFile(ctx, to+"-wal", d.path+"-wal")
	}
	if err != nil {
		return fmt.Errorf("copying %s: %w", d.path, err)
	}
	d.db, err = openDB(to, true)
	return err
}

// cutShort reports whether the file is shorter than its header says, and that size.
func (d *damagedFile) cutShort() (bool, int64, error) {
	head := make([]byte, headerLen)
	if _, err := d.raw.ReadAt(head, 0); err != nil || string(head[:len(magic)]) != magic {
		return false, 0, nil //nolint:nilerr // SQLite will say what is wrong with it
	}
	info, err := d.raw.Stat()
	if err != nil {
		return false, 0, err
	}
	want := headerSize(head)
	return info.Size() < want, want, nil
}

// close ends the lock, too. It may be called twice.
func (d *damagedFile) close() (err error) {
	if d.db != nil {
		err, d.db = d.db.Close(), nil
	}
	if d.raw != nil {
		err, d.raw = errors.Join(err, d.raw.release()), nil
	}
	return err
}

// copyFile copies a file to one that does not exist yet.
func copyFile(ctx context.Context, to, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	return errors.Join(copyTo(ctx, to, f), f.Close())
}

// copyTo writes a file that does not exist yet, and leaves none after an error.
func copyTo(ctx context.Context, to string, from io.Reader) error {
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, readerFunc(func(b []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return from.Read(b)
	}))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
