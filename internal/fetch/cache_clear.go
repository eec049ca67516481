package fetch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// clearedSchema counts how often the cache was cleared. Processes that were about to
// write something when another one cleared it see that the number is not the one they
// knew, and do not write.
const clearedSchema = `
CREATE TABLE IF NOT EXISTS cleared (id INTEGER PRIMARY KEY CHECK (id = 1), times INTEGER NOT NULL);
INSERT OR IGNORE INTO cleared VALUES (1, 0);`

// fullPause is how long nothing is stored after the disk was full.
const fullPause = 10 * time.Minute

// errCleared reports that the cache was cleared since a write was queued.
var errCleared = errors.New("the cache was cleared")

// Clear removes every response, so that no byte of a body remains in the file
// or its logs, and the public hosts, whose names say what was read. Configured
// hosts stay: their rows have no content, and a backoff still holds. What this and
// other processes are about to write is not written.
func (c *Cache) Clear(ctx context.Context) error {
	c.discardPending()
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	removed := c.removed
	c.mu.Unlock()
	db := c.db
	if removed { // another process may have made a new one
		if _, err := os.Lstat(c.path); errors.Is(err, os.ErrNotExist) {
			return nil
		}
		var err error
		if db, err = openStore(ctx, c.path, c.cfg.Logger); err != nil {
			return fmt.Errorf("clearing the cache: %w", err)
		}
		defer db.Close()
	}
	if err := c.wipe(ctx, db); err != nil {
		return fmt.Errorf("clearing the cache: %w", err)
	}
	return nil
}

// GiveUp empties the cache because the disk is full, so that other files can grow.
// Nothing is stored for a while.
func (c *Cache) GiveUp(ctx context.Context) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.giveUp(ctx)
}

// giveUp is GiveUp for a caller that holds c.writing.
func (c *Cache) giveUp(ctx context.Context) error {
	c.discardPending()
	c.mu.Lock()
	c.fullUntil = time.Now().Add(fullPause)
	done := c.removed
	c.mu.Unlock()
	if done {
		return nil
	}
	err := c.wipe(ctx, c.db)
	if err == nil {
		return nil
	}
	// There is no room even to say what is free. Other processes that have the file open
	// find out for themselves.
	c.mu.Lock()
	c.removed = true
	c.mu.Unlock()
	err = c.db.Close()
	RemoveCache(c.path)
	return err
}

// RemoveCache removes the files of a cache that cannot be opened, as on a full disk.
func RemoveCache(path string) { removeStore(path) }

func (c *Cache) discardPending() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	clear(c.pending)
	c.bytes = 0
}

// wipe empties the file.
func (c *Cache) wipe(ctx context.Context, db *sql.DB) error {
	err := wipeStore(ctx, db)
	if times, readErr := timesCleared(ctx, db); readErr == nil {
		c.times.Store(times)
	}
	return err
}

// wipeStore removes all rows, rewrites the file and empties its log. Freed pages are
// not overwritten first, which would need as much room on the disk: VACUUM cuts them off.
func wipeStore(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA busy_timeout=2000; PRAGMA secure_delete=1") //nolint:errcheck // the pool drops a connection that fails
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout=%d; PRAGMA secure_delete=0", cacheClearWait.Milliseconds())); err != nil {
		return err
	}
	for _, step := range []string{"UPDATE cleared SET times = times + 1", "DELETE FROM entries", "DELETE FROM hosts WHERE open", "VACUUM"} {
		if _, err := conn.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	var busy, frames, moved int
	if err := conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return errReaders
	}
	return nil
}

func timesCleared(ctx context.Context, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}) (times int64, err error) {
	err = db.QueryRowContext(ctx, "SELECT times FROM cleared").Scan(&times)
	return times, err
}

// uncleared is errCleared if the cache was cleared more than times.
func uncleared(ctx context.Context, tx *sql.Tx, times int64) error {
	now, err := timesCleared(ctx, tx)
	if err == nil && now != times {
		err = errCleared
	}
	return err
}

// failed handles the error of a queued write.
func (c *Cache) failed(ctx context.Context, doing string, err error) {
	if errors.Is(err, errCleared) {
		if times, err := timesCleared(ctx, c.db); err == nil {
			c.times.Store(times)
		}
		return
	}
	c.mu.Lock()
	c.logFailure(doing, err)
	c.mu.Unlock()
	if isFull(err) {
		if err := c.giveUp(ctx); err != nil {
			c.cfg.Logger.Debug("the cache was not emptied", "err", err)
		}
	}
}

func isFull(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_FULL
}
