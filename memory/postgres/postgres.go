// Package postgres is the memory in a PostgreSQL database that several servers share.
// pgvector indexes the vectors; pg_textsearch the words, or GIN where it is missing. The
// scores are those of package rank, as in every backend.
//
// Reading order: postgres.go (open, transactions), connect.go and migrate.go (what the
// database must be), put.go, recall.go with words.go, vectors.go and candidates.go,
// sessions.go, forget.go, changes.go, oldwords.go (words of an older program), then the optional parts of the contract,
// and bus.go, which joins the processes.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/rank"
)

const backendName = "postgres"

const (
	// writeFor is how long a write is tried again while the server is lost or another one
	// takes its place; its context may end it earlier.
	writeFor = 60 * time.Second
	// readFor is the same for reads: a question would rather go on without.
	readFor = 3 * time.Second
	// awayFor is how long reads that follow one that failed are not tried again: one that
	// waits is enough.
	awayFor = 10 * time.Second
)

// Memory is a memory in a database, opened by Open.
type Memory struct {
	cfg    contract.Config
	log    *slog.Logger
	server server

	// What the memories of a process share; see connections.
	conns    *connections
	lines    *lines
	pool     *pgxpool.Pool
	standbys *standbys
	release  func() error

	seats  chan struct{} // has room for its transactions beside those of others
	inTurn atomic.Int32  // how many calls of seated are at work
	calls  calls

	tenant string
	added  time.Time // of the tenant, by the server's clock

	removed atomic.Bool // the tenant, as a write has noticed

	mostExact  int   // of exactRows, in tests; 0: the usual
	many       int64 // of manyChunks, in tests; 0: the usual
	fewChanges int64 // of keepChanges, in tests; 0: the usual

	voc    *rank.Vocabulary
	df     *rank.Frequencies
	grams  grams
	claims claims

	rewording atomic.Bool // followWords works

	due    chan struct{} // has one if others are to be told of a write
	writes atomic.Int64  // since the log of changes was looked at

	away   atomic.Int64 // when a read has failed because the server is away, in Unix nanoseconds; 0: it has not
	spaces sync.Map     // model key to space: they are never removed

	warned warned // that calls are tried again

	background sync.WaitGroup
	stop       context.CancelFunc
	ctx        context.Context // of background work
	closing    sync.Once
}

var _ interface {
	contract.Memory
	contract.Checker
	contract.Exporter
	contract.ForgetMarker
	contract.Lister
	contract.Reindexer
	contract.Retainer
	contract.RunClaimer
	contract.VectorFiller
} = (*Memory)(nil)

// Open opens or creates the memory in the database of cfg.URL. It is an
// *evidence.Problem if the database cannot be used; it is not changed then.
func Open(ctx context.Context, cfg contract.Config) (*Memory, error) {
	cfg = withDefaults(cfg)
	pool, err := parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	if strings.Contains(cfg.Tenant, "\x00") || cfg.Tenant == nobody {
		return nil, evidence.BadInput(fmt.Sprintf("the tenant %q has a control character in its name", cfg.Tenant), "give it another name")
	}
	m := &Memory{cfg: cfg, tenant: cfg.Tenant, log: cfg.Logger, voc: rank.NewVocabulary(), df: rank.NewFrequencies(),
		claims: claims{holder: mint("h_")}, due: make(chan struct{}, 1)}
	if m.server, err = prepare(ctx, pool.ConnConfig, cfg.Tenant, cfg.Logger); err != nil {
		return nil, err
	}
	m.server.configure(pool)
	if err := m.connect(ctx, pool); err != nil {
		return nil, err
	}
	if err := m.begins(ctx, fullFor); err != nil {
		_ = m.Close() // it has done nothing
		return nil, err
	}
	m.background.Go(m.noticeAlways)
	if m.server.oldWords {
		m.followWords()
	}
	return m, nil
}

// fullFor is how long an opening waits for a connection where others have all of them.
const fullFor = 10 * time.Second

