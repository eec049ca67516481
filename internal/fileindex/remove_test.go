package fileindex

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// age sets the time of the last use of an index.
func age(t *testing.T, dir string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	if err := os.Chtimes(filepath.Join(dir, lockName), at, at); err != nil {
		t.Fatal(err)
	}
}

const month = 30 * 24 * time.Hour

// An index that is opened is in use, also before it is updated.
func TestOpenTouches(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "a")
	if err := open(t, Options{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	age(t, dir, 2*month)
	x := open(t, Options{Dir: dir})
	apply1(t, x, Change{Put: []*Entry{entry(t, "a.md", "heron")}})
	RemoveUnused(filepath.Join(parent, "b"), time.Now().Add(-month))
	if unlock, err := x.Lock(t.Context()); err != nil {
		t.Errorf("an index that was just opened: %v", err)
	} else {
		unlock()
	}
	age(t, dir, 2*month)
	RemoveUnused(dir, time.Now().Add(-month))
	if got := found(t, x, "heron"); len(got) != 1 || !x.inPlace() {
		t.Errorf("found %q, in place %v, want the own index kept whatever its age", got, x.inPlace())
	}
}

// What another process updates or opens stays.
func TestRemoveUnusedLeavesWhatIsLocked(t *testing.T) {
	t.Parallel()
	for _, name := range []string{openName, lockName} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "a")
		if err := open(t, Options{Dir: dir}).Close(); err != nil {
			t.Fatal(err)
		}
		lock := newLock(dir, name)
		if ok, err := lock.TryLock(); !ok || err != nil {
			t.Fatal(ok, err)
		}
		age(t, dir, 2*month)
		for _, want := range []bool{true, false} {
			RemoveUnused(filepath.Join(parent, "b"), time.Now().Add(-month))
			if _, err := os.Stat(filepath.Join(dir, fileName)); (err == nil) != want {
				t.Errorf("%s locked %v: %v", name, want, err)
			}
			if err := lock.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A process whose index was removed, or removed and made again, is told to open it again.
func TestLockOfAnIndexThatIsGone(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "a")
		x := open(t, Options{Dir: dir})
		age(t, dir, 2*month)
		RemoveUnused(filepath.Join(parent, "b"), time.Now().Add(-month))
		if again {
			open(t, Options{Dir: dir})
		}
		if _, err := x.Lock(t.Context()); !Gone(err) || Damaged(err) {
			t.Errorf("made again %v: %v, want that it is gone", again, err)
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		unlock, err := open(t, Options{Dir: dir}).Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	}
}

// Discard removes the index, but not one that another process made in its place.
func TestDiscard(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := open(t, Options{Dir: dir}), open(t, Options{Dir: dir})
	if err := a.Discard(); err != nil {
		t.Fatal(err)
	}
	x := open(t, Options{Dir: dir})
	apply1(t, x, Change{Put: []*Entry{entry(t, "a.md", "heron")}})
	if err := errors.Join(b.Discard(), open(t, Options{}).Discard()); err != nil {
		t.Fatal(err)
	}
	if got := found(t, x, "heron"); len(got) != 1 || !x.inPlace() {
		t.Errorf("found %q, in place %v, want the index of the other process", got, x.inPlace())
	}
}

// Rows that do not fit together are damage; a full disk is none.
func TestDamaged(t *testing.T) {
	t.Parallel()
	for _, q := range []string{
		"DELETE FROM part",
		"DELETE FROM file",
		"DELETE FROM tally",
		"UPDATE part SET text = x'68'",
		"UPDATE piece SET start = -1",
	} {
		x := open(t, Options{})
		apply1(t, x, Change{Put: []*Entry{entry(t, "a.md", "heron one")}})
		if _, err := x.write.ExecContext(t.Context(), "PRAGMA foreign_keys=0; "+q); err != nil {
			t.Fatal(err)
		}
		if _, err := x.Search(t.Context(), []string{"heron"}, 5); !Damaged(err) || Gone(err) || Unwritable(err) {
			t.Errorf("%s: %v, want that it is damaged", q, err)
		}
	}
	for _, err := range []error{nil, syscall.ENOSPC, syscall.EMFILE, context.Canceled, ErrVersion} {
		if Damaged(err) || Gone(err) || Unwritable(err) {
			t.Errorf("%v: damaged, gone or unwritable, want a passing failure", err)
		}
	}
	for _, err := range []error{syscall.EACCES, syscall.EROFS, fmt.Errorf("creating: %w", fs.ErrPermission)} {
		if Damaged(err) || Gone(err) || !Unwritable(err) {
			t.Errorf("%v: want that no index can be stored", err)
		}
	}
}
