package local

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// forgetAndHang removes the rows of a document, prints a line and hangs, to be
// killed before the bytes are erased.
func forgetAndHang(dir, id string) error {
	ctx := context.Background()
	l, err := Open(ctx, contract.Config{Dir: dir})
	if err != nil {
		return err
	}
	if _, err := l.forgetRows(ctx, contract.Selector{IDs: []string{id}}); err != nil {
		return err
	}
	fmt.Println("removed")
	select {}
}

// If a process is killed between the removal of the rows and that of the bytes,
// another one completes it, in the file and in the backups.
func TestInterruptedForgetIsCompleted(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"retain", "again"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d := textDoc(1, secret)
			func() {
				l, err := Open(t.Context(), contract.Config{Dir: dir})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				keep(t, l, d)
				keep(t, l, textDoc(2, "What stays."))
				if err := os.Mkdir(filepath.Join(dir, backupDir), 0o700); err != nil {
					t.Fatal(err)
				}
				if _, err := l.Backup(t.Context(), filepath.Join(dir, backupDir, "old.db")); err != nil {
					t.Fatal(err)
				}
			}()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
			cmd.Env = append(os.Environ(), "MEMORY_TEST_FORGETTER="+dir, "MEMORY_TEST_NAME="+d.ID)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if n, err := out.Read(make([]byte, 100)); n == 0 {
				t.Fatalf("the process said nothing: %v", err)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // it was killed: the error says so
			if left := holding(t, dir, "zanzibarquux"); len(left) == 0 {
				t.Fatal("nothing is left to be erased: the test proves nothing")
			}
			later := func() time.Time { return time.Now().Add(time.Hour) }
			l, err := Open(t.Context(), contract.Config{Dir: dir, Now: later})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if rep, err := l.Check(t.Context()); err != nil || rep.OK || !strings.Contains(rep.Try, "forget it again") {
				t.Errorf("Check does not report the interrupted removal: %+v, %v", rep, err)
			}
			if how == "retain" {
				if r, err := l.Retain(t.Context()); err != nil || len(r.Warnings) == 0 {
					t.Errorf("Retain = %+v, %v", r, err)
				}
			} else if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{d.ID}}); err != nil {
				t.Error(err)
			}
			for _, mark := range []string{"zanzibarquux", d.ID} {
				if left := holding(t, dir, mark); len(left) > 0 {
					t.Errorf("%q is still in %q", mark, left)
				}
			}
			if rep, err := l.Check(t.Context()); err != nil || !rep.OK || rep.Documents != 1 {
				t.Errorf("Check = %+v, %v", rep, err)
			}
		})
	}
}

// The selection is made again in each backup, which may contain documents that
// the memory has lost; those that the memory still stores are kept.
func TestForgetSelectsAgainInBackups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	keep(t, l, textDoc(2, "What is kept."))
	if err := os.Mkdir(filepath.Join(dir, backupDir), 0o700); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, backupDir, "old.db")
	if _, err := l.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	aside, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{textDoc(1, secret).ID}}); err != nil {
		t.Fatal(err)
	}
	write(t, copied, aside) // put back by hand
	r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/1"})
	if err != nil || r.Documents != 0 || !strings.Contains(strings.Join(r.Warnings, " "), "also removed from the backup "+copied) {
		t.Errorf("Forget = %+v, %v", r, err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
	if left := holding(t, dir, "What is kept."); len(left) != 2 {
		t.Errorf("what is kept is in %q", left)
	}
}

// A backup from before a migration cannot be changed: it is deleted if it
// contains what is forgotten.
func TestForgetRemovesBackupsOfAnOlderLayout(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, "What is kept."))
	if err := os.Mkdir(filepath.Join(dir, backupDir), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"without", "with"} {
		if name == "with" {
			keep(t, l, textDoc(2, secret))
		}
		path := filepath.Join(dir, backupDir, name+".db")
		if _, err := l.Backup(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		execOn(t, path, "DROP TABLE due; DROP TABLE gone; DROP TABLE words; PRAGMA user_version=1")
	}
	r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/2"})
	if err != nil || !strings.Contains(strings.Join(r.Warnings, " "), "with.db was deleted") {
		t.Errorf("Forget = %+v, %v", r, err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
	if _, err := os.Stat(filepath.Join(dir, backupDir, "without.db")); err != nil {
		t.Errorf("a backup without it went too: %v", err)
	}
}

// A backup that was left between the removal of rows and the rewrite records
// that itself, and the next Forget completes it, whatever it selects.
func TestHalfErasedBackupIsCompleted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, "What stays."))
	keep(t, l, textDoc(2, "What is forgotten."))
	if err := os.Mkdir(filepath.Join(dir, backupDir), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, backupDir, "old.db")
	if _, err := l.Backup(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	execOn(t, path, "INSERT INTO due(at, selector) VALUES(0, '')") // as in the transaction that removes
	free, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := free.WriteAt([]byte(secret), int64(bytes.LastIndex(b, make([]byte, 100)))); err != nil {
		t.Fatal(err)
	}
	if len(holding(t, dir, "zanzibarquux")) != 1 {
		t.Fatal("nothing is left to be erased: the test proves nothing")
	}
	r, err := l.Forget(t.Context(), contract.Selector{IDs: []string{"d_nobody_has_this_id"}})
	if err != nil || !strings.Contains(strings.Join(r.Warnings, " "), "also removed from the backup") {
		t.Errorf("Forget = %+v, %v", r, err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
	db, err := openDB(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if due, err := pendingErasures(t.Context(), db, time.Now().UnixMicro()); err != nil || len(due) != 0 {
		t.Errorf("%d removals are due in the copy, %v", len(due), err)
	}
}
