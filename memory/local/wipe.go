package local

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/research-mcp/research-mcp/memory/contract"
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

// needles are short pieces of what was removed, as rolling hashes.
type needles struct {
	set    map[uint64]struct{}
	filter []uint64 // a bit for each hash that may be there: most bytes need no look into the set
}

const filterBits = 1 << 25

func newNeedles() *needles {
	return &needles{set: map[uint64]struct{}{}, filter: make([]uint64, filterBits/64)}
}

func (n *needles) full() bool { return len(n.set) >= maxNeedles }

func (n *needles) add(s string) {
	for at := 0; at+needleLen <= len(s) && !n.full(); at += needleLen {
		h := uint64(0)
		for i := range needleLen {
			h = h*hashBase + uint64(s[at+i]) + 1
		}
		n.set[h] = struct{}{}
		bit := h >> 40 % filterBits
		n.filter[bit/64] |= 1 << (bit % 64)
	}
}

// in are the needles that a stream holds.
func (n *needles) in(ctx context.Context, f io.Reader) (map[uint64]struct{}, error) {
	if len(n.set) == 0 {
		return nil, nil
	}
	found := map[uint64]struct{}{}
	top := uint64(1) // the weight of the byte that leaves the window
	for range needleLen {
		top *= hashBase
	}
	var h uint64
	var window [needleLen]byte
	at, seen := 0, 0
	buf := make([]byte, 1<<20)
	for {
		k, err := f.Read(buf)
		for _, c := range buf[:k] {
			h = h*hashBase + uint64(c) + 1
			if seen >= needleLen {
				h -= top * (uint64(window[at]) + 1)
			} else {
				seen++
			}
			window[at] = c
			at = (at + 1) % needleLen
			bit := h >> 40 % filterBits
			if n.filter[bit/64]>>(bit%64)&1 == 1 && seen == needleLen {
				if _, ok := n.set[h]; ok {
					found[h] = struct{}{}
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
	}
}

// wipe sees to it that the file and its log hold no bytes of what was removed,
// and reports whether they do not. Freed pages are overwritten by SQLite itself;
// what page splits left behind in pages that are in use is not, and needs the
// file to be written anew, as does what a removal that was broken off left
// (unknown), for nobody knows what to look for.
func (l *Local) wipe(ctx context.Context, f *forgetting, unknown bool) (notes []string, wiped bool) {
	const later = "what was forgotten is gone from the memory, but %s: %v; the next `forget` or `serve` tries again, and so does forgetting it again"
	if unknown || f != nil && f.receipt.Chunks > secureChunks {
		if err := tidyWords(ctx, l.wdb); err != nil {
			return []string{fmt.Sprintf(later, "words of it may stay in the word index", explain(l.path, err))}, false
		}
	}
	if err := l.emptyLog(ctx); err != nil {
		return []string{fmt.Sprintf(later, "bytes of it may stay in the write-ahead log", err)}, false
	}
	rewriting, err := unknown, error(nil)
	if !unknown {
		rewriting, err = l.leftovers(ctx, f.left)
	}
	if err == nil && rewriting {
		if err = rewrite(ctx, l.wdb); err == nil {
			err = l.emptyLog(ctx)
		}
		if err == nil && !unknown {
			if still, lookErr := l.leftovers(ctx, f.left); lookErr == nil && still && !f.left.full() {
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

// tidyWords leaves nothing in the word index of what was removed from it without
// secure delete. FTS5 drops such leftovers where it merges into its last level
// only, and that need not be where its first merge of everything goes: then all is
// one segment, leftovers among it, which it takes for merged. A small index is made
// anew instead; in a large one a second segment has it merged once more.
func tidyWords(ctx context.Context, db *sql.DB) error {
	var chunks int
	if err := db.QueryRowContext(ctx, "SELECT n FROM tally WHERE name='chunks'").Scan(&chunks); err != nil {
		return err
	}
	if chunks <= smallMemory {
		_, err := db.ExecContext(ctx, "INSERT INTO fts(fts) VALUES('rebuild')")
		return err
	}
	if err := mergeWords(ctx, db); err != nil {
		return err
	}
	if err := touchWords(ctx, db); err != nil {
		return err
	}
	return mergeWords(ctx, db)
}

// touchWords writes the words of one chunk again, into a segment of their own.
func touchWords(ctx context.Context, db *sql.DB) error {
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

// mergeWords makes one segment of the word index: what was removed from it
// without secure delete is gone then. Each step has a transaction of its own.
func mergeWords(ctx context.Context, db *sql.DB) error {
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

func rewrite(ctx context.Context, db execer) error {
	// The words first: their index is rewritten too, and leaves nothing behind.
	if _, err := db.ExecContext(ctx, "INSERT INTO fts(fts) VALUES('optimize')"); err != nil {
		return err
	}
	_, err := db.ExecContext(ctx, "VACUUM")
	return err
}

var errReaders = errors.New("another process is reading it")

// emptyLog moves the write-ahead log into the file and cuts it to nothing.
func (l *Local) emptyLog(ctx context.Context) error {
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

// sweepCopies takes away what backups that were killed have left in the folder
// of backups, and what one that is under way has written so far: it begins anew.
func (l *Local) sweepCopies() (notes []string, gone bool) {
	dir := filepath.Join(filepath.Dir(l.path), backupDir)
	if sweep(dir, time.Now().Add(staleAfter)) {
		return nil, true
	}
	return []string{fmt.Sprintf("an unfinished backup in %s may still hold what was forgotten; the next `forget` or `serve` tries again", dir)}, false
}

// backups are the copies in the folder of backups.
func (l *Local) backups() ([]string, error) {
	dir := filepath.Join(filepath.Dir(l.path), backupDir)
	entries, err := os.ReadDir(dir) // not by a pattern: the folder's own name may be one
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".db") && !e.IsDir() {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out, err
}

// forgetInBackups makes the copies beside the memory forget the same, and
// reports whether all have. One that holds something but cannot be changed, as it
// has an older layout, is removed. One that nobody here can read counts as done:
// it is told, and never gets better.
func (l *Local) forgetInBackups(ctx context.Context, sel contract.Selector) (notes []string, whole bool) {
	all, err := l.backups()
	if whole = err == nil; !whole {
		notes = append(notes, fmt.Sprintf("the backups may still hold it: %v; the next `forget` or `serve` tries again", err))
	}
	for _, path := range all {
		if foreign(path) {
			continue
		}
		holds, err := l.forgetInCopy(ctx, path, sel)
		switch {
		case isDamaged(err):
			notes = append(notes, fmt.Sprintf("the backup %s is damaged and may still hold it: remove it", path))
		case errors.Is(err, errNewerLayout):
			notes = append(notes, fmt.Sprintf("the backup %s was written by a newer version of research-mcp and may still hold it: remove it, or forget with that version", path))
		case err != nil && !errors.Is(err, errOldLayout):
			// A busy or full disk passes: a whole backup is worth more than a quick end.
			notes = append(notes, fmt.Sprintf("the backup %s may still hold it: %v; the next `forget` or `serve` tries again, or remove that backup", path, explain(path, err)))
			whole = false
		case err != nil:
			if err := os.Remove(path); err != nil {
				notes = append(notes, fmt.Sprintf("the backup %s still holds it and cannot be removed: %v", path, err))
				whole = false
				continue
			}
			notes = append(notes, fmt.Sprintf("the backup %s was removed: it held what was forgotten and could not be changed", path))
		case holds:
			notes = append(notes, fmt.Sprintf("the backup %s has forgotten it too", path))
		}
	}
	return notes, whole
}

// foreign reports whether a file is another program's database, or empty.
func foreign(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, headerLen)
	n, err := io.ReadFull(f, head)
	if err != nil {
		return n == 0 && errors.Is(err, io.EOF)
	}
	return string(head[:len(magic)]) == magic && binary.BigEndian.Uint32(head[68:72]) != applicationID
}

func isDamaged(err error) bool {
	var se *sqlite.Error
	return errors.As(err, &se) && (se.Code()&0xff == sqlite3.SQLITE_NOTADB || se.Code()&0xff == sqlite3.SQLITE_CORRUPT)
}

// errOldLayout is a backup from before a migration, in which nothing can be
// forgotten.
var errOldLayout = errors.New("the backup has an older layout")

// forgetInCopy reports whether a copy held something, and an error if it still
// does. A copy may hold what the memory lost long ago, so the selector chooses
// anew; what the memory still keeps stays in the copy too.
func (l *Local) forgetInCopy(ctx context.Context, path string, sel contract.Selector) (holds bool, err error) {
	steps, err := migrations()
	if err != nil {
		return false, err
	}
	db, err := openDB(path, false)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	version, err := layout(ctx, db, path, len(steps))
	if err != nil {
		return false, err
	}
	again := newForgetting(sel, l.voc)
	again.sel.Confirm, again.spare = true, l.stillHeld
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if holds, err = again.holdsAny(ctx, tx, version == len(steps)); err != nil || !holds {
		return false, err
	}
	if version != len(steps) {
		return true, fmt.Errorf("%w: %d, not %d", errOldLayout, version, len(steps))
	}
	if err := again.plan(ctx, tx); err != nil {
		return true, err
	}
	if err := again.run(ctx, tx, 0, false); err != nil { // notes that the copy is to be written anew
		return true, err
	}
	if err := tx.Commit(); err != nil {
		return true, err
	}
	if n := again.receipt.Chunks; n == 0 || n > secureChunks { // also one that was broken off
		if _, err := db.ExecContext(ctx, "INSERT INTO fts(fts) VALUES('rebuild')"); err != nil {
			return true, err
		}
	}
	if err := rewrite(ctx, db); err != nil {
		return true, err
	}
	_, err = db.ExecContext(ctx, "DELETE FROM due; DELETE FROM gone")
	return true, err
}

// holdsAny reports whether a copy holds something that is selected, or is still
// to be wiped.
func (f *forgetting) holdsAny(ctx context.Context, tx *sql.Tx, newest bool) (bool, error) {
	docs, err := f.choose(ctx, tx)
	if err != nil || len(docs) > 0 {
		return len(docs) > 0, err
	}
	var holds bool
	err = tx.QueryRowContext(ctx, `SELECT EXISTS(SELECT 1 FROM cites WHERE doc IN (SELECT value FROM json_each(?1))) OR EXISTS(SELECT 1 FROM session WHERE uid=?2)`,
		jsonStrings(f.uids()), f.sel.Session).Scan(&holds)
	if err != nil || holds || !newest {
		return holds, err
	}
	err = tx.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM due)").Scan(&holds)
	return holds, err
}

// stillHeld are those of the ids that the memory holds.
func (l *Local) stillHeld(ctx context.Context, uids []string) (map[string]bool, error) {
	held, err := stringsOf(ctx, l.rdb, "SELECT uid FROM doc WHERE uid IN (SELECT value FROM json_each(?))", jsonStrings(uids))
	out := map[string]bool{}
	for _, uid := range held {
		out[uid] = true
	}
	return out, err
}
