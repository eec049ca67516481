package local

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/memory/memorytest"
)

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// wholeFile returns the file of a closed memory with a few documents.
func wholeFile(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	l, err := Open(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	doc := memorytest.Doc("one", "Some text on whales.")
	if _, err := l.Put(t.Context(), doc, memorytest.Chunks(doc.Text)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func execOn(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)") // the last connections may just be closing
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		make  func(t *testing.T, dir string) (use string) // what the folder holds; use is the folder to open
		words []string
	}{
		{"a folder that is a file", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "file"), []byte("x"))
			return filepath.Join(dir, "file")
		}, []string{"is a file", "--data-dir"}},
		{"a folder below a file", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "file"), []byte("x"))
			return filepath.Join(dir, "file", "data")
		}, []string{"cannot be used"}},
		{"no folder", func(*testing.T, string) string { return "" }, []string{"no data folder"}},
		{"a text file as memory.db", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, fileName), []byte(strings.Repeat("Dear diary, ", 100)))
			return dir
		}, []string{"not a memory", "memory check", "backups"}},
		{"a memory.db of a few bytes", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, fileName), []byte("SQLite"))
			return dir
		}, []string{"damaged"}},
		{"a truncated memory.db", func(t *testing.T, dir string) string {
			b := wholeFile(t)
			write(t, filepath.Join(dir, fileName), b[:len(b)/2])
			return dir
		}, []string{"damaged", "memory check"}},
		{"a memory.db with garbage inside", func(t *testing.T, dir string) string {
			b := wholeFile(t)
			copy(b[100:4096], bytes.Repeat([]byte{0xA5}, 4096))
			write(t, filepath.Join(dir, fileName), b)
			return dir
		}, []string{"damaged"}},
		{"a database of another program", func(t *testing.T, dir string) string {
			execOn(t, filepath.Join(dir, fileName), "CREATE TABLE recipes(x)")
			return dir
		}, []string{"another program", "--data-dir"}},
		{"a memory of a newer version", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, fileName), wholeFile(t))
			execOn(t, filepath.Join(dir, fileName), "PRAGMA user_version=4711")
			return dir
		}, []string{"newer version", "4711", "update"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			use := c.make(t, dir)
			before := snapshot(t, dir)
			_, err := Open(t.Context(), contract.Config{Dir: use})
			var p *evidence.Problem
			if !errors.As(err, &p) || p.Try == "" {
				t.Fatalf("Open = %v, want a problem with a way out", err)
			}
			for _, w := range c.words {
				if !strings.Contains(p.Error(), w) {
					t.Errorf("problem %q does not say %q", p.Error(), w)
				}
			}
			if after := snapshot(t, dir); !bytes.Equal(before, after) {
				t.Error("the refused file was changed")
			}
		})
	}
}

// snapshot returns the content of the files in dir, which a refusal must not
// change.
func snapshot(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	for _, n := range []string{fileName, "file"} {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

func TestOpenRestrictsAccess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data #1 %41?x") // a name that a URI must escape
	l, err := Open(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	doc := memorytest.Doc("one", "Some text on whales.")
	if _, err := l.Put(t.Context(), doc, memorytest.Chunks(doc.Text)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{"": 0o700, fileName: 0o600, fileName + "-wal": 0o600, fileName + "-shm": 0o600} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil {
			t.Error(err)
		} else if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %q = %o, want %o", path, got, want)
		}
	}
}
