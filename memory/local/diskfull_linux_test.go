package local

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// smallDisk returns a folder on a separate file system of a few megabytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a full disk needs root and the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill fills the disk up to free bytes; removing the returned file frees the
// space.
func fill(t *testing.T, dir string, free int64) string {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "filler")
	size := int64(st.Bavail)*st.Bsize - free //nolint:gosec // a few megabytes
	write(t, path, make([]byte, max(0, size)))
	return path
}

func wantFull(t *testing.T, did string, err error) {
	t.Helper()
	var p *evidence.Problem
	if !errors.As(err, &p) || p.Usage || p.Try == "" || !strings.Contains(p.What, "full") {
		t.Errorf("%s on a full disk = %v, want a problem that says so", did, err)
	}
}

func randomText(seed uint64, words int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	var b strings.Builder
	for range words {
		fmt.Fprintf(&b, "w%d ", r.IntN(1<<40))
	}
	return b.String()
}

// A write on a full disk fails with a Problem; the memory stays intact and
// readable, and works again when there is space.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "8m")
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	keep(t, l, textDoc(2, randomText(2, 10_000)))
	lines := strings.Join(exported(t, func() *Local { // an import that does not fit
		other := openIn(t, t.TempDir())
		keep(t, other, textDoc(1001, randomText(7, 25_000)))
		return other
	}()), "")
	if err := l.truncateWAL(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !l.releaseReserve() { // TestForgetOnAFullDisk has it
		t.Error("there was no reserve")
	}
	filler := fill(t, dir, 64<<10)

	_, err := l.Put(t.Context(), textDoc(3, randomText(3, 25_000)), evidence.Chunks{})
	wantFull(t, "Put", err)
	_, err = l.Backup(t.Context(), filepath.Join(dir, "copy.db"))
	wantFull(t, "Backup", err)
	_, err = l.Import(t.Context(), strings.NewReader(lines), contract.ImportOptions{})
	wantFull(t, "Import", err)
	f, err := os.Create(filepath.Join(dir, "export.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Export(t.Context(), f, contract.ExportOptions{})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Export on a full disk = %v", err)
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")); len(left) > 0 {
		t.Errorf("a failed backup left %q", left)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	filler = fill(t, dir, 0)
	_, err = l.Forget(t.Context(), contract.Selector{URL: "https://x.test/2"})
	wantFull(t, "Forget", err)

	if got, ok, err := l.Document(t.Context(), textDoc(1, secret).ID); err != nil || !ok || got.Text != secret {
		t.Errorf("the memory is not readable on a full disk: %v", err)
	}
	if r, err := l.Recall(t.Context(), evidence.RecallQuery{Text: "zanzibarquux"}); err != nil || len(r.Hits) != 1 {
		t.Errorf("Recall on a full disk = %d hits, %v", len(r.Hits), err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if rep, err := l.Check(t.Context()); err != nil || !rep.OK || rep.Documents != 2 {
		t.Errorf("Check = %+v, %v", rep, err)
	}
	keep(t, l, textDoc(4, "There is space again."))
	if r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/1"}); err != nil || r.Documents != 1 || len(r.Warnings) > 0 {
		t.Errorf("Forget = %+v, %v", r, err)
	}
	if _, err := l.Backup(t.Context(), filepath.Join(dir, "copy.db")); err != nil {
		t.Errorf("Backup = %v", err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
}

// If the disk is full between the removal of the rows and that of the bytes, a
// warning says what remains, and a later Forget completes it.
func TestFullDiskWhileErasing(t *testing.T) {
	dir := smallDisk(t, "8m")
	l := openIn(t, dir)
	keep(t, l, textDoc(1, secret))
	keep(t, l, textDoc(2, randomText(2, 10_000)))
	f, err := l.forgetRows(t.Context(), contract.Selector{URL: "https://x.test/1"})
	if err != nil || f.receipt.Documents != 1 {
		t.Fatal(err)
	}
	filler := fill(t, dir, 0)
	notes := l.finishErasure(t.Context(), nil) // has to rewrite the file
	if len(notes) != 1 || !strings.Contains(notes[0], "full") || !strings.Contains(notes[0], "tries again") {
		t.Errorf("the notes are %q", notes)
	}
	if due, err := pendingErasures(t.Context(), l.rdb, l.now().UnixMicro()); err != nil || len(due) != 1 {
		t.Errorf("%d removals are due, %v", len(due), err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/1"}); err != nil || len(r.Warnings) > 0 {
		t.Errorf("Forget = %+v, %v", r, err)
	}
	if left := holding(t, dir, "zanzibarquux"); len(left) > 0 {
		t.Errorf("it is still in %q", left)
	}
	if rep, err := l.Check(t.Context()); err != nil || !rep.OK || rep.Documents != 1 {
		t.Errorf("Check = %+v, %v", rep, err)
	}
}

// On a full disk the reserve makes room to forget, and forgetting makes room to
// store again.
func TestForgetOnAFullDisk(t *testing.T) {
	for _, size := range []string{"3m", "8m"} {
		t.Run(size, func(t *testing.T) {
			dir := smallDisk(t, size)
			l := openIn(t, dir)
			kept, i := 0, 0
			for ; i < 2000; i++ {
				if _, err := l.Put(t.Context(), textDoc(i, randomText(uint64(i), 2000)), evidence.Chunks{}); err != nil {
					wantFull(t, "Put", err)
					break
				}
				kept++
			}
			if kept < 5 || i == 2000 {
				t.Fatalf("%d documents fill %s", kept, size)
			}
			fill(t, dir, 0)
			r, err := l.Forget(t.Context(), contract.Selector{URL: "https://x.test/1"})
			if err != nil || r.Documents != 1 || r.Remaining != kept-1 {
				t.Fatalf("Forget = %+v, %v", r, err)
			}
			if size == "3m" { // its reserve has room for a few documents
				return
			}
			var half []string
			for i := 2; i < kept/2+2; i++ {
				half = append(half, textDoc(i, randomText(uint64(i), 2000)).ID)
			}
			if r, err := l.Forget(t.Context(), contract.Selector{IDs: half, Confirm: true}); err != nil || r.Documents != len(half) {
				t.Fatalf("Forget of half = %+v, %v", r, err)
			}
			if _, err := l.Put(t.Context(), textDoc(9999, "A small text."), evidence.Chunks{}); err != nil {
				t.Errorf("Put afterwards = %v", err)
			}
			if c, err := l.Check(t.Context()); err != nil || !c.OK && !strings.Contains(strings.Join(c.Problems, " "), "interrupted") {
				t.Errorf("Check = %+v, %v", c, err)
			}
		})
	}
}
