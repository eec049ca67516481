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
)

// removeUnfinishedBackups removes the temporary files of backups in the backup
// folder, both of killed processes and of backups in progress, which start
// again.
func (l *Local) removeUnfinishedBackups() (notes []string, removed bool) {
	dir := filepath.Join(filepath.Dir(l.path), backupDir)
	if removeStaleTemp(dir, time.Now().Add(staleAfter)) {
		return nil, true
	}
	return []string{fmt.Sprintf("an unfinished backup in %s may still contain forgotten data; the next `forget` or `serve` tries again", dir)}, false
}

// backups returns the files in the backup folder.
func (l *Local) backups() ([]string, error) {
	dir := filepath.Join(filepath.Dir(l.path), backupDir)
	entries, err := os.ReadDir(dir) // not Glob: dir may contain its meta characters
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

// forgetInBackups removes the same from the backups beside the memory, and
// reports whether that is complete. A backup with an older layout cannot be
// changed and is deleted if it contains any of it. One that this version cannot
// read counts as complete, with a warning: trying again would not help.
func (l *Local) forgetInBackups(ctx context.Context, sel removal) (notes []string, whole bool) {
	notes, whole = l.removeSealedBackups()
	all, err := l.backups()
	if err != nil {
		whole = false
		notes = append(notes, fmt.Sprintf("the backups may still contain forgotten data: %v; the next `forget` or `serve` tries again", err))
	}
	for _, path := range all {
		if isForeign(path) {
			continue
		}
		holds, err := l.forgetInCopy(ctx, path, sel)
		switch {
		case isDamaged(err):
			notes = append(notes, fmt.Sprintf("the backup %s is damaged and may still contain forgotten data: delete it", path))
		case errors.Is(err, errNewerLayout):
			notes = append(notes, fmt.Sprintf("the backup %s was written by a newer version of research-mcp and may still contain forgotten data: delete it, or forget with that version", path))
		case err != nil && !errors.Is(err, errOldLayout):
			// The cause, such as a full disk, may pass: the backup is not
			// deleted.
			notes = append(notes, fmt.Sprintf("the backup %s may still contain forgotten data: %v; the next `forget` or `serve` tries again, or delete that backup", path, explain(path, err)))
			whole = false
		case err != nil:
			if err := os.Remove(path); err != nil {
				notes = append(notes, fmt.Sprintf("the backup %s still contains forgotten data and cannot be deleted: %v", path, err))
				whole = false
				continue
			}
			notes = append(notes, fmt.Sprintf("the backup %s was deleted: it contained forgotten data and could not be changed", path))
		case holds && dailyTime(path).IsZero(): // nobody needs to know of the automatic ones
			notes = append(notes, fmt.Sprintf("forgotten data were also removed from the backup %s", path))
		}
	}
	return notes, whole
}

// isForeign reports whether a file is empty or a database of another program.
func isForeign(path string) bool {
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

// errOldLayout is a backup from before a migration: nothing can be removed from
// it.
var errOldLayout = errors.New("the backup has an older layout")

// forgetInCopy removes from a backup what sel selects there, except documents
// that the memory still stores. It reports whether the backup contained any of
// it, and returns an error if it still does. The selection is made in the
// backup, because the memory may have lost the documents long ago.
func (l *Local) forgetInCopy(ctx context.Context, path string, sel removal) (holds bool, err error) {
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
	again := newForgetting(sel.Selector, l.voc)
	again.sel.Confirm, again.also, again.keep = true, sel.Removed, l.stillStored
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
	if err := again.run(ctx, tx, 0, false); err != nil { // records that the copy has to be rewritten
		return true, err
	}
	if err := tx.Commit(); err != nil {
		return true, err
	}
	if n := again.receipt.Chunks; n == 0 || n > secureChunks { // also after an interrupted removal
		if _, err := db.ExecContext(ctx, "INSERT INTO fts(fts) VALUES('rebuild')"); err != nil {
			return true, err
		}
	}
	if err := rewriteFile(ctx, db); err != nil {
		return true, err
	}
	_, err = db.ExecContext(ctx, "DELETE FROM due; DELETE FROM gone")
	return true, err
}

// holdsAny reports whether a copy contains anything that is selected, or has an
// unfinished erasure.
func (f *forgetting) holdsAny(ctx context.Context, tx *sql.Tx, newest bool) (bool, error) {
	docs, err := f.selectDocs(ctx, tx)
	if err != nil || len(docs) > 0 {
		return len(docs) > 0, err
	}
	var holds bool
	session := ""
	if f.sel.WholeSession() {
		session = f.sel.Session
	}
	err = tx.QueryRowContext(ctx, `SELECT EXISTS(SELECT 1 FROM cites WHERE doc IN (SELECT value FROM json_each(?1))) OR EXISTS(SELECT 1 FROM session WHERE uid=?2)`,
		jsonStrings(f.uids()), session).Scan(&holds)
	if err != nil || holds || !newest {
		return holds, err
	}
	err = tx.QueryRowContext(ctx, "SELECT EXISTS(SELECT 1 FROM due)").Scan(&holds)
	return holds, err
}

// stillStored returns those of the ids that the memory stores.
func (l *Local) stillStored(ctx context.Context, uids []string) (map[string]bool, error) {
	held, err := stringsOf(ctx, l.rdb, "SELECT uid FROM doc WHERE uid IN (SELECT value FROM json_each(?))", jsonStrings(uids))
	out := map[string]bool{}
	for _, uid := range held {
		out[uid] = true
	}
	return out, err
}
