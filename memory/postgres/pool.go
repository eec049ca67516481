package postgres

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// nobody is the tenant of a connection outside of transactions: under row-level security it
// sees no row.
const nobody = "\x01"

// keptConns are not for transactions that may wait for others: one is for the locks of jobs, and
// one for what must not be late, such as the signs of claims and notices of changes.
const keptConns = 2

// connections are those to a database that the memories of one process share. Whose rows a
// connection sees is set by the statement that begins each transaction, and ends with it,
// however that ends: nothing of a tenant is left for the next one.
type connections struct {
	lines    *lines
	pool     *pgxpool.Pool
	standbys *standbys // nil: memory.url names one server
	jobs     *jobs
	room     chan struct{} // has room for the transactions that there may be at once
	most     int           // transactions of a memory at once, where others have some too
	users    atomic.Int32  // memories

	checking chan struct{} // has room for one keepsSessions
	keeps    bool          // it has found that sessions are kept; of who is in checking
}

func openConnections(ctx context.Context, cfg *pgxpool.Config, log *slog.Logger) (*connections, error) {
	room := max(1, int(cfg.MaxConns)-keptConns)
	c := &connections{lines: newLines(log), jobs: newJobs(), room: make(chan struct{}, room), most: max(1, min(int(cfg.MaxConns)/2, room-1)), checking: make(chan struct{}, 1)}
	cfg.ConnConfig.DialFunc = c.lines.dial
	c.standbys = newStandbys(cfg)
	var err error
	if c.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		c.lines.close()
		return nil, err
	}
	c.lines.onSilence(c.pool.Reset)
	return c, nil
}

// full reports whether a transaction would have to wait.
func (c *connections) full() bool {
	return len(c.room) == cap(c.room) || c.pool.Stat().AcquiredConns() == c.pool.Config().MaxConns
}

// Close waits for the transactions that are open, but not for a server that is silent.
func (c *connections) Close() error {
	defer c.lines.close()
	defer c.lines.closeSoon()()
	c.pool.Close()
	c.standbys.close()
	return nil
}

// connect takes the connections of cfg, which are opened if this process has none yet.
func (m *Memory) connect(ctx context.Context, cfg *pgxpool.Config) error {
	open := func() (io.Closer, error) { return openConnections(ctx, cfg, m.log) }
	it, release, err := m.cfg.Shared.Take(m.cfg.URL+"\x00"+m.server.path, open)
	if err != nil {
		return m.server.explain(err)
	}
	c := it.(*connections) //nolint:forcetypeassert // nothing else has such a key
	m.conns, m.lines, m.pool, m.standbys = c, c.lines, c.pool, c.standbys
	m.seats = make(chan struct{}, c.most)
	c.users.Add(1)
	m.release = func() error { c.users.Add(-1); return release() }
	m.ctx, m.stop = context.WithCancel(context.WithoutCancel(ctx))
	m.calls.open, m.calls.close = context.WithCancel(context.WithoutCancel(ctx))
	return nil
}

// calls are those of a memory that are at work, which its end waits for.
type calls struct {
	mu     sync.Mutex
	ended  bool
	atWork sync.WaitGroup
	open   context.Context // ends when the memory is closed: nobody waits for a connection then
	close  context.CancelFunc
}

var errClosed = errors.New("the memory is closed")

func (c *calls) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errClosed
	}
	c.atWork.Add(1)
	return nil
}

func (c *calls) done() { c.atWork.Done() }

// end refuses further calls, and waits for those that have begun.
func (c *calls) end() {
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
	c.close()
	c.atWork.Wait()
}

// seated runs fn when the memory may have one more transaction. One whose calls wait for
// something leaves others their share.
func (m *Memory) seated(ctx context.Context, fn func() error) error {
	if m.conns.users.Load() > 1 {
		if err := m.wait(ctx, m.seats); err != nil {
			return err
		}
		defer func() { <-m.seats }()
	}
	if err := m.wait(ctx, m.conns.room); err != nil {
		return err
	}
	defer func() { <-m.conns.room }()
	m.inTurn.Add(1)
	defer m.inTurn.Add(-1)
	return fn()
}

// wait returns when there is room, and has taken it.
func (m *Memory) wait(ctx context.Context, room chan struct{}) error {
	select {
	case room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-m.calls.open.Done():
		return errClosed
	}
}

// How transactions begin.
const (
	beginWrite = "begin"
	beginRead  = "begin isolation level repeatable read read only"
)

// begin starts a transaction that sees the rows of this memory's tenant, unless the memory is
// closed meanwhile.
func (m *Memory) begin(ctx context.Context, pool *pgxpool.Pool, how string) (pgx.Tx, error) {
	within, cancel := m.whileOpen(ctx)
	defer cancel()
	tx, err := m.beginAlways(within, pool, how)
	return tx, m.orClosed(ctx, err)
}

// whileOpen returns a context that ends with the memory, too.
func (m *Memory) whileOpen(ctx context.Context) (context.Context, context.CancelFunc) {
	within, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(m.calls.open, cancel)
	return within, func() { stop(); cancel() }
}

// orClosed is err, or errClosed where that is its reason.
func (m *Memory) orClosed(ctx context.Context, err error) error {
	if err != nil && ctx.Err() == nil && m.calls.open.Err() != nil {
		return errClosed
	}
	return err
}

// beginAlways is begin also in a memory that is being closed. It takes one way to the server
// and back.
func (m *Memory) beginAlways(ctx context.Context, pool *pgxpool.Pool, how string) (pgx.Tx, error) {
	// The name is not quoted, since a quote ends where settings of the connection say so.
	whose := fmt.Sprintf("; select set_config('%s', convert_from(decode('%s', 'hex'), 'UTF8'), true)", tenantSetting, hex.EncodeToString([]byte(m.tenant)))
	return pool.BeginTx(ctx, pgx.TxOptions{BeginQuery: how + whose})
}

// snapshot runs fn in a transaction that only reads.
func (m *Memory) snapshot(ctx context.Context, fn func(tx pgx.Tx) error) error {
	return m.seated(ctx, func() error { return m.reading(ctx, m.pool, fn) })
}

// reading is snapshot for who has a seat.
func (m *Memory) reading(ctx context.Context, pool *pgxpool.Pool, fn func(tx pgx.Tx) error) error {
	tx, err := m.begin(ctx, pool, beginRead)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	return fn(tx)
}

// atOnce runs fn in a transaction that takes no lock of the memory, and is not tried again. It
// waits for no calls of the memory, also while that is closed.
func (m *Memory) atOnce(ctx context.Context, fn func(tx pgx.Tx) error) error {
	tx, err := m.beginAlways(ctx, m.pool, beginWrite)
	if err != nil {
		return err
	}
	defer rollback(ctx, tx)
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}
