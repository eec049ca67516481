package fetch

import (
	"bytes"
	"context"
	"time"
)

// put stores an entry; whole is false if only its times have changed.
func (c *Cache) put(key cacheKey, e *entry, whole bool) {
	size := int64(len(e.body))
	if size > c.cfg.MaxBytes/biggestShare {
		c.drop(key)
		return
	}
	kept, times := *e, c.times.Load()
	kept.body = bytes.Clone(e.body)
	it := &pendingWrite{entry: &kept}
	c.mu.Lock()
	if time.Now().Before(c.fullUntil) {
		c.mu.Unlock()
		return
	}
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
			return writeEntry(ctx, c.db, key, &kept, c.cfg.MaxBytes, c.now(), times)
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
	if c.closed || c.damaged || c.removed {
		return false
	}
	epoch := c.epoch
	op := func(ctx context.Context) {
		c.mu.Lock()
		current := epoch == c.epoch
		c.mu.Unlock()
		if current {
			bounded, cancel := context.WithTimeout(ctx, cacheWriteWait)
			err := write(bounded)
			cancel()
			if err != nil {
				c.failed(ctx, doing, err)
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
