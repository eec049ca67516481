package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/research-mcp/research-mcp/memory/contract"
)

const (
	// busConns are the connections of a bus, beside the one that listens.
	busConns = 2
	// passFor is how long a message is tried to be stored: a new primary may be chosen.
	passFor = 30 * time.Second
	// passOne bounds a message in bytes, passBox those of a box, passOwner the boxes of an
	// owner, so that it leaves room for the others, passBoxes and passAll the boxes and
	// messages of a tenant. Calls at the same moment may go over by as many as they are.
	passOne   = 4 << 10
	passBox   = 100
	passOwner = 100
	passBoxes = 1000
	passAll   = 5000
)

// bounds are those of Pass, for tests.
type bounds struct{ box, owner, boxes, all int }

// Bus is the contract.Bus of a database, opened by OpenBus. It needs no connection of its
// own for a tenant, and nothing that lasts longer than a transaction, so that it also works
// through a pooler of transactions; there nobody is notified, and it looks more often.
type Bus struct {
	m      *Memory // of no tenant, for its pool, and for how it tries again
	table  string
	bounds bounds
	deaf   atomic.Bool // for tests: as a pooler that loses notifications

	starting sync.Once
	hears    atomic.Bool // notifications arrive
	kick     chan struct{}

	mu        sync.Mutex
	followers map[*follower]bool
	dirty     map[string]bool          // tenants to look at as soon as possible
	fresh     bool                     // somebody follows since the last look
	changed   map[string]chan struct{} // by mark
	passed    map[string]bool          // tenants that may have messages to sweep
}

var _ contract.Bus = (*Bus)(nil)

// OpenBus opens the bus of the database of cfg.URL, whose layout it makes or updates. It is
// an *evidence.Problem if the database cannot be used.
func OpenBus(ctx context.Context, cfg contract.Config) (*Bus, error) {
	cfg = withDefaults(cfg)
	pool, err := parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	m := &Memory{cfg: cfg, log: cfg.Logger}
	// Neither settings of a connection nor statements that were prepared are relied upon.
	pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	if m.server, err = prepare(ctx, pool.ConnConfig, "", cfg.Logger); err != nil {
		return nil, err
	}
	maps.DeleteFunc(pool.ConnConfig.RuntimeParams, func(name, _ string) bool { return name != "application_name" && name != "options" })
	pool.MaxConns, pool.MinConns = busConns, 0
	m.cfg.Shared = nil // these have other settings
	if err := m.connect(ctx, pool); err != nil {
		return nil, err
	}
	return &Bus{m: m, table: pgx.Identifier{m.server.schema, "relay"}.Sanitize(), bounds: bounds{passBox, passOwner, passBoxes, passAll}, kick: make(chan struct{}, 1),
		followers: map[*follower]bool{}, dirty: map[string]bool{}, changed: map[string]chan struct{}{}, passed: map[string]bool{}}, nil
}

// Close implements contract.Bus.
func (b *Bus) Close() error {
	b.m.stop()
	defer b.m.lines.closeSoon()()
	b.m.background.Wait()
	b.m.calls.end()
	return b.m.release()
}

func hashed(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func nameOf(box contract.Box) string { return hashed(box.Owner, box.Session) }

// as runs fn in a transaction that sees the rows of a tenant.
func (b *Bus) as(ctx context.Context, tenant string, fn func(tx pgx.Tx) error) error {
	return b.m.seated(ctx, func() error { return b.asSeated(ctx, tenant, fn) })
}

// asSeated is as for who has a seat. It does not wait long for a lock, such as that of a long
// removal of the tenant: its connection is wanted for the messages of others.
func (b *Bus) asSeated(ctx context.Context, tenant string, fn func(tx pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, b.m.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "select set_config('"+tenantSetting+"', $1, true), set_config('idle_in_transaction_session_timeout', '"+idleFor+"', true), set_config('lock_timeout', '"+removeWait+"', true)", tenant)
		if err != nil {
			return err
		}
		return fn(tx)
	})
}

// errFull is what is too much.
type errFull struct{ what string }

func (e errFull) Error() string { return e.what }

