package postgres

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// How often a process looks for messages, all of its followers at once: while it is notified
// of them, and while it is not, for those who wait and for those who are idle. One who has
// just come is looked for soon, since its message may have come before; most calls are over
// by then.
const (
	lookNotified = 2 * time.Second
	lookDeaf     = 150 * time.Millisecond
	lookIdle     = time.Second
	lookFirst    = 100 * time.Millisecond
	lookWithin   = 5 * time.Second
	// lookPause is the shortest pause between two looks: anybody may notify.
	lookPause = 20 * time.Millisecond
)

// passedOn is a message that waits.
type passedOn struct {
	id      string
	message []byte
}

// follower is who follows a box.
type follower struct {
	tenant, box string
	idle        bool
	found       chan []passedOn // has capacity 1: who is busy gets them later
}

// Follow implements contract.Bus.
func (b *Bus) Follow(of contract.Box, idle bool, accept func(message []byte) bool) (stop func()) {
	b.start()
	f := &follower{tenant: of.Tenant, box: nameOf(of), idle: idle, found: make(chan []passedOn, 1)}
	b.mu.Lock()
	b.followers[f], b.fresh = true, true
	b.mu.Unlock()
	b.look()
	ctx, cancel := context.WithCancel(b.m.ctx)
	var working sync.WaitGroup
	working.Go(func() {
		var taken map[string]bool
		for {
			select {
			case <-ctx.Done():
				return
			case found := <-f.found:
				taken = b.offer(ctx, f, found, taken, accept)
			}
		}
	})
	return func() {
		b.mu.Lock()
		delete(b.followers, f)
		b.mu.Unlock()
		cancel()
		working.Wait()
	}
}

// offer removes what is accepted, and returns its ids. What was taken before is not offered a
// second time: it could not be removed, or was read before it was. What is found is read later
// each time, so that what it does not have any more is gone for good.
func (b *Bus) offer(ctx context.Context, f *follower, found []passedOn, before map[string]bool, accept func(message []byte) bool) (taken map[string]bool) {
	taken = map[string]bool{}
	for _, m := range found {
		if before[m.id] || ctx.Err() == nil && accept(m.message) {
			taken[m.id] = true
		}
	}
	if len(taken) == 0 {
		return taken
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
	defer cancel()
	err := b.as(ctx, f.tenant, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "delete from "+b.table+" where tenant = $1 and box = $2 and id = any($3)", f.tenant, f.box, slices.Collect(maps.Keys(taken)))
		return err
	})
	if err != nil {
		b.m.log.Debug("messages that were passed on are not removed", "err", b.m.server.explain(err))
	}
	return taken
}

// start begins what is done in the background.
func (b *Bus) start() {
	b.starting.Do(func() {
		b.m.background.Go(b.listenAlways)
		b.m.background.Go(b.lookAlways)
	})
}

// look lets lookAlways see what there is to do.
func (b *Bus) look() {
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// far is when nobody follows anything.
const far = time.Hour

func (b *Bus) lookAlways() {
	last := time.Now() // or when a look would have been for the next one to be when it is
	next := last.Add(far)
	timer := time.NewTimer(far)
	defer timer.Stop()
	failing := false
	for {
		timer.Reset(max(0, time.Until(next)))
		select {
		case <-b.m.ctx.Done():
			return
		case <-b.kick:
		case <-timer.C:
		}
		dirty, fresh, pause := b.due()
		next = last.Add(pause)
		if now := time.Now(); fresh && (next.Before(now) || next.After(now.Add(lookFirst))) {
			next = now.Add(lookFirst)
			last = next.Add(-pause)
		}
		all := !time.Now().Before(next)
		if !all && len(dirty) == 0 {
			continue
		}
		err := b.lookFor(dirty, all)
		if all {
			last = time.Now()
			next = last.Add(pause)
		}
		if (err != nil) != failing && b.m.ctx.Err() == nil {
			if failing = err != nil; failing {
				b.m.log.Warn("messages of other servers cannot be read; it is tried again", "err", b.m.server.explain(err))
			}
		}
		select {
		case <-b.m.ctx.Done():
			return
		case <-time.After(lookPause):
		}
	}
}

// due returns the tenants that somebody was notified of, whether somebody has begun to
// follow, and how long is waited between two looks for everybody.
func (b *Bus) due() (dirty map[string]bool, fresh bool, pause time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dirty, fresh = b.dirty, b.fresh
	b.dirty, b.fresh = map[string]bool{}, false
	if len(b.followers) == 0 {
		return dirty, false, far
	}
	if b.hears.Load() {
		return dirty, fresh, lookNotified
	}
	for f := range b.followers {
		if !f.idle {
			return dirty, fresh, lookDeaf
		}
	}
	return dirty, fresh, lookIdle
}

// lookFor gives followers the messages that wait: those of some tenants, or all of them.
func (b *Bus) lookFor(tenants map[string]bool, all bool) error {
	wanted := map[string]map[string][]*follower{} // by tenant and box
	b.mu.Lock()
	for f := range b.followers {
		if !all && !tenants[f.tenant] {
			continue
		}
		if wanted[f.tenant] == nil {
			wanted[f.tenant] = map[string][]*follower{}
		}
		wanted[f.tenant][f.box] = append(wanted[f.tenant][f.box], f)
	}
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.m.ctx, lookWithin)
	defer cancel()
	var failed error
	for tenant, boxes := range wanted {
		found, err := b.waiting(ctx, tenant, slices.Collect(maps.Keys(boxes)))
		if err != nil {
			failed = err
		}
		for box, messages := range found {
			for _, f := range boxes[box] {
				select {
				case f.found <- messages:
				default:
				}
			}
		}
	}
	return failed
}

// waiting returns the messages in boxes of a tenant, the oldest first.
func (b *Bus) waiting(ctx context.Context, tenant string, boxes []string) (map[string][]passedOn, error) {
	found := map[string][]passedOn{}
	batch := &pgx.Batch{} // one way to the server and back: a batch is a transaction
	batch.Queue("select set_config('"+tenantSetting+"', $1, true)", tenant)
	batch.Queue("select box, id, message from "+b.table+" where tenant = $1 and box = any($2) and at > clock_timestamp() - $3::interval order by at, id", tenant, boxes, contract.BusKept).
		Query(func(rows pgx.Rows) error {
			var box string
			var m passedOn
			_, err := pgx.ForEachRow(rows, []any{&box, &m.id, &m.message}, func() error {
				found[box] = append(found[box], passedOn{m.id, bytes.Clone(m.message)})
				return nil
			})
			return err
		})
	return found, b.m.pool.SendBatch(ctx, batch).Close()
}
