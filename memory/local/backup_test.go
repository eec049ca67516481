package local

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// backupsOf creates the backup folder.
func backupsOf(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, backupDir)
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func forgetSecret(t *testing.T, l *Local) []string {
	t.Helper()
	r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/1"})
	if err != nil || r.Documents != 1 {
		t.Fatalf("Forget = %+v, %v", r, err)
	}
	return r.Warnings
}

func pendingCount(t *testing.T, l *Local) (n int) {
	t.Helper()
	if err := l.rdb.QueryRowContext(t.Context(), "SELECT count(*) FROM due").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Forget reaches the backups in a folder whose name has meta characters.
func TestForgetInFolderWithMetaCharacters(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "notes [work]")
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	if _, err := l.Backup(t.Context(), filepath.Join(backupsOf(t, dir), "x.db")); err != nil {
		t.Fatal(err)
	}
	if said := forgetSecret(t, l); len(said) != 1 || !strings.Contains(said[0], "also removed from the backup") {
		t.Errorf("warnings %q", said)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
}

// Forget removes what a killed backup has left.
func TestForgetAfterAKilledBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	temp := filepath.Join(backupsOf(t, dir), tempPrefix+"123")
	if err := os.Mkdir(temp, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := l.wdb.ExecContext(t.Context(), "VACUUM INTO ?", filepath.Join(temp, tempCopy)); err != nil {
		t.Fatal(err)
	}
	if said := forgetSecret(t, l); len(said) != 0 {
		t.Errorf("warnings %q", said)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 || pendingCount(t, l) != 0 {
		t.Errorf("it is still in %q, %d removals are due", left, pendingCount(t, l))
	}
}

// An unfinished copy that cannot be removed keeps the erasure pending.
func TestForgetWithUnremovableCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	stuck := filepath.Join(backupsOf(t, dir), tempPrefix+"123", tempCopy, "inside")
	if err := os.MkdirAll(stuck, 0o700); err != nil {
		t.Fatal(err)
	}
	if said := forgetSecret(t, l); len(said) != 1 || !strings.Contains(said[0], "an unfinished backup") || pendingCount(t, l) != 1 {
		t.Errorf("warnings %q, %d removals are due", said, pendingCount(t, l))
	}
	if err := os.Remove(stuck); err != nil {
		t.Fatal(err)
	}
	if said := l.finishErasure(t.Context(), nil); len(said) != 0 || pendingCount(t, l) != 0 {
		t.Errorf("finish = %q, %d removals are due", said, pendingCount(t, l))
	}
}

// interrupted is a memory in which something happens during the copy.
type interrupted struct {
	*sql.DB
	copies int
	then   func()
}

func (m *interrupted) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r, err := m.DB.ExecContext(ctx, query, args...)
	if m.copies++; m.copies == 1 {
		m.then()
	}
	return r, err
}

// A backup that is in progress during a Forget starts again, whether Forget
// found its unfinished copy or, in another folder, did not.
func TestBackupDuringForget(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{backupDir, "elsewhere"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := openIn(t, dir)
			keep(t, l, textDoc(1, secret))
			keep(t, l, textDoc(2, "What stays."))
			if err := os.Mkdir(filepath.Join(dir, folder), 0o700); err != nil {
				t.Fatal(err)
			}
			m := &interrupted{DB: l.wdb, then: func() { forgetSecret(t, l) }}
			path := filepath.Join(dir, folder, "x.db")
			if _, docs, err := copyInto(t.Context(), m, target{path: path}); err != nil || docs != 1 || m.copies != 2 {
				t.Errorf("copyInto = %d documents, %v, after %d copies", docs, err, m.copies)
			}
			if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
				t.Errorf("it is still in %q", left)
			}
			entries, err := os.ReadDir(filepath.Join(dir, folder))
			if err != nil || len(entries) != 1 {
				t.Errorf("the folder holds %v, %v", entries, err)
			}
		})
	}
}

// Files that this version cannot read do not keep an erasure pending.
func TestForgetWithUnreadableBackups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	write(t, filepath.Join(backupsOf(t, dir), "empty.db"), nil)
	newer := filepath.Join(dir, backupDir, "newer.db")
	execOn(t, newer, fmt.Sprintf("PRAGMA application_id=%d", applicationID))
	execOn(t, newer, "PRAGMA user_version=999")
	if said := forgetSecret(t, l); len(said) != 1 || !strings.Contains(said[0], "newer version") || pendingCount(t, l) != 0 {
		t.Errorf("warnings %q, %d removals are due", said, pendingCount(t, l))
	}
	if _, err := os.Stat(newer); err != nil {
		t.Error(err)
	}
}

// A backup of an earlier migration does not prevent one of the next.
func TestEachMigrationIsBackedUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	for want := 1; want <= 2; want++ {
		if err := backupBefore(t.Context(), l.wdb, l.path, 1, l.log); err != nil {
			t.Fatal(err)
		}
		if all, err := l.backups(); err != nil || len(all) != want {
			t.Errorf("backups = %q, %v, want %d", all, err, want)
		}
	}
}
