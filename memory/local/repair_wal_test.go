package local

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// killed returns a folder with the files of a process that was killed: ten of the
// thirty documents are in the write-ahead log only.
func killed(t *testing.T) string {
	t.Helper()
	dir, to := t.TempDir(), t.TempDir()
	l := openIn(t, dir)
	for i := 1; i <= 30; i++ {
		if i == 21 {
			if _, err := l.wdb.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
				t.Fatal(err)
			}
		}
		keep(t, l, textDoc(i, fmt.Sprintf("Number %d. ", i)+strings.Repeat("heron ", 200)))
	}
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(l.path + end) //nolint:gosec // a file of the test
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(to, fileName+end), b)
	}
	return to
}

// contents reads all files below dir.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The log is all that is left beside an empty or lost file: neither a repair nor an
// export deletes it.
func TestRepairKeepsAnOrphanedLog(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]bool{"empty": true, "absent": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := killed(t)
			if err := os.Remove(filepath.Join(dir, fileName)); err != nil {
				t.Fatal(err)
			}
			if empty {
				write(t, filepath.Join(dir, fileName), nil)
			}
			before := contents(t, dir)
			var p *evidence.Problem
			if _, err := Repair(t.Context(), contract.Config{Dir: dir}); !errors.As(err, &p) {
				t.Errorf("Repair = %v, want a problem", err)
			}
			if _, err := Rescue(t.Context(), contract.Config{Dir: dir}, io.Discard, contract.ExportOptions{}); !errors.As(err, &p) || !strings.Contains(p.What, "write-ahead log") {
				t.Errorf("Rescue = %v, want a problem of the log", err)
			}
			if after := contents(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Error("the files were changed")
			}
		})
	}
}

// What a killed process has only written to the log is repaired and exported too,
// whether or not the file is cut.
func TestRepairReadsTheLog(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]int64{"whole": 0, "cut at its end": 4096, "half a page is cut": 2000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := killed(t)
			path := filepath.Join(dir, fileName)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, info.Size()-cut); err != nil {
				t.Fatal(err)
			}
			before := contents(t, dir)
			var out bytes.Buffer
			if m, err := Rescue(t.Context(), contract.Config{Dir: dir}, &out, contract.ExportOptions{}); err != nil || m.Documents != 30 {
				t.Errorf("Rescue = %+v, %v", m, err)
			}
			if after := contents(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Error("Rescue has changed the files")
			}
			r, err := Repair(t.Context(), contract.Config{Dir: dir})
			if err != nil || r.Moved.Documents != 30 {
				t.Fatalf("Repair = %+v, %v", r, err)
			}
			for _, end := range []string{"", "-wal"} {
				if b, err := os.ReadFile(r.Kept + end); err != nil || string(b) != before[path+end] {
					t.Errorf("the damaged file's part %q is not kept: %v", end, err)
				}
			}
			if c, err := openIn(t, dir).Check(t.Context()); err != nil || !c.OK || c.Documents != 30 {
				t.Errorf("Check = %+v, %v", c, err)
			}
		})
	}
}

// A repair keeps what is recorded of removals, and removes what killed repairs left.
func TestRepairCarriesErasures(t *testing.T) {
	t.Parallel()
	dir, _ := filled(t, 3)
	path := filepath.Join(dir, fileName)
	execOn(t, path, "INSERT INTO due(id, at, selector) VALUES(7, 5, '{}'); INSERT INTO gone(mark, at) VALUES(11, 12)")
	stale := filepath.Join(dir, repairPrefix+"123")
	if err := os.Mkdir(stale, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(stale, fileName), []byte("text"))
	if _, err := Repair(t.Context(), contract.Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a killed repair is left: %v", err)
	}
	db, err := openDB(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var due, gone int
	err = db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM due WHERE id=7 AND at=5 AND selector='{}'), (SELECT count(*) FROM gone WHERE mark=11 AND at=12)").Scan(&due, &gone)
	if err != nil || due != 1 || gone != 1 {
		t.Errorf("due %d, gone %d, %v", due, gone, err)
	}
}

// Without hard links the damaged file and its log are copied.
func TestKeepWithoutLinks(t *testing.T) {
	t.Parallel()
	dir := killed(t)
	path := filepath.Join(dir, fileName)
	before := contents(t, dir)
	d, err := openDamaged(t.Context(), path, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	kept := filepath.Join(t.TempDir(), "kept.db")
	if err := d.keep(t.Context(), kept, func(string, string) error { return errors.ErrUnsupported }); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"", "-wal"} {
		if b, err := os.ReadFile(kept + end); err != nil || string(b) != before[path+end] {
			t.Errorf("%q is not copied: %v", end, err)
		}
	}
	if err := d.keep(t.Context(), kept, os.Link); !errors.Is(err, os.ErrExist) {
		t.Errorf("keep over another file = %v", err)
	}
}