// begins is what is done with the connections before they are used. Other tenants may have
// all of them for longer than most: that is a Problem.
func (m *Memory) begins(ctx context.Context, most time.Duration) error {
	within, cancel := context.WithTimeout(ctx, writeFor)
	defer cancel()
	full := errors.New("all connections are in use")
	within, give := context.WithCancelCause(within)
	defer give(nil)
	defer time.AfterFunc(most, func() {
		if m.conns.full() && m.inTurn.Load() == 0 { // not by its own transaction, which waits for the server
			give(full)
		}
	}).Stop()
	err := m.keepsSessions(within)
	if err == nil {
		err = m.register(within)
	}
	if err != nil && ctx.Err() == nil && context.Cause(within) == full { //nolint:errorlint // it is not wrapped
		n := m.pool.Config().MaxConns
		return &evidence.Problem{What: fmt.Sprintf("the memory in %s was not opened: all %d connections of memory.url are in use by other tenants of this process", m.server.name, n),
			Try: fmt.Sprintf("try again later, set pool_max_conns in memory.url to more than %d, or see what they wait for: %s", n, m.server.psql("SELECT pid, state, wait_event_type, query FROM pg_stat_activity")), Cause: err}
	}
	return err
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

// Backend returns "postgres".
func (m *Memory) Backend() string { return backendName }

// Close stops background work and waits for it, but not for a server that is silent.
func (m *Memory) Close() (err error) {
	m.closing.Do(func() {
		m.stop()
		defer m.lines.closeSoon()()
		m.background.Wait()
		m.calls.end()
		m.endClaims()
		err = m.release()
	})
	return err
}

func (m *Memory) now() time.Time { return m.cfg.Now().UTC().Truncate(time.Microsecond) }

// Purposes of advisory locks.
const (
	lockMigrate = "migrate"
	lockWrite   = "write" // writers share it; what must see a still memory has it alone
	lockRetain  = "retain"
	lockTrim    = "trim"
	lockFill    = "fill "
	lockDoc     = "doc "
	lockWords   = "words"
	lockRelay   = "relay" // who passes a message on shares it; a removal of the tenant has it alone
)

// key is an advisory lock of this memory: of its schema and tenant.
func (m *Memory) key(purpose string) int64 { return lockKey(m.server.schema, m.tenant, purpose) }

func lockKey(schema, tenant, purpose string) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "research-mcp\x00%s\x00%s\x00%s", schema, tenant, purpose)
	return int64(h.Sum64()) //nolint:gosec // bits, not a number
}

// attempt is one try of a write. again reports that an earlier one may have been
// committed although its answer was lost.
type attempt struct {
	pgx.Tx
	again bool
}

// write runs fn in a transaction, and again while the server is lost, restarts or is
// replaced: fn must not depend on what an earlier run did outside of the transaction, and
// what it stores must have the same keys each time.
func (m *Memory) write(ctx context.Context, doing string, fn func(tx attempt) error) error {
	return m.locked(ctx, doing, "pg_advisory_xact_lock_shared", fn)
}

// alone is write while no other transaction writes to the memory.
func (m *Memory) alone(ctx context.Context, doing string, fn func(tx attempt) error) error {
	return m.locked(ctx, doing, "pg_advisory_xact_lock", fn)
}

func (m *Memory) locked(ctx context.Context, doing, lock string, fn func(tx attempt) error) error {
	unknown := false
	err := m.retriedIn(ctx, doing, writeFor, m.seated, func() error {
		tx, err := m.begin(ctx, m.pool, beginWrite)
		if err != nil {
			return err
		}
		defer rollback(ctx, tx)
		if err := m.mayBegin(ctx, tx, lock); err != nil {
			return err
		}
		if err := fn(attempt{tx, unknown}); err != nil {
			return err
		}
		err = tx.Commit(ctx)
		unknown = unknown || isLost(err)
		return err
	})
	if err == nil {
		m.stored()
	}
	return err
}

