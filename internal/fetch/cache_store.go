package fetch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite" // also registers the driver named "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// These mark a file as a cache of this layout. A file of another layout is
// replaced.
const (
	cacheApplication = 0x726d6368 // "rmch"
	cacheLayout      = 1
	rowBytes         = 512 // of an entry besides its body, roughly
)

var cacheSchema = fmt.Sprintf(`
CREATE TABLE IF NOT EXISTS entries (
	key       BLOB PRIMARY KEY,    -- SHA-256 of what was asked
	final     TEXT NOT NULL,       -- URL after redirects; '' when there were none
	kind      TEXT NOT NULL,
	etag      TEXT NOT NULL,
	modified  TEXT NOT NULL,
	retrieved INTEGER NOT NULL,    -- times in Unix nanoseconds
	checked   INTEGER NOT NULL,
	used      INTEGER NOT NULL,
	max_age   INTEGER NOT NULL,    -- in nanoseconds; negative: none
	truncated INTEGER NOT NULL,
	size      INTEGER NOT NULL,
	body      BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_used ON entries (used, size);
PRAGMA application_id = %d;
PRAGMA user_version = %d;`, cacheApplication, cacheLayout)

var errForeign = errors.New("it is not a cache of this program")

// openStore opens the file, or replaces it if it cannot be used.
func openStore(ctx context.Context, path string, log *slog.Logger) (*sql.DB, error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("it is not a file")}
	}
	db, err := tryStore(ctx, path)
	if err == nil || ctx.Err() != nil || !errors.Is(err, errForeign) && !isDamage(err) {
		return db, err
	}
	log.Warn("the cache of answers is replaced by an empty one", "path", path, "err", err)
	removeStore(path)
	return tryStore(ctx, path)
}

func tryStore(ctx context.Context, path string) (*sql.DB, error) {
	// Create it first: the files of SQLite's log get their mode from it.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", storeName(path))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	if err := layOut(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func storeName(path string) string {
	q := url.Values{}
	q.Set("_txlock", "immediate")
	q.Set("_busy_timeout", "2000")
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "secure_delete(1)")
	q.Add("_pragma", "synchronous(1)") // a crash costs responses, not the file
	q.Add("_pragma", "temp_store(2)")  // no copies of responses in temporary files
	q.Add("_pragma", "journal_size_limit(16777216)")
	q.Add("_pragma", "cache_size(-2048)")
	q.Add("_error_rc", "1")
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	if !filepath.IsAbs(path) {
		u.Opaque = url.PathEscape(filepath.ToSlash(path))
	} else if !strings.HasPrefix(u.Path, "/") { // a drive letter
		u.Path = "/" + u.Path
	}
	return u.String()
}

// layOut checks that the file is a cache, and creates the table in an empty
// one.
func layOut(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	var app, layout, tables int
	err = tx.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_master)").Scan(&app, &layout, &tables)
	if err != nil {
		return err
	}
	if tables > 0 && (app != cacheApplication || layout != cacheLayout) {
		return errForeign
	}
	if tables == 0 {
		if _, err := tx.ExecContext(ctx, cacheSchema); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, hostSchema+clearedSchema); err != nil {
		return err
	}
	return tx.Commit()
}

// removeStore removes the files. What cannot be removed is found when the cache
// is opened.
func removeStore(path string) {
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		_ = os.Remove(path + suffix)
	}
}

// isDamage reports whether the file is damaged, as opposed to a temporary
// failure.
func isDamage(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

const selectEntry = "SELECT final, kind, etag, modified, retrieved, checked, used, max_age, truncated, body FROM entries WHERE key = ?"

// readEntry runs selectEntry.
func readEntry(ctx context.Context, read *sql.Stmt, key cacheKey) (*entry, error) {
	var e entry
	var retrieved, checked, used, maxAge int64
	err := read.QueryRowContext(ctx, key[:]).
		Scan(&e.final, &e.kind, &e.etag, &e.modified, &retrieved, &checked, &used, &maxAge, &e.truncated, &e.body)
	if err != nil {
		return nil, err
	}
	e.retrieved, e.checked, e.used = time.Unix(0, retrieved).UTC(), time.Unix(0, checked).UTC(), time.Unix(0, used).UTC()
	e.maxAge = time.Duration(maxAge)
	return &e, nil
}

// writeEntry stores an entry and removes the least recently used ones to make
// room, unless the cache was cleared more than times.
func writeEntry(ctx context.Context, db *sql.DB, key cacheKey, e *entry, maxBytes int64, now time.Time, times int64) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if err := uncleared(ctx, tx, times); err != nil {
		return err
	}
	size := int64(len(e.body)+len(e.final)+len(e.etag)) + rowBytes
	body := e.body
	if body == nil {
		body = []byte{}
	}
	_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO entries
		(key, final, kind, etag, modified, retrieved, checked, used, max_age, truncated, size, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		key[:], e.final, e.kind, e.etag, e.modified, e.retrieved.UnixNano(), e.checked.UnixNano(), e.used.UnixNano(), int64(e.maxAge), e.truncated, size, body)
	if err != nil {
		return err
	}
	if err := makeRoom(ctx, tx, maxBytes, now); err != nil {
		return err
	}
	return tx.Commit()
}

// makeRoom removes entries not used for a month, and, if the cache is full, the
// least recently used ones until a tenth is free.
func makeRoom(ctx context.Context, tx *sql.Tx, maxBytes int64, now time.Time) error {
	if _, err := tx.ExecContext(ctx, "DELETE FROM entries WHERE used < ?", now.Add(-unusedFor).UnixNano()); err != nil {
		return err
	}
	var total int64
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(sum(size), 0) FROM entries").Scan(&total); err != nil || total <= maxBytes {
		return err
	}
	// The sum runs from the latest use backwards, on the index alone.
	_, err := tx.ExecContext(ctx, `DELETE FROM entries WHERE rowid IN (
		SELECT id FROM (SELECT rowid AS id, sum(size) OVER (ORDER BY used DESC, rowid DESC) AS total FROM entries) WHERE total > ?)`,
		maxBytes-maxBytes/10)
	return err
}

// confirmEntry records that the host has confirmed an entry.
func confirmEntry(ctx context.Context, db *sql.DB, key cacheKey, e *entry) error {
	_, err := db.ExecContext(ctx, "UPDATE entries SET checked = ?, used = ?, max_age = ?, etag = ? WHERE key = ?",
		e.checked.UnixNano(), e.used.UnixNano(), int64(e.maxAge), e.etag, key[:])
	return err
}

func touchEntry(ctx context.Context, db *sql.DB, key cacheKey, at time.Time) error {
	_, err := db.ExecContext(ctx, "UPDATE entries SET used = ? WHERE key = ?", at.UnixNano(), key[:])
	return err
}

func dropEntry(ctx context.Context, db *sql.DB, key cacheKey) error {
	_, err := db.ExecContext(ctx, "DELETE FROM entries WHERE key = ?", key[:])
	return err
}

var errReaders = errors.New("another process is reading it")
