package fileindex

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // registers the driver named "sqlite"
)

// These mark a file as an index of this layout. Raise the layout when the schema, or
// what is read from a file, changes.
const (
	application = 0x726d6669 // "rmfi"
	layout      = 2
)

//go:embed schema.sql
var schema string

var errOther = errors.New("it has another layout")

// open opens the file. One that is damaged, or of another layout, is replaced.
func (x *Index) open(ctx context.Context, o Options) error {
	err := x.connect(ctx, o.Version)
	if err == nil || ctx.Err() != nil || !errors.Is(err, errOther) && !Damaged(err) {
		return err
	}
	if Damaged(err) {
		x.reset = "it was damaged"
		o.Logger.Warn("the index of a folder is damaged: the folder is read anew", "path", x.path, "err", err)
	}
	// A process that updates it is left to end.
	if _, err := x.lock.TryLockContext(ctx, lockRetry); err != nil {
		return fmt.Errorf("waiting for another process that updates the index: %w", err)
	}
	err = remove(filepath.Dir(x.path))
	if err = errors.Join(err, x.lock.Unlock()); err != nil {
		return err
	}
	return x.connect(ctx, o.Version)
}

func (x *Index) connect(ctx context.Context, version string) error {
	// Create it first: the files of SQLite's log get their mode from it.
	f, err := os.OpenFile(x.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	x.file, err = f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if x.write, err = sql.Open("sqlite", dataSource(x.path, false)); err != nil {
		return err
	}
	x.write.SetMaxOpenConns(1)
	if err := layOut(ctx, x.write, version); err != nil {
		return errors.Join(err, x.write.Close())
	}
	if x.read, err = sql.Open("sqlite", dataSource(x.path, true)); err != nil {
		return errors.Join(err, x.write.Close())
	}
	x.read.SetMaxOpenConns(readers)
	return nil
}

// readers is the number of connections for reading.
const readers = 2

func openInMemory(ctx context.Context, o Options) (*Index, error) {
	db, err := sql.Open("sqlite", "file::memory:?_error_rc=1&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // each connection has a database of its own
	if err := layOut(ctx, db, o.Version); err != nil {
		return nil, errors.Join(failed(ctx, "creating an index in memory", err), db.Close())
	}
	return &Index{version: o.Version, write: db, read: db}, nil
}

func dataSource(path string, readOnly bool) string {
	q := url.Values{}
	q.Set("_busy_timeout", "10000")
	q.Add("_error_rc", "1")
	q.Add("_pragma", "temp_store(2)") // no texts in temporary files
	if readOnly {
		q.Set("_query_only", "1")
		q.Add("_pragma", "cache_size(-4096)")
	} else {
		q.Set("_txlock", "immediate")
		q.Add("_pragma", "journal_mode(WAL)")
		q.Add("_pragma", "secure_delete(1)") // texts of removed files are overwritten
		q.Add("_pragma", "synchronous(1)")   // a power failure costs the last files, which are read again
		q.Add("_pragma", "foreign_keys(1)")
		q.Add("_pragma", "journal_size_limit(33554432)")
		q.Add("_pragma", "cache_size(-8192)")
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	if !filepath.IsAbs(path) {
		u.Opaque = url.PathEscape(filepath.ToSlash(path))
	} else if !strings.HasPrefix(u.Path, "/") { // a drive letter
		u.Path = "/" + u.Path
	}
	return u.String()
}

// layOut checks that the file is an index of this layout and version, and creates the
// tables in an empty one.
func layOut(ctx context.Context, db *sql.DB, version string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	var app, have, tables int
	err = tx.QueryRowContext(ctx, "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)").
		Scan(&app, &have, &tables)
	if err != nil {
		return err
	}
	if tables > 0 && (app != application || have != layout) {
		return errOther
	}
	if tables > 0 {
		if err := empty(ctx, tx, version); err != nil {
			return err
		}
		return tx.Commit()
	}
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO about VALUES(?)", version); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d", application, layout)); err != nil {
		return err
	}
	return tx.Commit()
}

// empty removes everything from an index of another version. The file stays, because
// other processes may have it open.
func empty(ctx context.Context, tx *sql.Tx, version string) error {
	var stored string
	if err := tx.QueryRowContext(ctx, "SELECT version FROM about").Scan(&stored); err != nil || stored == version {
		return err
	}
	for _, q := range []string{
		"DELETE FROM piece", "DELETE FROM part", "DELETE FROM file", "DELETE FROM word",
		"INSERT INTO fts(fts) VALUES('delete-all')", "UPDATE tally SET pieces=0, terms=0",
	} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "UPDATE about SET version=?", version)
	return err
}