// mayBegin takes the lock of writers, and refuses what this program must not write to.
func (m *Memory) mayBegin(ctx context.Context, tx pgx.Tx, lock string) error {
	var version int
	// Another process may have updated the layout since this one connected.
	if err := tx.QueryRow(ctx, "select version, "+lock+"($1) is null from memory_layout", m.key(lockWrite)).Scan(&version, new(bool)); err != nil {
		return err
	}
	if version > newest() {
		return newerLayout(m.server, version)
	}
	return m.mayWrite(ctx, tx)
}

// read runs fn on one snapshot of the data. Where there is no primary, it is that of a
// standby with everything that was acknowledged.
func (m *Memory) read(ctx context.Context, doing string, fn func(tx pgx.Tx) error) error {
	most := readFor
	if failed := m.away.Load(); failed != 0 && time.Since(time.Unix(0, failed)) < awayFor {
		most = 0
	}
	err := m.retriedIn(ctx, doing, most, m.seated, func() error {
		err := m.reading(ctx, m.pool, fn)
		if m.standbys != nil && err != nil && passes(err) && ctx.Err() == nil {
			if other := m.readStandby(ctx, fn); other == nil {
				return nil
			}
		}
		return err
	})
	switch {
	case err == nil:
		m.away.Store(0)
	case ctx.Err() == nil && (isLost(err) || isConnect(err)): // a caller who has left says nothing of the server
		m.away.Store(time.Now().UnixNano())
	}
	return err
}

// readToWrite is read for work that goes on with a write: it waits for the primary as long
// as a write does, and asks no standby.
func (m *Memory) readToWrite(ctx context.Context, doing string, fn func(tx pgx.Tx) error) error {
	return m.retriedIn(ctx, doing, writeFor, m.seated, func() error { return m.reading(ctx, m.pool, fn) })
}

// rollback also works when the context has ended; after a commit it does nothing.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = tx.Rollback(ctx)
}

// retried calls fn until it succeeds, fails for good, or has been failing for too long.
func (m *Memory) retried(ctx context.Context, doing string, most time.Duration, fn func() error) error {
	return m.retriedIn(ctx, doing, most, func(_ context.Context, fn func() error) error { return fn() }, fn)
}

// retriedIn is retried where each attempt has to wait for its turn, such as for seated: that
// time is not one of failing.
func (m *Memory) retriedIn(ctx context.Context, doing string, most time.Duration, turn func(context.Context, func() error) error, fn func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.calls.begin(); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer m.calls.done()
	pause, failing := 50*time.Millisecond, time.Duration(0)
	for {
		began := time.Now()
		err := turn(ctx, func() error { began = time.Now(); return fn() })
		failing += time.Since(began)
		if err == nil {
			return ctx.Err()
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", doing, ctx.Err())
		}
		// Who has waited for a server that is silent, and can do without, has waited enough.
		if !passes(err) || failing+pause > most || isSilent(err) && most < writeFor {
			return m.failed(doing, err)
		}
		m.log.Log(ctx, m.warned.level(time.Now()), "the database has interrupted a call; it is tried again", "doing", doing, "err", m.server.explain(err))
		select {
		case <-time.After(pause):
			failing += pause
			pause = min(2*pause, 2*time.Second)
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", doing, ctx.Err())
		case <-m.ctx.Done():
			return fmt.Errorf("%s: %w", doing, errClosed)
		}
	}
}

// warnAgain is how long nobody is warned again that calls are tried again: while a server is
// away, many are.
const warnAgain = 30 * time.Second

// warned is when the last warning was, in Unix nanoseconds.
type warned struct{ at atomic.Int64 }

// level is that of a message now.
func (w *warned) level(now time.Time) slog.Level {
	last := w.at.Load()
	if last != 0 && now.Sub(time.Unix(0, last)) < warnAgain || !w.at.CompareAndSwap(last, now.UnixNano()) {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

func (m *Memory) failed(doing string, err error) error {
	return m.server.explain(fmt.Errorf("%s: %w", doing, err))
}
