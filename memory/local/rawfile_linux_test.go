package local

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/testkit/unprivileged"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// sqliteShared is the byte range that every open connection locks while the
// write-ahead log is in use.
const sqliteShared, sqliteSharedLen = 0x40000002, 510

// locked reports whether SQLite of this process holds its lock on the file. A
// lock of an open file description, such as probe's, conflicts with it as that
// of another process would.
func locked(t *testing.T, probe *os.File) bool {
	t.Helper()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: sqliteShared, Len: sqliteSharedLen}
	if err := unix.FcntlFlock(probe.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		t.Fatal(err)
	}
	return lock.Type != unix.F_UNLCK
}

// Reading the bytes of the file does not release the locks of SQLite: without
// them the next process that closes the memory would delete the log.
func TestReadingKeepsTheLocks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	probe, err := os.OpenFile(filepath.Join(dir, fileName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { probe.Close() }) // last: closing it releases the locks too
	if locked(t, probe) {
		t.Fatal("the file is locked before it is a memory")
	}
	l := openIn(t, dir)
	doc := textDoc(1, "The marker sentence of zebrafish seventeen stands here.")
	if _, err := l.Put(t.Context(), doc, evidence.Chunks{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		do   func() error
	}{
		{"nothing", func() error { return nil }},
		{"a second memory opened and closed", func() error {
			other, err := Open(t.Context(), contract.Config{Dir: dir})
			if err != nil {
				return err
			}
			return other.Close()
		}},
		{"looking for an id", func() error { _, err := l.ProveErased(t.Context(), doc.ID); return err }},
		{"a check", func() error { _, err := l.Check(t.Context()); return err }},
		{"a backup", func() error { _, err := l.Backup(t.Context(), filepath.Join(dir, "copy.db")); return err }},
		{"forgetting", func() error { _, err := l.Forget(t.Context(), contract.Selector{IDs: []string{doc.ID}}); return err }},
	} {
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if !locked(t, probe) {
			t.Fatalf("after %s the lock is released", c.name)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if locked(t, probe) {
		t.Error("the lock outlives the memory")
	}
}

// A file in a folder that is not writable is opened once: closing another descriptor
// would release the locks.
func TestOpenRawOpensOnce(t *testing.T) {
	t.Parallel()
	if !unprivileged.Bound() {
		unprivileged.Rerun(t)
		return
	}
	dir := t.TempDir()
	path := filepath.Join(dir, fileName)
	write(t, path, []byte("data"))
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) //nolint:gosec // a folder
	file, err := openRaw(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.release()
	open := 0
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && to == path {
			open++
		}
	}
	if open != 1 {
		t.Errorf("%d descriptors are open, want 1", open)
	}
}
