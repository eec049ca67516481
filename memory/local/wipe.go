package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	// needleLen bytes are looked for: twice as many left anywhere are found.
	needleLen = 16
	// Beyond so many the file is written anew without looking.
	maxNeedles = 500_000
	// The log is emptied when no reader needs it; recalls last milliseconds.
	checkpointWait = 5 * time.Second
	hashBase       = 0x9E3779B97F4A7C15 | 1
)

// needles are short pieces of what was removed, as rolling hashes.
type needles struct {
	set    map[uint64]struct{}
	filter []uint64 // a bit for each hash that may be there: most bytes need no look into the set
}

const filterBits = 1 << 22

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

// in reports whether a file holds one of the needles.
func (n *needles) in(ctx context.Context, path string) (bool, error) {
	if len(n.set) == 0 {
		return false, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
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
					return true, nil
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return false, err
		}
	}
}

// wipe sees to it that the file and its log hold no bytes of what was removed.
// Freed pages are overwritten by SQLite itself; what page splits left behind in
// pages that are in use is not, and needs the file to be written anew.
func (l *Local) wipe(ctx context.Context, f *forgetting) []string {
	const later = "what was forgotten is gone from the memory, but %s: %v; forget it again to wipe it"
	if err := l.emptyLog(ctx); err != nil {
		return []string{fmt.Sprintf(later, "bytes of it may stay in the write-ahead log", err)}
	}
	found, err := f.left.in(ctx, l.path)
	if err == nil && (found || f.left.full()) {
		if err = rewrite(ctx, l.wdb); err == nil {
			err = l.emptyLog(ctx)
		}
	}
	if err != nil {
		return []string{fmt.Sprintf(later, "bytes of it may stay in the file", explain(l.path, err))}
	}
	return nil
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

// backups are the copies in the folder of backups.
func (l *Local) backups() []string {
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(l.path), backupDir, "*.db")) // the pattern is good
	return found
}

// forgetInBackups makes the copies beside the memory forget the same. One that
// holds something but cannot be changed, as it has an older layout, is removed.
func (l *Local) forgetInBackups(ctx context.Context, f *forgetting) []string {
	var notes []string
	for _, path := range l.backups() {
		holds, err := forgetInCopy(ctx, path, f)
		switch {
		case err != nil && !errors.Is(err, errOldLayout):
			// A busy or full disk passes: a whole backup is worth more than a quick end.
			notes = append(notes, fmt.Sprintf("the backup %s may still hold it: %v; forget it again, or remove that backup", path, explain(path, err)))
		case err != nil:
			if err := os.Remove(path); err != nil {
				notes = append(notes, fmt.Sprintf("the backup %s still holds it and cannot be removed: %v", path, err))
				continue
			}
			notes = append(notes, fmt.Sprintf("the backup %s was removed: it held what was forgotten and could not be changed", path))
		case holds:
			notes = append(notes, fmt.Sprintf("the backup %s has forgotten it too", path))
		}
	}
	return notes
}

// errOldLayout is a backup from before a migration, in which nothing can be
// forgotten.
var errOldLayout = errors.New("the backup has an older layout")

// forgetInCopy reports whether a copy held something, and an error if it still does.
func forgetInCopy(ctx context.Context, path string, f *forgetting) (holds bool, err error) {
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
	ids := append(append([]string{}, f.uids...), f.sel.IDs...)
	if holds, err = holdsAny(ctx, db, ids, f.sel.Session); err != nil || !holds {
		return false, err
	}
	if version != len(steps) {
		return true, fmt.Errorf("%w: %d, not %d", errOldLayout, version, len(steps))
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return true, err
	}
	again := newForgetting(contract.Selector{IDs: ids, Session: f.sel.Session, Confirm: true})
	if err := again.run(ctx, tx); err != nil {
		return true, errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return true, err
	}
	return true, rewrite(ctx, db)
}

func holdsAny(ctx context.Context, q querier, ids []string, session string) (bool, error) {
	var holds bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS(SELECT 1 FROM doc WHERE uid IN (SELECT value FROM json_each(?1)))
		OR EXISTS(SELECT 1 FROM cites WHERE doc IN (SELECT value FROM json_each(?1))) OR EXISTS(SELECT 1 FROM session WHERE uid=?2)`,
		jsonStrings(ids), session).Scan(&holds)
	return holds, err
}
