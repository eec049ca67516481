package local

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// applicationID identifies our files among the databases of SQLite: "rsm1".
const applicationID = 0x72736d31

// migrations returns the steps of the layout: step i leads from version i to
// i+1.
func migrations() ([]string, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql") // sorted by name
	if err != nil {
		return nil, err
	}
	steps := make([]string, 0, len(names))
	for _, n := range names {
		b, err := migrationFiles.ReadFile(n)
		if err != nil {
			return nil, err
		}
		steps = append(steps, string(b))
	}
	return steps, nil
}

// wantLayout returns a Problem if the file, which cannot be written, does not have
// the newest layout.
func wantLayout(ctx context.Context, path string, newest int) (err error) {
	db, err := openDB(path, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	have, err := layout(ctx, db, path, newest)
	switch {
	case err != nil:
		return explain(path, fmt.Errorf("opening the memory: %w", err))
	case have < newest:
		return &evidence.Problem{What: fmt.Sprintf("%s has the layout %d of an older version of research-mcp, and is not writable", path, have),
			Try: "make the folder writable once, so that it is updated, or copy it elsewhere and name the copy with --data-dir"}
	}
	return nil
}

// update brings the file to the newest layout. Most files have it: then the connection that
// has read that is kept, because each new one parses all of the layout.
func (l *Local) update(ctx context.Context, steps []string) error {
	if info, err := l.raw.Stat(); err == nil && info.Size() > 0 {
		if err := l.connect(ctx); err != nil {
			return explain(l.path, fmt.Errorf("opening the memory: %w", err))
		}
		current, err := isCurrent(ctx, l.rdb, l.path, len(steps))
		if err == nil && current {
			return nil
		}
		// A switch to the write-ahead log wants the file for itself.
		err = errors.Join(err, l.rdb.Close(), l.wdb.Close())
		l.rdb, l.wdb = nil, nil
		if err != nil {
			return explain(l.path, fmt.Errorf("opening the memory: %w", err))
		}
	}
	return migrateTo(ctx, l.raw, l.path, steps, l.log)
}

// isCurrent reports whether the file has the newest layout and a write-ahead log.
func isCurrent(ctx context.Context, db *sql.DB, path string, newest int) (bool, error) {
	have, err := layout(ctx, db, path, newest)
	if err != nil || have < newest {
		return false, err
	}
	var mode string
	err = db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode)
	return mode == "wal", err
}

// migrateTo updates the file to the newest layout. Several processes may do so at
// once: the version is read again under the write lock. A file that a repair has
// replaced since it was opened is not written to.
func migrateTo(ctx context.Context, file *raw, path string, steps []string, log *slog.Logger) (err error) {
	q := url.Values{}
	q.Set("_busy_timeout", strconv.Itoa(int(busyTimeout.Milliseconds())))
	q.Set("_txlock", "immediate")
	q.Add("_pragma", "synchronous(2)")
	db, err := sql.Open("sqlite", dsn(path, q))
	if err != nil {
		return fmt.Errorf("opening the memory: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	fail := func(err error) error { return explain(path, fmt.Errorf("opening the memory: %w", err)) }

	have, err := layout(ctx, db, path, len(steps))
	if err == nil {
		err = file.unreplaced(path) // reading the layout has waited for the repair
	}
	if err != nil {
		return fail(err)
	}
	if have == 0 {
		// Must be set before the first page is written. On an existing file
		// it would only take the write lock.
		if _, err := db.ExecContext(ctx, "PRAGMA auto_vacuum=INCREMENTAL"); err != nil {
			return fail(err)
		}
	}
	if err := useWAL(ctx, db); err != nil {
		return fail(err)
	}
	if have == len(steps) {
		return nil
	}
	if have > 0 {
		if err := backupBefore(ctx, db, path, have, log); err != nil {
			return fail(err)
		}
	}
	if err := applySteps(ctx, db, path, steps); err != nil {
		return fail(err)
	}
	return nil
}

// errNewerLayout is the layout of a newer program.
var errNewerLayout = errors.New("the file has a newer layout")

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// layout returns the version of the file, 0 for an empty one. A file of another
// program or with a layout above newest is an error.
func layout(ctx context.Context, db querier, path string, newest int) (int, error) {
	var version, app, tables int
	// One statement, one snapshot: another process may be creating the file.
	err := db.QueryRowContext(ctx, `SELECT (SELECT user_version FROM pragma_user_version), (SELECT application_id FROM pragma_application_id),
		(SELECT count(*) FROM sqlite_schema)`).Scan(&version, &app, &tables)
	if err != nil {
		return 0, err
	}
	switch {
	case app != applicationID && (tables > 0 || version != 0):
		return 0, evidence.BadInput(fmt.Sprintf("%s is a database of another program", path),
			"choose another data folder with --data-dir; the file was not changed")
	case version > newest:
		return 0, &evidence.Problem{
			What:  fmt.Sprintf("%s was written by a newer version of research-mcp (layout %d, this program knows up to %d)", path, version, newest),
			Try:   "update research-mcp, or choose another data folder with --data-dir; the file was not changed",
			Cause: errNewerLayout,
		}
	}
	return version, nil
}

// useWAL switches to the write-ahead log. That takes an exclusive lock for a
// moment, for which SQLite does not wait by itself when other processes start
// too.
func useWAL(ctx context.Context, db *sql.DB) error {
	var now string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&now); err == nil && now == "wal" {
		return nil // stored in the file: nothing to write
	}
	for wait := time.Millisecond; ; wait = min(wait*2, 50*time.Millisecond) {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode=WAL").Scan(&mode)
		if err == nil && mode == "wal" {
			return nil
		}
		if err == nil {
			return fmt.Errorf("switching to the write-ahead log: the journal mode stays %q", mode)
		}
		var se *sqlite.Error
		if !errors.As(err, &se) || se.Code()&0xff != sqlite3.SQLITE_BUSY {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func applySteps(ctx context.Context, db *sql.DB, path string, steps []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	have, err := layout(ctx, tx, path, len(steps))
	if err != nil {
		return err
	}
	for v := have; v < len(steps); v++ {
		if _, err := tx.ExecContext(ctx, steps[v]); isLogic(err) { // its tables are not those of its layout's number
			return damaged(path, fmt.Errorf("migrating to layout %d: %w", v+1, err))
		} else if err != nil {
			return fmt.Errorf("migrating to layout %d: %w", v+1, err)
		}
	}
	if have > 0 && len(steps) >= wordsLayout { // else there are no documents, or no words table yet
		if _, err := newVocabulary().rebuildWords(ctx, tx, wordsAtOnce); err != nil {
			return fmt.Errorf("migrating the word index: %w", err)
		}
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d", applicationID, len(steps)))
	if err != nil {
		return err
	}
	return tx.Commit()
}

// backupBefore copies the file before a migration. An existing copy may be of
// another memory: it is kept, and the new one is named after the time.
func backupBefore(ctx context.Context, db *sql.DB, path string, version int, log *slog.Logger) error {
	dir := filepath.Join(filepath.Dir(path), backupDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("creating the backup folder: %w", err)
	}
	file := filepath.Join(dir, fmt.Sprintf("memory-layout%d.db", version))
	if _, err := os.Stat(file); err == nil { // of an earlier memory, or just made by another process
		file = filepath.Join(dir, fmt.Sprintf("memory-layout%d-%s.db", version, time.Now().UTC().Format("20060102T150405.000Z")))
	}
	if _, _, err := copyInto(ctx, db, target{path: file}); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("backing up before a migration: %w", err)
	}
	log.Info("the memory was backed up before its layout changes", "path", file)
	return nil
}