// A new file whose log cannot be moved into it does not replace the damaged one.
func TestFinishChecksTheLog(t *testing.T) {
	t.Parallel()
	dir := killed(t)
	path := filepath.Join(dir, fileName)
	reader, err := openDB(path, true)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := reader.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := tx.QueryRowContext(t.Context(), "SELECT count(*) FROM doc").Scan(&n); err != nil || n != 30 {
		t.Fatalf("%d documents, %v", n, err)
	}
	execOn(t, path, "DELETE FROM gone")
	db, err := openDB(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "PRAGMA busy_timeout=1"); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint(t.Context(), db); err == nil {
		t.Error("a log that is in use counts as moved")
	}
	if err := errors.Join(tx.Rollback(), reader.Close(), checkpoint(t.Context(), db)); err != nil {
		t.Error(err)
	}
}

// A memory whose file was replaced while it was opened is not written to.
func TestUnreplaced(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), fileName)
	file, err := openRaw(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.release()
	if err := file.unreplaced(path); err != nil {
		t.Error(err)
	}
	write(t, path+".new", nil)
	if err := os.Rename(path+".new", path); err != nil {
		t.Skip("this platform replaces no open file: ", err)
	}
	var p *evidence.Problem
	if err := file.unreplaced(path); !errors.As(err, &p) {
		t.Errorf("unreplaced = %v, want a problem", err)
	}
	steps, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := migrateTo(t.Context(), file, path, steps, withDefaults(contract.Config{}).Logger); !errors.As(err, &p) {
		t.Errorf("migrateTo = %v, want a problem", err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != 0 {
		t.Errorf("the new file was written to: %v, %v", info, err)
	}
}

// The copies of killed exports are removed, but not those of exports at work, and
// nothing else.
func TestRemoveStaleExports(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, left := range map[string]bool{repairPrefix + "killed": false, repairPrefix + "working": true, repairPrefix + "new": true, "other": true} {
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if name == repairPrefix+"working" {
			lock := flock.New(filepath.Join(folder, copyLock))
			if ok, err := lock.TryLock(); !ok || err != nil {
				t.Fatal(ok, err)
			}
			t.Cleanup(func() { _ = lock.Close() })
		}
		if name != repairPrefix+"new" {
			before := time.Now().Add(-2 * copyMade)
			if err := os.Chtimes(folder, before, before); err != nil {
				t.Fatal(err)
			}
		}
		t.Cleanup(func() {
			if _, err := os.Stat(folder); (err == nil) != left {
				t.Errorf("%s: %v, want left = %v", name, err, left)
			}
		})
	}
	if err := removeStaleExports(dir); err != nil {
		t.Fatal(err)
	}
}

// Forget removes what a killed repair has left: it may hold what is to be forgotten.
func TestForgetRemovesTheCopyOfAKilledRepair(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	for _, name := range []string{"1", "2"} {
		folder := filepath.Join(dir, repairPrefix+name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, fileName), []byte(secret))
	}
	if r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/1", Confirm: true}); err != nil || r.Documents != 1 || len(r.Warnings) > 0 {
		t.Fatalf("Forget = %+v, %v", r, err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
}

// Where SQLite cannot read the log, a memory is not opened without what the log holds.
func TestOpenRefusesAnUnreadLog(t *testing.T) {
	t.Parallel()
	dir := killed(t)
	path := filepath.Join(dir, fileName)
	var p *evidence.Problem
	if err := refuseUnreadLog(path, accessImmutable); !errors.As(err, &p) || !strings.Contains(p.What, "write-ahead log") {
		t.Errorf("refuseUnreadLog = %v", err)
	}
	for _, access := range []string{accessWrite, accessReadOnly} { // SQLite reads it
		if err := refuseUnreadLog(path, access); err != nil {
			t.Errorf("refuseUnreadLog with access %q = %v", access, err)
		}
	}
	if err := os.Truncate(path+"-wal", walHeader); err != nil {
		t.Fatal(err)
	}
	if err := refuseUnreadLog(path, accessImmutable); err != nil {
		t.Errorf("refuseUnreadLog of a log without frames = %v", err)
	}
}
