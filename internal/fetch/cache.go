package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultCacheBytes is the default of CacheConfig.MaxBytes.
const DefaultCacheBytes = 256 << 20

const (
	cacheReadWait   = 250 * time.Millisecond // a busy cache is skipped
	cacheWriteWait  = 5 * time.Second        // in the background
	cacheClearWait  = 10 * time.Second
	maxPendingBytes = 16 << 20    // of responses that wait to be written; further ones are not stored
	maxPendingOps   = 256         // writes that may wait
	maxPendingDrops = 1024        // removals that failed and are retried
	touchAfter      = time.Minute // uses within it count once
	warnEvery       = time.Minute // a broken disk is logged once in this time
	biggestShare    = 4           // a response larger than a quarter of the cache is not stored
	unusedFor       = 30 * 24 * time.Hour
)

// CacheConfig configures a Cache. Its zero value is usable.
type CacheConfig struct {
	MaxBytes int64            // of all responses; 0: DefaultCacheBytes
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger
}

// Cache stores successful responses in a SQLite file that any number of
// processes may share. It only saves work: its failures are logged and never
// fail a request, and a damaged file is replaced by an empty one. Writes are
// asynchronous. It is safe for concurrent use.
type Cache struct {
	cfg  CacheConfig
	path string
	db   *sql.DB

	reader atomic.Pointer[sql.Stmt] // of selectEntry; nil before the first use
	times  atomic.Int64             // how often any process has cleared it, as far as this one knows

	ops     chan func(context.Context)
	stop    context.CancelFunc // cancels the write in progress
	stopped chan struct{}

	writing sync.Mutex // held for each write, and by Clear and GiveUp

	mu      sync.Mutex
	pending map[cacheKey]*pendingWrite // not yet in the file
	bytes   int64                      // of pending bodies
	epoch   int                        // incremented by Clear; writes of an earlier epoch are not done
	closed  bool
	damaged bool
	removed bool // the file is gone, because the disk was full
	warned  time.Time

	fullUntil time.Time // nothing is stored before

	hostsAfter time.Time // hosts are not read before it

	hits   int64
	misses int64
}

type pendingWrite struct {
	entry  *entry // nil: a removal
	undone bool   // the removal failed; it is retried after the next write
}

func (w *pendingWrite) size() int64 {
	if w.entry == nil {
		return 0
	}
	return int64(len(w.entry.body))
}

// cacheKey is a hash of a request, so that no URL, which may hold a key, is
// written.
type cacheKey [sha256.Size]byte

func newCacheKey(parts ...string) cacheKey {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d\n%s\n", len(p), p)
	}
	return cacheKey(h.Sum(nil))
}

// CacheStats describes a cache and how often this process used it.
type CacheStats struct {
	Entries  int   `json:"entries"`
	Bytes    int64 `json:"bytes"` // of responses
	MaxBytes int64 `json:"max_bytes"`
	Hits     int64 `json:"hits"`   // found, fresh or not
	Misses   int64 `json:"misses"` // not found
}

// OpenCache opens or creates the cache at path. A file that is damaged or not a
// cache is replaced; the error is one of the folder or of ctx. Close it.
func OpenCache(ctx context.Context, path string, cfg CacheConfig) (*Cache, error) {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = DefaultCacheBytes
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	db, err := openStore(ctx, path, cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	c := &Cache{
		cfg: cfg, path: path, db: db, pending: map[cacheKey]*pendingWrite{},
		ops: make(chan func(context.Context), maxPendingOps), stopped: make(chan struct{}),
	}
	times, err := timesCleared(ctx, db)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the cache: %w", err), db.Close())
	}
	c.times.Store(times)
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go func() {
		defer close(c.stopped)
		for op := range c.ops {
			c.writing.Lock()
			op(work)
			c.retryDrops(work)
			c.writing.Unlock()
		}
	}()
	return c, nil
}

func (c *Cache) now() time.Time { return c.cfg.Now() }

// get returns an entry, fresh or not.
func (c *Cache) get(ctx context.Context, key cacheKey) (*entry, bool) {
	c.mu.Lock()
	if it := c.pending[key]; it != nil && it.entry == nil {
		c.misses++
		c.mu.Unlock()
		return nil, false
	} else if it != nil {
		c.hits++
		c.mu.Unlock()
		found := *it.entry
		found.body = bytes.Clone(found.body)
		return &found, true
	}
	usable := !c.closed && !c.damaged && !c.removed
	c.mu.Unlock()
	if !usable {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, cacheReadWait)
	defer cancel()
	e, err := c.read(ctx, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.hits++
		return e, true
	}
	c.misses++
	if !errors.Is(err, sql.ErrNoRows) && !errors.Is(err, context.Canceled) {
		c.logFailure("reading", err)
	}
	return nil, false
}

// read reads an entry from the file. The statement is compiled once, which takes as
// long as a look-up; the end of the database closes it.
func (c *Cache) read(ctx context.Context, key cacheKey) (*entry, error) {
	stmt := c.reader.Load()
	if stmt == nil {
		var err error
		if stmt, err = c.db.PrepareContext(ctx, selectEntry); err != nil {
			return nil, err
		}
		if !c.reader.CompareAndSwap(nil, stmt) {
			defer stmt.Close() //nolint:errcheck // another call was first
		}
	}
	return readEntry(ctx, stmt, key)
}

// Stats returns the statistics. Pending writes are not counted.
func (c *Cache) Stats(ctx context.Context) (CacheStats, error) {
	c.mu.Lock()
	s := CacheStats{MaxBytes: c.cfg.MaxBytes, Hits: c.hits, Misses: c.misses}
	c.mu.Unlock()
	err := c.db.QueryRowContext(ctx, "SELECT count(*), coalesce(sum(size), 0) FROM entries").Scan(&s.Entries, &s.Bytes)
	if err != nil {
		return s, fmt.Errorf("reading the cache's statistics: %w", err)
	}
	return s, nil
}

// Close finishes pending writes, for two seconds at most, and closes the file.
// It may be called more than once.
func (c *Cache) Close() error {
	c.mu.Lock()
	first := !c.closed
	c.closed = true
	if first {
		close(c.ops)
	}
	c.mu.Unlock()
	if first {
		timer := time.AfterFunc(closeWait, c.stop)
		defer timer.Stop()
	}
	<-c.stopped
	c.stop()
	err := c.db.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if first && c.damaged {
		removeStore(c.path)
	}
	return err
}

// closeWait bounds the writes in Close.
const closeWait = 2 * time.Second
