package fetch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// hostSchema is created in files of earlier versions too. A row has no content;
// that of a public host says that it was visited.
const hostSchema = `
CREATE TABLE IF NOT EXISTS hosts (
	host       TEXT PRIMARY KEY, -- with its port
	open       INTEGER NOT NULL, -- public: chosen by a model or a page
	tokens     REAL NOT NULL,    -- of the bucket at the time of updated; negative: so many wait
	per_second REAL NOT NULL,    -- of the bucket, by the last writer; 0: not limited
	burst      INTEGER NOT NULL,
	day        INTEGER NOT NULL, -- since 1970, UTC
	spent      INTEGER NOT NULL, -- requests on that day
	error_kind TEXT NOT NULL,
	error      TEXT NOT NULL,
	error_at   INTEGER NOT NULL, -- times in Unix nanoseconds; 0: never
	broken_at  INTEGER NOT NULL,
	broken_to  INTEGER NOT NULL,
	wait_until INTEGER NOT NULL,
	updated    INTEGER NOT NULL
);`

const (
	hostReadPause = 10 * time.Second // after a read that failed
	hostsListWait = 2 * time.Second
	hostKeptFor   = 30 * 24 * time.Hour
	longestQueue  = 64 // bound on the waiting requests of a bucket
)

// hostRow is what all processes know about a host. Its times are those of the
// cache's clock.
type hostRow struct {
	open         bool
	tokens       float64
	rate         Rate // zero: not limited
	day          int64
	spent        int
	kind         Kind
	err          string
	errAt        time.Time
	since, until time.Time // of an open circuit
	wait         time.Time
	updated      time.Time
}

// hostUpdate is what one process adds to a row.
type hostUpdate struct {
	open         bool
	rate         Rate
	spent        int // requests sent, less refunded ones
	kind         Kind
	err          string
	errAt        time.Time
	breaker      bool // the circuit has changed to since, until; zero: closed
	since, until time.Time
	wait         time.Time
}

func dayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// tokensAt is what is in the bucket, refilled at that rate. A row from the
// future comes from a clock that was set back: nothing was refilled.
func (r *hostRow) tokensAt(now time.Time, rate Rate) float64 {
	if rate.PerSecond <= 0 {
		return 0
	}
	burst := float64(max(rate.Burst, 1))
	if r.rate.PerSecond <= 0 { // not counted
		return burst
	}
	had := max(r.tokens, -longestQueue)
	return min(had+max(now.Sub(r.updated), 0).Seconds()*rate.PerSecond, burst)
}

// add applies an update. Of two backoffs the later end holds, of two errors the
// later one.
func (r *hostRow) add(n hostUpdate, now time.Time) {
	r.tokens = r.tokensAt(now, n.rate) - float64(n.spent)
	if n.rate.PerSecond <= 0 {
		r.tokens = 0
	}
	r.rate, r.open, r.updated = n.rate, n.open, now
	if today := dayOf(now); r.day != today {
		r.day, r.spent = today, 0
	}
	r.spent = max(r.spent+n.spent, 0)
	if n.errAt.After(r.errAt) {
		r.kind, r.err, r.errAt = n.kind, n.err, n.errAt
	}
	if n.breaker {
		r.since, r.until = n.since, n.until
	}
	if n.wait.After(r.wait) {
		r.wait = n.wait
	}
}

const hostColumns = "open, tokens, per_second, burst, day, spent, error_kind, error, error_at, broken_at, broken_to, wait_until, updated"

// scan reads the row from hostColumns, which follow the columns of before.
func (r *hostRow) scan(row interface{ Scan(...any) error }, before ...any) error {
	var errAt, since, until, wait, updated int64
	err := row.Scan(append(before, &r.open, &r.tokens, &r.rate.PerSecond, &r.rate.Burst, &r.day, &r.spent,
		&r.kind, &r.err, &errAt, &since, &until, &wait, &updated)...)
	r.errAt, r.since, r.until, r.wait, r.updated = fromNanos(errAt), fromNanos(since), fromNanos(until), fromNanos(wait), fromNanos(updated)
	return err
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func toNanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func readHost(ctx context.Context, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, host string) (hostRow, error) {
	var r hostRow
	err := r.scan(db.QueryRowContext(ctx, "SELECT "+hostColumns+" FROM hosts WHERE host = ?", host))
	return r, err
}

// writeHost applies an update to a host's row, atomically between processes. A public
// host is not written if the cache was cleared more than times.
func writeHost(ctx context.Context, db *sql.DB, host string, n hostUpdate, now time.Time, times int64) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if n.open {
		if err := uncleared(ctx, tx, times); err != nil {
			return err
		}
	}
	r, err := readHost(ctx, tx, host)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	r.add(n, now)
	_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO hosts (host, "+hostColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		host, r.open, r.tokens, r.rate.PerSecond, r.rate.Burst, r.day, r.spent, string(r.kind), r.err,
		toNanos(r.errAt), toNanos(r.since), toNanos(r.until), toNanos(r.wait), toNanos(r.updated))
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM hosts WHERE updated < ?", now.Add(-hostKeptFor).UnixNano()); err != nil {
		return err
	}
	return tx.Commit()
}

