// Package local is the memory in a folder of this machine. SQLite stores the
// data; a chromem-go collection in RAM is the index of the vectors, and FTS5
// that of the words. Several processes may use one folder at once: each follows
// the change log.
//
// Reading order: local.go (open and close), datadir.go and migrate.go (folder
// and file), put.go, recall.go with lexical.go, semantic.go and fuse.go,
// words.go (terms of an older program), index.go with load.go, packed.go, vectorspace.go, vectorsearch.go and changes.go
// (the index in RAM), divide.go with cellspace.go (its cells), fill.go (vectors that are written behind), sessions.go, forget.go with erase.go, then the optional parts of the contract.
package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver named "sqlite"

	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/rank"
)

const (
	fileName = "memory.db"
	// A writer waits this long for the transactions of other processes, which
	// last milliseconds; its context may end the wait earlier.
	busyTimeout = 60 * time.Second
	readers     = 4 // connections for reading; each has a page cache
)

// Local is a memory in one folder, opened by Open.
type Local struct {
	cfg  contract.Config
	log  *slog.Logger
	path string
	raw  *raw // the open file; see openRaw
	// readOnly: the file or its folder is not writable. What is stored is found and
	// exported, and a write is a Problem.
	readOnly bool
	newest   int // the layout that this program knows
	// copies is a lock: its holder opens the files of the backups. POSIX locks
	// are per process (see raw), so two must not do so at once.
	copies chan struct{}

	wdb *sql.DB // one connection: the writers of this process queue in Go
	rdb *sql.DB // read-only connections

	index *index
	lacks lacks
	ends  ends
	voc   *vocabulary
	df    *rank.Frequencies

	stopWords func() // ends the work on the word index
	stopCells func() // ends the work on the cells of vectors
	claims    claims
	puts      group

	closing sync.Once
	closed  error
}

var _ interface {
	contract.Memory
	contract.Backuper
	contract.Checker
	contract.ErasureProver
	contract.Exporter
	contract.Reindexer
	contract.Retainer
	contract.RunClaimer
	contract.Lister
	contract.VectorFiller
} = (*Local)(nil)

// Open opens or creates the memory in cfg.Dir. It is an *evidence.Problem if
// the folder cannot be used, or if the file is not a memory, is damaged, or was
// written by a newer program; such a file is not changed. The index is loaded
// in the background: Open does not wait for it.
func Open(ctx context.Context, cfg contract.Config) (*Local, error) {
	return openSized(ctx, cfg, usual)
}

func openSized(ctx context.Context, cfg contract.Config, by sizes) (*Local, error) {
	if cfg.URL != "" { // not shown: it may contain a password
		return nil, contract.Unsupported("memory.url is set, but the memory backend \"local\" has no server",
			"unset memory.url, or set memory.backend to the backend that it belongs to")
	}
	cfg = withDefaults(cfg)
	path, file, err := prepareDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	l, err := open(ctx, cfg, by, path, file)
	if err != nil {
		return nil, errors.Join(err, file.release())
	}
	return l, nil
}

func open(ctx context.Context, cfg contract.Config, by sizes, path string, file *raw) (*Local, error) {
	steps, err := migrations()
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	l := &Local{cfg: cfg, log: cfg.Logger, path: path, raw: file, readOnly: accessOf(path) != accessWrite, newest: len(steps),
		copies: make(chan struct{}, 1), voc: newVocabulary(), df: rank.NewFrequencies()}
	if !l.readOnly {
		roomToOpen(path)
	}
	if l.readOnly {
		err = wantLayout(ctx, path, len(steps))
	} else if err = l.update(ctx, steps); err == nil {
		restrictAccess(filepath.Dir(path), path, cfg.Logger) // only now: the file is known to be a memory
	}
	if err != nil {
		return nil, err
	}
	if l.rdb == nil {
		if err := l.connect(ctx); err != nil {
			return nil, explain(path, fmt.Errorf("opening the memory: %w", err))
		}
	}
	if err := file.unreplaced(path); err != nil {
		return nil, errors.Join(err, l.rdb.Close(), l.wdb.Close())
	}
	if l.index, err = startIndex(path, l.log, cfg.ActiveModel, by); err != nil {
		return nil, errors.Join(explain(path, err), l.rdb.Close(), l.wdb.Close())
	}
	l.stopWords = func() {}
	if !l.readOnly {
		l.keepReserve()
		l.stopWords = l.followWords()
	}
	l.stopCells = l.followCells()
	return l, nil
}

