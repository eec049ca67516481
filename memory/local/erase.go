package local

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// needleLen bytes are looked for: twice as many left anywhere are found.
	needleLen = 16
	// Beyond so many the file is written anew without looking.
	maxNeedles = 1_500_000
	// The log is emptied when no reader needs it; recalls last milliseconds.
	checkpointWait = 5 * time.Second
	hashBase       = 0x9E3779B97F4A7C15 | 1
)

// wipe sees to it that the file and its log hold no bytes of what was removed,
// and reports whether they do not. Freed pages are overwritten by SQLite itself;
// what page splits left behind in pages that are in use is not, and needs the
// file to be written anew, as does what a removal that was broken off left
// (unknown), for nobody knows what to look for.
func (l *Local) eraseBytes(ctx context.Context, f *forgetting, unknown bool) (notes []string, wiped bool) {
	const later = "what was forgotten is gone from the memory, but %s: %v; the next `forget` or `serve` tries again, and so does forgetting it again"
	if unknown || f != nil && f.receipt.Chunks > secureChunks {
		if err := purgeWordIndex(ctx, l.wdb); err != nil {
			return []string{fmt.Sprintf(later, "words of it may stay in the word index", explain(l.path, err))}, false
		}
	}
	if err := l.truncateWAL(ctx); err != nil {
		return []string{fmt.Sprintf(later, "bytes of it may stay in the write-ahead log", err)}, false
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
				return []string{fmt.Sprintf("what was forgotten is gone from the memory, but bytes like it are still in %s though it was written anew; check with `research-mcp memory check --gone ID`", l.path)}, false
			}
		}
	}
	if err != nil {
		return []string{fmt.Sprintf(later, "bytes of it may stay in the file", explain(l.path, err))}, false
	}
	return nil, true
}

// leftovers reports whether the file holds bytes of what was removed that are of
// nothing that stays: texts share phrases, and those are no reason to write the
// whole file anew.
func (l *Local) leftovers(ctx context.Context, left *needles) (bool, error) {
	if left.full() {
		return true, nil
	}
	found, err := left.in(ctx, l.raw.reader())
	if err != nil || len(found) == 0 {
		return false, err
	}
	err = l.read(ctx, "looking for what is left", func(tx *sql.Tx) error {
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
				of, err := left.in(ctx, strings.NewReader(s))
				for h := range of {
					delete(found, h)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return len(found) > 0, err
}

// purgeWordIndex leaves nothing in the word index of what was removed from it without
// secure delete. FTS5 drops such leftovers where it merges into its last level
// only, and that need not be where its first merge of everything goes: then all is
// one segment, leftovers among it, which it takes for merged. A small index is made
// anew instead; in a large one a second segment has it merged once more.
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

// addWordSegment writes the words of one chunk again, into a segment of their own.
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

// mergePages is how much of the word index is merged at once: others write
// between two steps.
const mergePages = 500

// mergeWordIndex makes one segment of the word index: what was removed from it
// without secure delete is gone then. Each step has a transaction of its own.
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
		if after-before < 2 { // as FTS5 tells that nothing was left to merge
			return nil
		}
	}
}

func rewriteFile(ctx context.Context, db execer) error {
	// The words first: their index is rewritten too, and leaves nothing behind.
	if _, err := db.ExecContext(ctx, "INSERT INTO fts(fts) VALUES('optimize')"); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, "VACUUM")
	return err
}

var errReaders = errors.New("another process is reading it")

// truncateWAL moves the write-ahead log into the file and cuts it to nothing.
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
