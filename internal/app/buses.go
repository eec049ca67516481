package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/server/http"
)

// busWithin is how long the opening of a database's bus may take.
const busWithin = 15 * time.Second

// openAgain is how long after a failure who follows one tries to open it again.
const openAgain = 5 * time.Second

// buses join this server with those on other machines, by the databases of its tenants. It
// is their http.Relay. Close it.
type buses struct {
	cfg  *config.Config
	log  *slog.Logger
	ctx  context.Context
	stop context.CancelFunc
	busy sync.WaitGroup

	mu  sync.Mutex
	all map[string]*bus // by URL
}

// bus is that of one database, opened when it is needed first.
type bus struct {
	turn   chan struct{} // has capacity 1: who opens it
	opened chan struct{} // closed when it is
	bus    memory.Bus    // not changed after that
}

func (a *App) newBuses(ctx context.Context) *buses {
	b := &buses{cfg: a.cfg, log: a.log, all: map[string]*bus{}}
	b.ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	return b
}

// Close ends what the buses do in the background.
func (b *buses) Close() {
	b.stop()
	b.busy.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.all {
		if one.ready() {
			_ = one.bus.Close() // what it has is in the database
		}
	}
}

func (one *bus) ready() bool {
	select {
	case <-one.opened:
		return true
	default:
		return false
	}
}

// of returns the bus of a tenant's database, which may not be opened yet.
func (b *buses) of(tenant string) *bus {
	url := b.cfg.MemoryURL(tenant)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all[url] == nil {
		b.all[url] = &bus{turn: make(chan struct{}, 1), opened: make(chan struct{})}
	}
	return b.all[url]
}

// open returns the bus of a tenant's database.
func (b *buses) open(ctx context.Context, tenant string) (memory.Bus, error) {
	one := b.of(tenant)
	if one.ready() {
		return one.bus, nil
	}
	select {
	case one.turn <- struct{}{}:
		defer func() { <-one.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if one.ready() {
		return one.bus, nil
	}
	ctx, cancel := context.WithTimeout(ctx, busWithin)
	defer cancel()
	opened, err := memory.OpenBus(ctx, memory.Config{Backend: b.cfg.Memory.Backend, URL: b.cfg.MemoryURL(tenant), Logger: b.log})
	if err != nil {
		return nil, err
	}
	one.bus = opened
	close(one.opened)
	return opened, nil
}

// Put implements http.Relay.
func (b *buses) Put(ctx context.Context, to http.Address, message []byte) error {
	bus, err := b.open(ctx, to.Tenant)
	if err != nil {
		return err
	}
	return bus.Pass(ctx, boxOf(to), message)
}

func boxOf(a http.Address) memory.Box {
	return memory.Box{Tenant: a.Tenant, Owner: a.Caller, Session: a.Session}
}

// Follow implements http.Relay. It waits for nothing: a database that is away delays no call.
func (b *buses) Follow(of http.Address, stream bool, accept func(message []byte) bool) (stop func()) {
	if one := b.of(of.Tenant); one.ready() {
		return one.bus.Follow(boxOf(of), stream, accept)
	}
	ctx, cancel := context.WithCancel(b.ctx)
	var following sync.WaitGroup
	following.Go(func() {
		bus, err := b.open(ctx, of.Tenant)
		if err != nil {
			b.failed(err)
		}
		for ; err != nil; bus, err = b.open(ctx, of.Tenant) {
			select {
			case <-b.of(of.Tenant).opened: // for another one
			case <-time.After(openAgain):
			case <-ctx.Done():
				return
			}
		}
		defer bus.Follow(boxOf(of), stream, accept)()
		<-ctx.Done()
	})
	return func() {
		cancel()
		following.Wait()
	}
}

func (b *buses) failed(err error) {
	if !errors.Is(err, context.Canceled) {
		b.log.Warn("what other servers pass on is not seen: their database cannot be used", "err", err)
	}
}

// changed returns a channel that is closed when something was stored for a tenant, or when
// it can be known that nothing was.
func (b *buses) changed(tenant string) <-chan struct{} {
	one := b.of(tenant)
	if one.ready() {
		return one.bus.Changed(tenant)
	}
	b.busy.Go(func() {
		if _, err := b.open(b.ctx, tenant); err != nil {
			b.failed(err)
		}
	})
	return one.opened
}

// Sweep implements http.Relay.
func (b *buses) Sweep(ctx context.Context) error {
	b.mu.Lock()
	var open []memory.Bus
	for _, one := range b.all {
		if one.ready() {
			open = append(open, one.bus)
		}
	}
	b.mu.Unlock()
	var errs []error
	for _, bus := range open {
		errs = append(errs, bus.Sweep(ctx))
	}
	return errors.Join(errs...)
}