// host returns what is known about a host; false if that is nothing or cannot
// be read at once.
func (c *Cache) host(ctx context.Context, host string) (hostRow, bool) {
	c.mu.Lock()
	usable := !c.closed && !c.damaged && !c.removed && !time.Now().Before(c.hostsAfter)
	c.mu.Unlock()
	if !usable {
		return hostRow{}, false
	}
	bounded, cancel := context.WithTimeout(ctx, cacheReadWait)
	defer cancel()
	r, err := readHost(bounded, c.db, host)
	if err != nil && ctx.Err() == nil && !errors.Is(err, sql.ErrNoRows) {
		c.mu.Lock()
		c.hostsAfter = time.Now().Add(hostReadPause)
		c.logFailure("reading what is known of a host", err)
		c.mu.Unlock()
	}
	return r, err == nil
}

// queueHostUpdate queues a write of what take returns at its turn. done is
// called after it, with false if it was not written. If queueHostUpdate returns
// false, neither is called.
func (c *Cache) queueHostUpdate(host string, take func() hostUpdate, done func(written bool)) bool {
	written, times := false, c.times.Load()
	return c.enqueue("noting a host", func(ctx context.Context) error {
		err := writeHost(ctx, c.db, host, take(), c.now(), times)
		written = err == nil || errors.Is(err, errCleared) // that it was visited is forgotten
		return err
	}, func() { done(written) })
}

// Hosts returns the hosts that any process has written, sorted by name, in
// their present state. Pending writes are not included.
func (c *Cache) Hosts(ctx context.Context) ([]HostState, error) {
	return listHosts(ctx, c.db, c.now())
}

// ReadHosts is Cache.Hosts of the cache at path as of now, without opening it
// as a cache: it creates and repairs nothing. Without a file there are no
// hosts.
func ReadHosts(ctx context.Context, path string, now time.Time) ([]HostState, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the cache's hosts: %w", err)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("reading the cache's hosts: %w", err)
	}
	// The file is not created or written; but a reader without the right to
	// write leaves the files of SQLite's log behind.
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: "mode=rw&_busy_timeout=250"}
	if !strings.HasPrefix(u.Path, "/") { // a drive letter
		u.Path = "/" + u.Path
	}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return nil, fmt.Errorf("reading the cache's hosts: %w", err)
	}
	defer db.Close()
	return listHosts(ctx, db, now)
}

func listHosts(ctx context.Context, db *sql.DB, now time.Time) ([]HostState, error) {
	ctx, cancel := context.WithTimeout(ctx, hostsListWait)
	defer cancel()
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = 'hosts'").Scan(&tables); err != nil || tables == 0 {
		return nil, wrapHosts(err) // of an earlier version: no hosts yet
	}
	rows, err := db.QueryContext(ctx, "SELECT host, "+hostColumns+" FROM hosts ORDER BY host")
	if err != nil {
		return nil, wrapHosts(err)
	}
	defer rows.Close()
	out := []HostState{}
	for rows.Next() {
		var host string
		var r hostRow
		if err := r.scan(rows, &host); err != nil {
			return nil, wrapHosts(err)
		}
		out = append(out, r.state(host, now))
	}
	return out, wrapHosts(rows.Err())
}

func wrapHosts(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading the cache's hosts: %w", err)
}

// state is the row as a HostState.
func (r *hostRow) state(host string, now time.Time) HostState {
	s := HostState{Host: host, Breaker: circuitClosed, LastError: r.err, LastErrorKind: r.kind, LastErrorAt: r.errAt,
		Rate: r.rate, Tokens: r.tokensAt(now, r.rate)}
	switch {
	case r.until.After(now) && !r.until.After(now.Add(openFor)):
		s.Breaker, s.BrokenUntil = circuitOpen, r.until
	case !r.since.IsZero():
		s.Breaker = circuitHalfOpen
	}
	if r.wait.After(now) && !r.wait.After(now.Add(maxBackoff)) {
		s.WaitUntil = r.wait
	}
	if r.day == dayOf(now) {
		s.Spent = r.spent
	}
	return s
}
