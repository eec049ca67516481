package fetch

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	t.Parallel()
	clock := newTicker()
	c := openCache(t, filepath.Join(t.TempDir(), "cache.db"), CacheConfig{MaxBytes: 100 << 10, Now: clock.now})
	put := func(name string, size int) {
		clock.add(2 * time.Minute)
		now := clock.now()
		c.put(newCacheKey(name), &entry{body: make([]byte, size), retrieved: now, checked: now, used: now, maxAge: noMaxAge}, true)
		c.flush()
	}
	has := func(name string) bool {
		e, ok := c.get(t.Context(), newCacheKey(name))
		if ok {
			clock.add(2 * time.Minute)
			c.touch(newCacheKey(name), e)
			c.flush()
		}
		return ok
	}
	for i := range 4 {
		put(fmt.Sprint(i), 22<<10)
	}
	if !has("0") { // now 1 is the oldest
		t.Fatal("0 is gone too early")
	}
	put("4", 22<<10)
	got := map[string]bool{}
	for i := range 5 {
		got[fmt.Sprint(i)] = has(fmt.Sprint(i))
	}
	want := map[string]bool{"0": true, "1": false, "2": true, "3": true, "4": true} // down to nine tenths
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	put("huge", 30<<10)
	if has("huge") {
		t.Error("an answer of more than a quarter is kept")
	}
	s, err := c.Stats(t.Context())
	if err != nil || s.Bytes > 90<<10 || s.Entries != 4 {
		t.Errorf("Stats = %+v, %v", s, err)
	}
	clock.add(unusedFor + time.Hour)
	put("new", 10)
	if s, err := c.Stats(t.Context()); err != nil || s.Entries != 1 {
		t.Errorf("after a month: %+v, %v, want the new one alone", s, err)
	}
}

func TestClearLeavesNoBytes(t *testing.T) {
	t.Parallel()
	const marker = "MARKER-4f1c-of-a-private-page"
	x := newCached(t, time.Hour, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, strings.Repeat(marker+" ", 3000))
	})
	second := openCache(t, x.path, CacheConfig{Now: x.clock.now})
	for i := range 20 {
		x.get(t, fmt.Sprintf("/%d", i))
	}
	x.cache.flush()
	if s, err := second.Stats(t.Context()); err != nil || s.Entries != 20 {
		t.Fatalf("Stats of the second handle = %+v, %v", s, err)
	}
	if places := holding(t, filepath.Dir(x.path), marker); len(places) == 0 {
		t.Fatal("the marker is nowhere before Clear: the search is broken")
	}
	x.get(t, "/waits-to-be-written")
	if err := x.cache.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	x.cache.flush()
	if places := holding(t, filepath.Dir(x.path), marker); len(places) > 0 {
		t.Errorf("the marker is still in %q", places)
	}
	if s, err := second.Stats(t.Context()); err != nil || s.Entries != 0 {
		t.Errorf("Stats of the second handle = %+v, %v, want nothing", s, err)
	}
	x.get(t, "/again")
	x.cache.flush()
	if s, err := second.Stats(t.Context()); err != nil || s.Entries != 1 {
		t.Errorf("after Clear: %+v, %v, want that it works on", s, err)
	}
}

// holding are the files of a folder that hold the bytes.
func holding(t *testing.T, dir, marker string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(marker)) {
			found = append(found, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestUnusableCacheFileIsReplaced(t *testing.T) {
	t.Parallel()
	foreign := func(t *testing.T, path string) {
		db, err := sql.Open("sqlite", path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec("CREATE TABLE entries (x); PRAGMA user_version = 9"); err != nil {
			t.Fatal(err)
		}
	}
	for name, make := range map[string]func(t *testing.T, path string){
		"garbage": func(t *testing.T, path string) { os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o644) },
		"foreign": foreign,
		"torn": func(t *testing.T, path string) {
			os.WriteFile(path, append([]byte("SQLite format 3\x00"), bytes.Repeat([]byte{7}, 8000)...), 0o600)
		},
		"empty": func(t *testing.T, path string) { os.WriteFile(path, nil, 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "with a space?", "cache.db")
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			make(t, path)
			c := openCache(t, path, CacheConfig{})
			c.put(newCacheKey("x"), &entry{body: []byte("y"), checked: time.Now(), used: time.Now(), retrieved: time.Now()}, true)
			c.flush()
			if s, err := c.Stats(t.Context()); err != nil || s.Entries != 1 {
				t.Errorf("Stats = %+v, %v, want a cache that works", s, err)
			}
			for _, file := range []string{path, path + "-wal"} {
				info, err := os.Stat(file)
				if err != nil {
					t.Fatal(err)
				}
				if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v, want 0600", filepath.Base(file), info.Mode())
				}
			}
		})
	}
	t.Run("a folder in its place", func(t *testing.T) {
		t.Parallel()
		if c, err := OpenCache(t.Context(), t.TempDir(), CacheConfig{}); err == nil {
			c.Close()
			t.Error("OpenCache of a folder succeeded")
		}
	})
}

