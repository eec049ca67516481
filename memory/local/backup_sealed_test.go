package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// flipped is an encryption for tests: each byte is inverted.
type flipped struct {
	w    io.Writer
	sum  bytes.Buffer
	fail error // of Verify
}

func (f *flipped) Write(p []byte) (int, error) {
	f.sum.Write(p)
	return f.w.Write(inverted(p))
}

func (f *flipped) Close() error { return nil }

func (f *flipped) Verify(r io.Reader) error {
	got, err := io.ReadAll(r)
	if err == nil && !bytes.Equal(inverted(got), f.sum.Bytes()) {
		err = errors.New("it is not what was written")
	}
	return errors.Join(err, f.fail)
}

func inverted(p []byte) []byte {
	out := bytes.Clone(p)
	for i := range out {
		out[i] = ^out[i]
	}
	return out
}

func TestSealedBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	keep(t, l, textDoc(1, "A zanzibarquux."))
	path := filepath.Join(t.TempDir(), "copy.age")
	seal := func(w io.Writer) (contract.Sealing, error) { return &flipped{w: w}, nil }
	r, err := l.BackupSealed(t.Context(), path, seal)
	if err != nil || r.Documents != 1 {
		t.Fatalf("BackupSealed = %+v, %v", r, err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || int64(len(raw)) != r.Bytes || bytes.Contains(raw, []byte("zanzibarquux")) {
		t.Errorf("%d bytes, %v, reported as %d", len(raw), err, r.Bytes)
	}
	restored := t.TempDir()
	if err := os.WriteFile(filepath.Join(restored, fileName), inverted(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := openIn(t, restored).Stats(t.Context()); err != nil || s.Documents != 1 {
		t.Errorf("restored: %+v, %v", s, err)
	}

	bad := filepath.Join(t.TempDir(), "bad.age")
	wrong := func(w io.Writer) (contract.Sealing, error) {
		return &flipped{w: w, fail: errors.New("not as written")}, nil
	}
	none := func(io.Writer) (contract.Sealing, error) { return nil, errors.New("no key") }
	for _, seal := range []contract.Seal{wrong, none} {
		if _, err := l.BackupSealed(t.Context(), bad, seal); err == nil {
			t.Error("a backup that cannot be verified is published")
		}
	}
	for _, folder := range []string{filepath.Dir(bad), filepath.Join(dir, backupDir)} {
		if entries, err := os.ReadDir(folder); len(entries) > 0 {
			t.Errorf("left in %s: %v, %v", folder, entries, err)
		}
	}
}

func TestForgetRemovesSealedDailyBackups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	l, err := Open(t.Context(), contract.Config{Dir: dir, Now: func() time.Time { return now },
		SealDaily: func(w io.Writer) (contract.Sealing, error) { return &flipped{w: w}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	keep(t, l, textDoc(1, "A zanzibarquux."))
	keep(t, l, textDoc(2, "What stays."))
	backUp := func(want bool) string {
		t.Helper()
		r, made, err := l.BackupDaily(context.WithoutCancel(t.Context()), 0)
		if err != nil || made != want {
			t.Fatalf("BackupDaily = %+v, %v, %v, want %v", r, made, err, want)
		}
		return r.Path
	}
	path := backUp(true)
	if !strings.HasSuffix(path, ".db.age") {
		t.Errorf("the daily backup is %s", path)
	}
	backUp(false)
	foreign := filepath.Join(dir, backupDir, "mine.age")
	if err := os.WriteFile(foreign, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := l.Forget(t.Context(), contract.Selector{IDs: []string{textDoc(1, "").ID}})
	if err != nil || !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "1 encrypted backup deleted") }) {
		t.Errorf("Forget = %+v, %v", r, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the encrypted backup is still there: %v", err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Errorf("another file was deleted: %v", err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("the forgotten word is in %v", left)
	}
	now = now.Add(time.Second)
	if again := backUp(true); again == path {
		t.Errorf("the new backup has the old name %s", again)
	}
}