func withDefaults(cfg contract.Config) contract.Config {
	if cfg.MaxText <= 0 {
		cfg.MaxText = contract.DefaultMaxText
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg
}

func (l *Local) connect(ctx context.Context) error {
	var err error
	if l.wdb, err = openDB(l.path, false); err != nil {
		return err
	}
	l.wdb.SetMaxOpenConns(1)
	if l.rdb, err = openDB(l.path, true); err != nil {
		return errors.Join(err, l.wdb.Close())
	}
	l.rdb.SetMaxOpenConns(readers)
	l.rdb.SetMaxIdleConns(readers)
	if err := l.rdb.PingContext(ctx); err != nil {
		return errors.Join(err, l.rdb.Close(), l.wdb.Close())
	}
	return nil
}

// openUnlocked returns a pool on a file that is not written to meanwhile. SQLite
// takes no locks on it, and reads no write-ahead log.
func openUnlocked(path string) (*sql.DB, error) {
	q := url.Values{}
	q.Set("immutable", "1")
	q.Set("_query_only", "1")
	q.Add("_pragma", "temp_store(2)")
	q.Add("_error_rc", "1")
	return sql.Open("sqlite", dsn(path, q))
}

// How accessOf says that a database can be opened.
const (
	accessWrite     = ""
	accessReadOnly  = "ro"
	accessImmutable = "immutable"
)

// openDB returns a pool; it connects at first use.
func openDB(path string, readOnly bool) (*sql.DB, error) {
	if readOnly {
		return openCached(path, true, readCache)
	}
	return openCached(path, false, writeCache)
}

// openCached is openDB, with so many KiB of pages for each connection.
func openCached(path string, readOnly bool, kib int) (*sql.DB, error) {
	q := url.Values{}
	q.Set("_busy_timeout", strconv.Itoa(int(busyTimeout.Milliseconds())))
	q.Add("_pragma", "foreign_keys(1)")
	switch accessOf(path) {
	case accessReadOnly:
		q.Set("mode", "ro")
		readOnly = true
	case accessImmutable:
		q.Set("immutable", "1")
		readOnly = true
	}
	q.Add("_pragma", "secure_delete(1)") // deleted rows are overwritten
	q.Add("_pragma", "temp_store(2)")    // no data in temporary files
	q.Add("_error_rc", "1")
	if readOnly {
		q.Set("_query_only", "1")
	} else {
		q.Set("_txlock", "immediate") // a deferred transaction fails at once after a commit of another process
		q.Add("_pragma", "synchronous(2)")
		q.Add("_pragma", "journal_size_limit(33554432)")
	}
	q.Add("_pragma", fmt.Sprintf("cache_size(-%d)", kib))
	return sql.Open("sqlite", dsn(path, q))
}

func dsn(path string, q url.Values) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	if !filepath.IsAbs(path) {
		u.Opaque = url.PathEscape(filepath.ToSlash(path))
	} else if u.Path[0] != '/' { // a drive letter
		u.Path = "/" + u.Path
	}
	return u.String()
}

// write runs fn in a transaction that has the write lock from its start, and
// notifies the index after the commit.
func (l *Local) write(ctx context.Context, doing string, fn func(tx *sql.Tx) error) error {
	if l.readOnly {
		return notWritable(l.path, nil)
	}
	tx, err := l.wdb.BeginTx(ctx, nil)
	if err != nil {
		return l.failed(ctx, doing, err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	// Another process may have updated the layout since this one opened the file.
	if _, err := layout(ctx, tx, l.path, l.newest); err != nil {
		return l.failed(ctx, doing, err)
	}
	if err := fn(tx); err != nil {
		return l.failed(ctx, doing, err)
	}
	if err := tx.Commit(); err != nil {
		return l.failed(ctx, doing, err)
	}
	l.index.notify()
	return nil
}

// read runs fn on one snapshot of the data.
func (l *Local) read(ctx context.Context, doing string, fn func(tx *sql.Tx) error) error {
	conn, err := l.rdb.Conn(ctx)
	if err != nil {
		return l.failed(ctx, doing, err)
	}
	defer l.giveBack(ctx, conn)
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return l.failed(ctx, doing, err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	if err := fn(tx); err != nil {
		return l.failed(ctx, doing, err)
	}
	return l.failed(ctx, doing, ctx.Err())
}

func (l *Local) failed(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil { // SQLite only says "interrupted"
		err = ctx.Err()
	}
	return explain(l.path, fmt.Errorf("%s: %w", doing, err))
}

// Close stops the background work and waits for it.
func (l *Local) Close() error {
	l.closing.Do(func() {
		l.stopWords()
		l.stopCells()
		err := errors.Join(l.index.close(), l.claims.close())
		l.closed = errors.Join(err, l.rdb.Close(), l.wdb.Close())
		l.closed = errors.Join(l.closed, l.raw.release()) // after all connections
	})
	return l.closed
}

func (l *Local) now() time.Time { return l.cfg.Now().UTC().Truncate(time.Microsecond) }