func TestBrokenCacheFailsNoRequest(t *testing.T) {
	t.Parallel()
	x := newCached(t, time.Hour, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })
	x.get(t, "/")
	x.cache.flush()
	t.Run("locked", func(t *testing.T) {
		db, err := sql.Open("sqlite", x.path+"?_txlock=exclusive")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		tx, err := db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if r := x.get(t, "/other"); string(r.Body) != "hello" {
			t.Errorf("Get = %+v", r)
		}
	})
	t.Run("damaged while open", func(t *testing.T) {
		x.cache.flush()
		if _, err := x.cache.db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(x.path, bytes.Repeat([]byte("garbage "), 4096), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := x.get(t, "/"); string(r.Body) != "hello" {
			t.Errorf("Get = %+v", r)
		}
	})
	t.Run("closed", func(t *testing.T) {
		x.cache.Close()
		x.cache.Close()
		if r := x.get(t, "/"); string(r.Body) != "hello" || r.Cached {
			t.Errorf("Get = %+v", r)
		}
	})
	if n := x.calls.Load(); n < 3 {
		t.Errorf("%d requests, want one for each answer that the cache could not give", n)
	}
	again := openCache(t, x.path, CacheConfig{})
	if _, err := again.Stats(context.Background()); err != nil {
		t.Errorf("after a damage: %v", err)
	}
}

// TestFailedRemovalIsRetried has removals that find no place in the queue,
// and removals that fail. Neither lets the entry come back.
func TestFailedRemovalIsRetried(t *testing.T) {
	t.Parallel()
	full := func(t *testing.T, c *Cache, _ *sql.DB, drop func()) {
		c.writing.Lock()
		var queue sync.WaitGroup
		queue.Add(1)
		for c.enqueue("waiting", func(context.Context) error { queue.Done(); return nil }, nil) {
			queue.Add(1)
		}
		queue.Done() // the one that found no place
		drop()
		c.writing.Unlock()
		queue.Wait() // flush needs a place
	}
	fails := func(t *testing.T, c *Cache, db *sql.DB, drop func()) {
		if _, err := db.Exec("ALTER TABLE entries RENAME TO away"); err != nil {
			t.Fatal(err)
		}
		drop()
		c.flush()
		if _, err := db.Exec("ALTER TABLE away RENAME TO entries"); err != nil {
			t.Fatal(err)
		}
	}
	for name, while := range map[string]func(*testing.T, *Cache, *sql.DB, func()){"the queue is full": full, "the write fails": fails} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "cache.db")
			c := openCache(t, path, CacheConfig{})
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			key := newCacheKey("bad")
			c.put(key, &entry{body: []byte("bad"), checked: time.Now(), used: time.Now()}, true)
			c.flush()
			if _, ok := c.get(t.Context(), key); !ok {
				t.Fatal("the entry was not kept")
			}
			while(t, c, db, func() { c.drop(key) })
			if _, ok := c.get(t.Context(), key); ok {
				t.Error("the entry came back")
			}
			c.flush() // any write
			c.flush() // … after which the removal is made up for
			if s, err := c.Stats(t.Context()); err != nil || s.Entries != 0 || len(c.pending) != 0 {
				t.Errorf("%+v, %v, %d waiting: want nothing in the file", s, err, len(c.pending))
			}
			c.put(key, &entry{body: []byte("good"), checked: time.Now(), used: time.Now()}, true)
			c.flush()
			if e, ok := c.get(t.Context(), key); !ok || string(e.body) != "good" {
				t.Errorf("a new entry: %v", ok)
			}
		})
	}
}
