// Package local is the memory on this machine: SQLite holds the truth, a
// chromem-go collection in RAM is the index of the vectors, and FTS5 that of
// the words. Several processes may use one folder at once: each follows the
// change log of the others.
//
// The reading order is local.go (open and close), place.go and migrate.go (the
// folder and the file), put.go, recall.go with lexical.go, semantic.go and
// fuse.go, index.go with space.go (the index in RAM), sessions.go, forget.go,
// and the care of the data in the files that are named after it.
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

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	fileName = "memory.db"
	// A writer waits this long for other processes' transactions, which last
	// milliseconds; a context ends the wait earlier.
	busyTimeout = 60 * time.Second
	readers     = 4 // connections for reading; each costs memory
)

// Local is a memory in one folder. Open makes it.
type Local struct {
	cfg  contract.Config
	log  *slog.Logger
	path string
	raw  *raw // the file itself; see hold
	// copies holds one token: who has it opens the files of the backups, whose
	// locks would go as raw's would if two of this process did.
	copies chan struct{}

	wdb *sql.DB // one connection: writers of this process queue in Go, in order
	rdb *sql.DB // read-only connections

	index *index
	voc   *vocabulary
	df    *frequencies

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
} = (*Local)(nil)

// Open opens or makes the memory in cfg.Dir. A folder that cannot be used, a
// file that is no memory, is damaged, or was written by a newer program is an
// *evidence.Problem, and is left as it is. The index is loaded in the
// background: Open does not wait for it.
func Open(ctx context.Context, cfg contract.Config) (*Local, error) {
	if cfg.URL != "" { // it may hold a password: not shown
		return nil, evidence.BadInput("memory.url is set, but the memory backend \"local\" has no server",
			"unset memory.url, or set memory.backend to the backend that it belongs to")
	}
	cfg = withDefaults(cfg)
	path, file, err := prepareDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	l, err := open(ctx, cfg, path, file)
	if err != nil {
		return nil, errors.Join(err, file.release())
	}
	return l, nil
}

func open(ctx context.Context, cfg contract.Config, path string, file *raw) (*Local, error) {
	if err := migrate(ctx, path, cfg.Logger); err != nil {
		return nil, err
	}
	restrictAccess(filepath.Dir(path), path, cfg.Logger) // now that it is known to be ours
	l := &Local{cfg: cfg, log: cfg.Logger, path: path, raw: file, copies: make(chan struct{}, 1), voc: newVocabulary(), df: newFrequencies()}
	if err := l.connect(ctx); err != nil {
		return nil, explain(path, fmt.Errorf("opening the memory: %w", err))
	}
	var err error
	if l.index, err = startIndex(path, l.log, cfg.ActiveModel); err != nil {
		return nil, errors.Join(explain(path, err), l.rdb.Close(), l.wdb.Close())
	}
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

// openDB names a pool; it connects at first use.
func openDB(path string, readOnly bool) (*sql.DB, error) {
	q := url.Values{}
	q.Set("_busy_timeout", strconv.Itoa(int(busyTimeout.Milliseconds())))
	q.Add("_pragma", "foreign_keys(1)")
	q.Add("_pragma", "secure_delete(1)") // what is forgotten is overwritten
	q.Add("_pragma", "temp_store(2)")    // never a copy of the data in a temporary file
	q.Add("_error_rc", "1")
	if readOnly {
		q.Set("_query_only", "1")
		q.Add("_pragma", "cache_size(-4096)")
	} else {
		q.Set("_txlock", "immediate") // a deferred one fails at once after a foreign commit
		q.Add("_pragma", "synchronous(2)")
		q.Add("_pragma", "journal_size_limit(33554432)")
		q.Add("_pragma", "cache_size(-8192)")
	}
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

// write runs fn in a transaction that holds the write lock from its start, and
// wakes the index when it was committed.
func (l *Local) write(ctx context.Context, doing string, fn func(tx *sql.Tx) error) error {
	tx, err := l.wdb.BeginTx(ctx, nil)
	if err != nil {
		return l.failed(ctx, doing, err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
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
	tx, err := l.rdb.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
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
	if ctx.Err() != nil { // SQLite says "interrupted"; the caller asked why
		err = ctx.Err()
	}
	return explain(l.path, fmt.Errorf("%s: %w", doing, err))
}

// Close ends the background work and waits for it.
func (l *Local) Close() error {
	l.closing.Do(func() {
		err := l.index.close()
		l.closed = errors.Join(err, l.rdb.Close(), l.wdb.Close())
		l.closed = errors.Join(l.closed, l.raw.release()) // after all connections
	})
	return l.closed
}

func (l *Local) now() time.Time { return l.cfg.Now().UTC().Truncate(time.Microsecond) }
