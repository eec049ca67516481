package local

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// TestOpenWithoutALog opens a memory with the newest layout that is not in WAL mode, as
// sqlite3's VACUUM INTO leaves one.
func TestOpenWithoutALog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *Local {
		t.Helper()
		l, err := Open(t.Context(), contract.Config{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if err := open().Close(); err != nil {
		t.Fatal(err)
	}
	mode := func(pragma string) (now string) {
		t.Helper()
		db, err := sql.Open("sqlite", filepath.Join(dir, fileName))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.QueryRowContext(t.Context(), pragma).Scan(&now), db.Close()); err != nil {
			t.Fatal(err)
		}
		return now
	}
	if got := mode("PRAGMA journal_mode=DELETE"); got != "delete" {
		t.Fatalf("the mode is %q, want delete", got)
	}
	l := open()
	if got := mode("PRAGMA journal_mode"); got != "wal" {
		t.Errorf("an open memory has the journal mode %q, want wal", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
