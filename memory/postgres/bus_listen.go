package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// busChannel is where every process notifies the others. A notice is one of these letters
// and the mark of a tenant, which tells nobody its name.
const (
	busChannel    = "research_mcp"
	noticeMessage = "m" // a message waits for a session of the tenant
	noticeChange  = "c" // something was stored for the tenant
	noticeTest    = "t" // and a word, instead of the mark: does the listener hear?
)

const (
	// testEvery is how often a process notifies itself, and testWithin how long that may
	// take: a pooler may have given the connection that listens to somebody else, or a
	// network may have lost it without a word.
	testEvery  = 20 * time.Second
	testWithin = 5 * time.Second
	// listenAgain is the pause before the next attempt to listen; it grows to listenRarely.
	listenAgain  = 500 * time.Millisecond
	listenRarely = 30 * time.Second
)

// markOf is how notices name a tenant.
func markOf(schema, tenant string) string {
	return strconv.FormatUint(uint64(lockKey(schema, tenant, "notice")), 16) //nolint:gosec // bits, not a number
}

// Changed implements contract.Bus.
func (b *Bus) Changed(tenant string) <-chan struct{} {
	b.start()
	mark := markOf(b.m.server.schema, tenant)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.changed[mark] == nil {
		b.changed[mark] = make(chan struct{})
	}
	return b.changed[mark]
}

// listenAlways listens on a connection of its own, and on another one when that is lost.
func (b *Bus) listenAlways() {
	pause := listenAgain
	for {
		heard, err := b.listen(b.m.ctx)
		b.hears.Store(false)
		b.look() // it looks more often now
		if b.m.ctx.Err() != nil {
			return
		}
		if heard {
			pause = listenAgain
		}
		b.m.log.Debug("no notifications of the database are heard; it is looked at instead", "err", b.m.server.explain(err))
		select {
		case <-b.m.ctx.Done():
			return
		case <-time.After(pause):
			pause = min(2*pause, listenRarely)
		}
	}
}

var errDeaf = errors.New("a notification of our own did not arrive: is there a pooler of transactions?")

// listen returns when nothing more can be heard. heard reports whether anything was.
func (b *Bus) listen(ctx context.Context) (heard bool, err error) {
	cfg := b.m.pool.Config().ConnConfig
	cfg.DialFunc = b.m.lines.dialToListen
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return false, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(ctx) // nothing is lost by it
	}()
	if _, err := conn.Exec(ctx, "listen "+busChannel); err != nil {
		return false, err
	}
	for {
		word := mint("")
		if err := b.test(ctx, word); err != nil {
			return heard, err
		}
		if err := b.hear(ctx, conn, word, testWithin); err != nil {
			return heard, err
		}
		if !heard { // before that, anything may have been missed
			heard = true
			b.hears.Store(true)
			b.wakeAll()
		}
		if err := b.hear(ctx, conn, "", testEvery); err != nil {
			return heard, err
		}
	}
}

// test notifies ourselves, by another connection.
func (b *Bus) test(ctx context.Context, word string) error {
	ctx, cancel := context.WithTimeout(ctx, testWithin)
	defer cancel()
	_, err := b.m.pool.Exec(ctx, "select set_config('synchronous_commit', 'off', true), pg_notify($1, $2)", busChannel, noticeTest+word)
	return err
}

// hear passes notices on until word comes, or for a time.
func (b *Bus) hear(ctx context.Context, conn *pgx.Conn, word string, most time.Duration) error {
	within, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(within)
		switch {
		case err != nil && ctx.Err() == nil && within.Err() != nil && !conn.IsClosed():
			if word != "" {
				return errDeaf
			}
			return nil
		case err != nil:
			return fmt.Errorf("listening: %w", err)
		case b.deaf.Load():
		case word != "" && n.Payload == noticeTest+word:
			return nil
		default:
			b.notice(n)
		}
	}
}

// notice lets those look whom it concerns.
func (b *Bus) notice(n *pgconn.Notification) {
	if mark, ok := strings.CutPrefix(n.Payload, noticeChange); ok {
		b.mu.Lock()
		b.wake(mark)
		b.mu.Unlock()
	}
	mark, ok := strings.CutPrefix(n.Payload, noticeMessage)
	if !ok {
		return
	}
	b.mu.Lock()
	found := false
	for f := range b.followers {
		if !b.dirty[f.tenant] && markOf(b.m.server.schema, f.tenant) == mark {
			b.dirty[f.tenant], found = true, true
		}
	}
	b.mu.Unlock()
	if found {
		b.look()
	}
}

// wake tells who waits for changes of a tenant; b.mu is held.
func (b *Bus) wake(mark string) {
	if c := b.changed[mark]; c != nil {
		close(c)
		delete(b.changed, mark)
	}
}

func (b *Bus) wakeAll() {
	b.mu.Lock()
	for mark := range b.changed {
		b.wake(mark)
	}
	for f := range b.followers {
		b.dirty[f.tenant] = true
	}
	b.mu.Unlock()
	b.look()
}
