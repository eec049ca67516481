package local

import (
	"context"
	"database/sql"
	"errors"

	"modernc.org/sqlite"
)

// Pages of the file that a connection keeps, in KiB.
const (
	pageKiB = 4
	// FTS5 looks up the length of each chunk that matches. More gain little: the rest of what
	// a recall reads is different each time.
	readCache = 3 << 10
	// A transaction that grows beyond its cache is written before it is committed.
	writeCache = 12 << 10
	loadCache  = 1 << 10 // vectors are read once
)

// giveBack returns a connection of rdb to the pool.
//
// All connections of a process share what they may keep together: SQLite is built with
// ENABLE_MEMORY_MANAGEMENT. A full cache takes the place of the pages that were not used for
// longest, whosever they are, and keeps it. The connection that they were taken from then
// has no place: it reads a page from the file each time that it needs it, ten thousand in one
// recall. One that has read more pages than it may keep, and is not full, is such a one, and
// has all caches emptied.
func (l *Local) giveBack(ctx context.Context, conn *sql.Conn) {
	robbed := false
	err := conn.Raw(func(c any) error {
		s, ok := c.(sqlite.DBStatus)
		if !ok {
			return nil
		}
		missed, _, err := s.Status(sqlite.DBStatusCacheMiss, true)
		if err != nil || missed <= readCache/pageKiB {
			return err
		}
		used, _, err := s.Status(sqlite.DBStatusCacheUsed, false)
		robbed = used < readCache<<10/4*3
		return err
	})
	if robbed {
		_, err = conn.ExecContext(ctx, "PRAGMA shrink_memory")
	}
	if err = errors.Join(err, conn.Close()); err != nil && ctx.Err() == nil {
		l.log.Debug("the page cache of a connection was not looked at", "err", err)
	}
}
