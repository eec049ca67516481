package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	// Pieces of needleLen bytes are searched for; a remainder of twice that is
	// always found.
	needleLen = 16
	// With more needles the file is rewritten without a search.
	maxNeedles = 1_500_000
	// The log is truncated when no reader uses it; recalls last milliseconds.
	checkpointWait = 5 * time.Second
	hashBase       = 0x9E3779B97F4A7C15 | 1
)

// eraseBytes removes the bytes of what f removed from the file and the
// write-ahead log, and reports whether it succeeded. SQLite overwrites freed
// pages itself, but not the copies that page splits left in pages still in use:
// if such a copy is found, the file is rewritten. It is always rewritten if
// unknown is set, because nothing is known of what an interrupted removal has
// left. f may be nil if unknown is set.
func (l *Local) eraseBytes(ctx context.Context, f *forgetting, unknown bool) (notes []string, wiped bool) {
	const later = "the documents were removed from the memory, but %s: %v; the next `forget` or `serve` tries again"
	if unknown || f != nil && f.receipt.Chunks > secureChunks {
		if err := purgeWordIndex(ctx, l.wdb); err != nil {
			return []string{fmt.Sprintf(later, "words of them may remain in the word index", explain(l.path, err))}, false
		}
	}
	if err := l.truncateWAL(ctx); err != nil {
		return []string{fmt.Sprintf(later, "bytes of them may remain in the write-ahead log", err)}, false
	}
	rewriting, err := unknown, error(nil)
	if !unknown {
		rewriting, err = l.leftovers(ctx, f.needles)
	}
	if err == nil && rewriting {
		if err = rewriteFile(ctx, l.wdb); err == nil {
			err = l.truncateWAL(ctx)
		}
		if err == nil && !unknown {
			if still, lookErr := l.leftovers(ctx, f.needles); lookErr == nil && still && !f.needles.full() {
				return []string{fmt.Sprintf("the documents were removed from the memory, but bytes like theirs are still in %s after it was rewritten; check with `research-mcp memory check --gone ID`", l.path)}, false
			}
		}
	}
	if err != nil {
		return []string{fmt.Sprintf(later, "bytes of them may remain in the file", explain(l.path, err))}, false
	}
	return nil, true
}

// leftovers reports whether the file contains bytes of removed documents that
// occur in no stored one. Phrases that documents share are no reason to rewrite
// the whole file.
func (l *Local) leftovers(ctx context.Context, left *needles) (bool, error) {
	if left.full() {
		return true, nil
	}
	found, err := left.in(ctx, l.raw.reader())
	if err != nil || len(found) == 0 {
		return false, err
	}
	err = l.read(ctx, "searching for leftovers", func(tx *sql.Tx) error {
		for _, query := range []string{
			"SELECT text FROM body", "SELECT terms FROM chunk", "SELECT text FROM turn", "SELECT body FROM run",
			"SELECT uid || char(10) || url || char(10) || title || char(10) || meta FROM doc",
			"SELECT uid || char(10) || title || char(10) || summary FROM session",
		} {
			if len(found) == 0 {
				return nil
			}
			err := eachRow(ctx, tx, query, nil, func(row scanner) error {
				var s string
				if err := row.Scan(&s); err != nil {
					return err
				}
				for h := range left.inText(s) {
					delete(found, h)
				}
				return ctx.Err()
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return len(found) > 0, err
}

// purgeWordIndex removes from the word index what was deleted without secure
// delete. FTS5 drops deleted entries only when it merges into its last level; a
// first full merge need not do that, and its result is one segment, which FTS5
// then regards as merged. So a small index is rebuilt, and a large one gets a
// second segment and is merged again.
func purgeWordIndex(ctx context.Context, db *sql.DB) error {
	var chunks int
	if err := db.QueryRowContext(ctx, "SELECT n FROM tally WHERE name='chunks'").Scan(&chunks); err != nil {
		return err
	}
	if chunks <= smallMemory {
		_, err := db.ExecContext(ctx, "INSERT INTO fts(fts) VALUES('rebuild')")
		return err
	}
	if err := mergeWordIndex(ctx, db); err != nil {
		return err
	}
	if err := addWordSegment(ctx, db); err != nil {
		return err
	}
	return mergeWordIndex(ctx, db)
}

// addWordSegment writes the words of one chunk again, as a segment of its own.
func addWordSegment(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	for _, query := range []string{
		"INSERT INTO fts(fts, rowid, terms) SELECT 'delete', id, terms FROM chunk WHERE id=(SELECT max(id) FROM chunk)",
		"INSERT INTO fts(rowid, terms) SELECT id, terms FROM chunk WHERE id=(SELECT max(id) FROM chunk)",
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// mergePages is how many pages of the word index one step merges; other
// processes write between the steps.
const mergePages = 500

// mergeWordIndex merges the word index into one segment, in steps that are
// transactions of their own.
func mergeWordIndex(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for step := -mergePages; ; step = mergePages {
		var before, after int
		if err := conn.QueryRowContext(ctx, "SELECT total_changes()").Scan(&before); err != nil {
			return err
		}
		if _, err := conn.ExecContext(ctx, "INSERT INTO fts(fts, rank) VALUES('merge', ?)", step); err != nil {
			return err
		}
		if err := conn.QueryRowContext(ctx, "SELECT total_changes()").Scan(&after); err != nil {
			return err
		}
		if after-before < 2 { // how FTS5 reports that nothing was merged
			return nil
		}
	}
}

func rewriteFile(ctx context.Context, db execer) error {
	// The word index first: its old pages are dropped by the VACUUM.
	if _, err := db.ExecContext(ctx, "INSERT INTO fts(fts) VALUES('optimize')"); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, "VACUUM")
	return err
}

var errReaders = errors.New("another process is reading it")

// truncateWAL moves the write-ahead log into the file and truncates it.
func (l *Local) truncateWAL(ctx context.Context) error {
	conn, err := l.wdb.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout=%d", checkpointWait.Milliseconds())); err != nil {
		return err
	}
	var busy, frames, moved int
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
	_, back := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout=%d", busyTimeout.Milliseconds()))
	if err = errors.Join(err, back); err == nil && busy != 0 {
		err = errReaders
	}
	return err
}
