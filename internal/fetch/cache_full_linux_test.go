package fetch

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// On a full disk the cache is emptied, so that others can write, even where there is
// no room to say what is free; and it can still be cleared.
func TestGiveUpOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("NOT RUN: a full disk needs root and the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	path := filepath.Join(dir, "cache.db")
	c := openCache(t, path, CacheConfig{})
	for i := range 60 { // more than there is room for
		c.put(newCacheKey(fmt.Sprint(i)), someEntry(string(make([]byte, 100<<10))), true)
		c.flush()
	}
	c.mu.Lock()
	emptied := !c.fullUntil.IsZero()
	c.mu.Unlock()
	if !emptied {
		t.Error("the cache filled the disk and was not emptied")
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if free := int64(st.Bavail) * st.Bsize; free < 3<<20 {
		t.Errorf("%d bytes are free, want most of the disk", free)
	}
	if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 8<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk = %v", err)
	}
	if err := c.GiveUp(t.Context()); err != nil {
		t.Errorf("GiveUp without any room = %v", err)
	}
	if err := c.Clear(t.Context()); err != nil {
		t.Errorf("Clear without any room = %v", err)
	}
	if _, ok := c.get(t.Context(), newCacheKey("1")); ok {
		t.Error("an answer is left")
	}
}
