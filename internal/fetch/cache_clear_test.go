package fetch

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func someEntry(body string) *entry {
	now := time.Now()
	return &entry{body: []byte(body), retrieved: now, checked: now, used: now, maxAge: noMaxAge}
}

// What a process had queued before another one cleared the cache is not written after
// it, neither an answer nor the name of a public host; what comes later is.
func TestClearHoldsForOtherProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache.db")
	a, b := openCache(t, path, CacheConfig{}), openCache(t, path, CacheConfig{})
	b.writing.Lock() // its writes wait
	for _, name := range []string{"first", "second"} {
		b.put(newCacheKey(name), someEntry("zanzibarquux "+name), true)
	}
	written := make(chan bool, 1)
	if !b.queueHostUpdate("clinic.example:443", func() hostUpdate { return hostUpdate{open: true} }, func(ok bool) { written <- ok }) {
		t.Fatal("the update was not queued")
	}
	if !b.queueHostUpdate("api.example:443", func() hostUpdate { return hostUpdate{spent: 1} }, func(bool) {}) {
		t.Fatal("the update was not queued")
	}
	a.put(newCacheKey("own"), someEntry("zanzibarquux own"), true)
	a.flush()
	if err := a.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.writing.Unlock()
	b.flush()
	if !<-written {
		t.Error("the visit is kept to be written later")
	}
	if _, ok := b.get(t.Context(), newCacheKey("first")); ok || len(holding(t, filepath.Dir(path), "zanzibarquux"))+len(holding(t, filepath.Dir(path), "clinic.example")) > 0 {
		t.Error("a write that was queued before Clear was done after it")
	}
	if hosts, err := a.Hosts(t.Context()); err != nil || len(hosts) != 1 || hosts[0].Host != "api.example:443" {
		t.Errorf("hosts %+v, %v, want the configured one", hosts, err)
	}
	b.put(newCacheKey("later"), someEntry("later"), true)
	b.flush()
	if _, ok := a.get(t.Context(), newCacheKey("later")); !ok {
		t.Error("a later answer is not stored")
	}
}

// GiveUp returns the space to the disk, and nothing is stored for a while.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cache.db")
	c, other := openCache(t, path, CacheConfig{}), openCache(t, path, CacheConfig{})
	for i := range 20 {
		c.put(newCacheKey("k", string(rune('a'+i))), someEntry(string(make([]byte, 100<<10))), true)
		c.flush()
	}
	if err := c.GiveUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for _, end := range []string{"", "-wal"} {
		if info, err := os.Stat(path + end); err == nil {
			size += info.Size()
		}
	}
	if size > 128<<10 {
		t.Errorf("%d bytes are left of 2 MB", size)
	}
	c.put(newCacheKey("next"), someEntry("next"), true)
	c.flush()
	if _, ok := c.get(t.Context(), newCacheKey("next")); ok {
		t.Error("an answer is stored while the disk is full")
	}
	for range 2 { // by the first it learns that the cache was emptied
		other.put(newCacheKey("other"), someEntry("other"), true)
		other.flush()
	}
	if _, ok := other.get(t.Context(), newCacheKey("other")); !ok {
		t.Error("another process cannot use the cache any more")
	}
}
