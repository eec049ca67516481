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

	ops     chan func(context.Context)
	stop    context.CancelFunc // cancels the write in progress
	stopped chan struct{}

	writing sync.Mutex // held for each write, and by Clear

	mu      sync.Mutex
	pending map[cacheKey]*pendingWrite // not yet in the file
	bytes   int64                      // of pending bodies
	epoch   int                        // incremented by Clear; writes of an earlier epoch are not done
	closed  bool
	damaged bool
	warned  time.Time

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
	usable := !c.closed && !c.damaged
	c.mu.Unlock()
	if !usable {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, cacheReadWait)
	defer cancel()
	e, err := readEntry(ctx, c.db, key)
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

// put stores an entry; whole is false if only its times have changed.
func (c *Cache) put(key cacheKey, e *entry, whole bool) {
	size := int64(len(e.body))
	if size > c.cfg.MaxBytes/biggestShare {
		c.drop(key)
		return
	}
	kept := *e
	kept.body = bytes.Clone(e.body)
	it := &pendingWrite{entry: &kept}
	c.mu.Lock()
	old := c.pending[key]
	if old != nil {
		c.bytes -= old.size()
		whole = true // the pending entry may never have been written
		if old.entry != nil {
			delete(c.pending, key)
		}
	}
	if c.bytes+size > maxPendingBytes {
		c.mu.Unlock()
		c.cfg.Logger.Debug("a response is not stored: too many are pending")
		return
	}
	c.pending[key] = it
	c.bytes += size
	c.mu.Unlock()
	queued := c.enqueue("writing", func(ctx context.Context) error {
		if whole {
			return writeEntry(ctx, c.db, key, &kept, c.cfg.MaxBytes, c.now())
		}
		return confirmEntry(ctx, c.db, key, &kept)
	}, func() { c.finishWrite(key, it) })
	if !queued {
		c.finishWrite(key, it)
		if old != nil && old.entry == nil {
			c.keepDrop(key, old, false) // the removal is still pending
		}
	}
}

// finishWrite removes a pending write.
func (c *Cache) finishWrite(key cacheKey, it *pendingWrite) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending[key] == it {
		delete(c.pending, key)
		c.bytes -= it.size()
	}
}

// touch records that an entry was used.
func (c *Cache) touch(key cacheKey, e *entry) {
	now := c.now()
	if now.Sub(e.used) < touchAfter {
		return
	}
	c.enqueue("marking", func(ctx context.Context) error { return touchEntry(ctx, c.db, key, now) }, nil)
}

// drop removes an entry.
func (c *Cache) drop(key cacheKey) {
	it := &pendingWrite{}
	c.mu.Lock()
	if old := c.pending[key]; old != nil {
		c.bytes -= old.size()
	}
	c.pending[key] = it
	c.mu.Unlock()
	removed := false
	queued := c.enqueue("removing", func(ctx context.Context) error {
		err := dropEntry(ctx, c.db, key)
		removed = err == nil
		return err
	}, func() {
		if removed {
			c.finishWrite(key, it)
		} else {
			c.keepDrop(key, it, true)
		}
	})
	if !queued {
		c.keepDrop(key, it, true)
	}
}

// keepDrop keeps a removal that failed pending, so that a useless response does
// not come back. present is whether it must still be pending.
func (c *Cache) keepDrop(key cacheKey, it *pendingWrite, present bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.pending[key]; present && now != it || !present && now != nil {
		return // another write replaced it, or the cache was cleared
	}
	it.undone = !c.damaged && len(c.pending) < maxPendingOps+maxPendingDrops
	if it.undone {
		c.pending[key] = it
	} else {
		delete(c.pending, key)
	}
}

// retryDrops retries removals that failed, until one fails again.
func (c *Cache) retryDrops(ctx context.Context) {
	for {
		var key cacheKey
		var it *pendingWrite
		c.mu.Lock()
		for k, w := range c.pending {
			if w.undone {
				key, it = k, w
				break
			}
		}
		c.mu.Unlock()
		if it == nil {
			return
		}
		bounded, cancel := context.WithTimeout(ctx, cacheWriteWait)
		err := dropEntry(bounded, c.db, key)
		cancel()
		if err != nil {
			return
		}
		c.finishWrite(key, it)
	}
}

// enqueue queues a write; done, if not nil, is called after it. It returns
// false if the queue is full.
func (c *Cache) enqueue(doing string, write func(context.Context) error, done func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.damaged {
		return false
	}
	epoch := c.epoch
	op := func(ctx context.Context) {
		c.mu.Lock()
		current := epoch == c.epoch
		c.mu.Unlock()
		if current {
			ctx, cancel := context.WithTimeout(ctx, cacheWriteWait)
			err := write(ctx)
			cancel()
			if err != nil {
				c.mu.Lock()
				c.logFailure(doing, err)
				c.mu.Unlock()
			}
		}
		if done != nil {
			done()
		}
	}
	select {
	case c.ops <- op:
		return true
	default:
		return false
	}
}

// logFailure logs a failure. The caller holds c.mu.
func (c *Cache) logFailure(doing string, err error) {
	if isDamage(err) {
		c.damaged = true
	}
	if now := time.Now(); now.Sub(c.warned) >= warnEvery {
		c.warned = now
		c.cfg.Logger.Warn("the response cache cannot be used now; requests continue without it", "doing", doing, "err", err)
	}
}

// Clear removes every response, so that no byte of a body remains in the file
// or its logs, and the public hosts, whose names say what was read. Configured
// hosts stay: their rows have no content, and a backoff still holds. Responses
// that other processes are about to write are not prevented.
func (c *Cache) Clear(ctx context.Context) error {
	c.mu.Lock()
	c.epoch++
	clear(c.pending)
	c.bytes = 0
	c.mu.Unlock()
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := wipeStore(ctx, c.db); err != nil {
		return fmt.Errorf("clearing the cache: %w", err)
	}
	return nil
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