// Pass implements contract.Bus.
func (b *Bus) Pass(ctx context.Context, to contract.Box, message []byte) error {
	const doing = "passing on a message"
	if len(message) > passOne {
		return fmt.Errorf("%s: it has %d bytes, and the most is %d", doing, len(message), passOne)
	}
	b.mu.Lock()
	b.passed[to.Tenant] = true
	b.mu.Unlock()
	box, owner, id := nameOf(to), hashed(to.Owner), mint("")
	return b.m.retriedIn(ctx, doing, passFor, b.m.seated, func() error {
		return b.asSeated(ctx, to.Tenant, func(tx pgx.Tx) error {
			there, err := b.there(ctx, tx, to.Tenant)
			if err != nil || !there {
				return err
			}
			if err := b.expire(ctx, tx, to.Tenant); err != nil {
				return err
			}
			room, err := b.room(ctx, tx, to.Tenant, box, owner)
			if err != nil || !room {
				return err
			}
			if _, err := tx.Exec(ctx, "insert into "+b.table+"(tenant, box, owner, id, message) values($1, $2, $3, $4, $5) on conflict do nothing", to.Tenant, box, owner, id, message); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "select pg_notify($1, $2)", busChannel, noticeMessage+markOf(b.m.server.schema, to.Tenant))
			return err
		})
	})
}

// there reports whether a tenant has not been removed: what is for one that has nobody takes,
// and a removed tenant leaves no row. The lock is not that of writers, which a long removal of
// documents has alone.
func (b *Bus) there(ctx context.Context, tx pgx.Tx, tenant string) (there bool, err error) {
	if tenant == "" {
		return true, nil
	}
	schema := b.m.server.schema
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock_shared($1)", lockKey(schema, tenant, lockRelay)); err != nil {
		return false, err
	}
	err = tx.QueryRow(ctx, "select exists(select 1 from "+pgx.Identifier{schema, "tenant"}.Sanitize()+" where name = $1)", tenant).Scan(&there)
	return there, err
}

// room reports whether a box takes one more message; that its owner or tenant has too many
// is an error.
func (b *Bus) room(ctx context.Context, tx pgx.Tx, tenant, box, owner string) (bool, error) {
	var in, owned, boxes, all int
	err := tx.QueryRow(ctx, "select count(*) filter (where box = $2), count(distinct box) filter (where owner = $3), count(distinct box), count(*) from "+b.table+" where tenant = $1",
		tenant, box, owner).Scan(&in, &owned, &boxes, &all)
	switch {
	case err != nil:
		return false, err
	case in >= b.bounds.box: // nobody takes them
		return false, nil
	case all >= b.bounds.all, in == 0 && (owned >= b.bounds.owner || boxes >= b.bounds.boxes):
		return false, errFull{fmt.Sprintf("%d messages for %d sessions wait already, those of %d sessions of this caller", all, boxes, owned)}
	}
	return true, nil
}

// expire removes what has waited for too long.
func (b *Bus) expire(ctx context.Context, tx pgx.Tx, tenant string) error {
	_, err := tx.Exec(ctx, "delete from "+b.table+" where tenant = $1 and at < clock_timestamp() - $2::interval", tenant, contract.BusKept)
	return err
}

// Sweep implements contract.Bus.
func (b *Bus) Sweep(ctx context.Context) error {
	b.mu.Lock()
	tenants := make([]string, 0, len(b.passed))
	for tenant := range b.passed {
		tenants = append(tenants, tenant)
	}
	b.mu.Unlock()
	var errs []error
	for _, tenant := range tenants {
		var left bool
		err := b.as(ctx, tenant, func(tx pgx.Tx) error {
			if err := b.expire(ctx, tx, tenant); err != nil {
				return err
			}
			return tx.QueryRow(ctx, "select exists(select 1 from "+b.table+" where tenant = $1)", tenant).Scan(&left)
		})
		if err != nil {
			errs = append(errs, b.m.failed("removing old messages", err))
		} else if !left {
			b.mu.Lock()
			delete(b.passed, tenant)
			b.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}
