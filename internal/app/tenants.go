package app

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/watch"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/tools"
)

// tenantsFolder is in the data folder, with a data folder for each tenant.
const tenantsFolder = "tenants"

const (
	tenantIdle  = 10 * time.Minute // beyond the longest run, before its memory is closed
	tenantSweep = time.Minute
	// mostTenants is how many tenants a process has handlers for, beside those that are open.
	// The one that was used least recently makes room, and gets another one with its next call.
	mostTenants = 1000
)

// tenants are the parts of the program that each tenant has of its own: memory, sessions,
// runs, cache of responses, connections, and the handler with its limit of slow calls.
// Child processes, models and the limits towards other hosts are the process's. A tenant's
// parts are opened by its first call and closed when it has been idle, or when another one
// needs its place. Close it.
type tenants struct {
	root    *App
	watcher server.Watcher
	changed func(tenant string) func() <-chan struct{} // see server.Options.Changed
	most    int                                        // entries of all
	stop    context.CancelFunc
	swept   sync.WaitGroup

	mu     sync.Mutex
	all    map[string]*tenant
	open   int
	closed bool
}

// tenant is one of them.
type tenant struct {
	of   *tenants
	name string

	mu   sync.Mutex // opening and closing; taken after tenants.mu is released
	app  *App       // nil: closed
	stop func()     // its maintenance
	gone bool       // it was removed: a call makes it anew, and a watch does not

	// Guarded by tenants.mu.
	handler *server.Handler // nil: nobody has needed it
	busy    int             // calls
	used    time.Time       // by a call
	looked  time.Time       // by a watch
	holds   bool            // one of tenants.open
}

func (a *App) newTenants(ctx context.Context, w server.Watcher, changed func(tenant string) func() <-chan struct{}) *tenants {
	if changed == nil { // nobody tells
		changed = func(string) func() <-chan struct{} { return nil }
	}
	ctx, stop := context.WithCancel(ctx)
	t := &tenants{root: a, watcher: w, changed: changed, most: mostTenants + a.cfg.Server.HTTP.MaxTenants, stop: stop, all: map[string]*tenant{}}
	t.swept.Go(func() {
		tick := time.NewTicker(tenantSweep)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				t.sweep()
			}
		}
	})
	return t
}

// handler returns the tenant's. Its error is an *evidence.Problem.
func (t *tenants) handler(name string) (*server.Handler, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, err := t.find(name)
	if err != nil {
		return nil, err
	}
	if one.handler == nil {
		deps, its := t.root.toolDeps(), seat{t, name}
		deps.Engine, deps.Library, deps.Reader = its, writers{its, t.root.cfg.Server.HTTP.WriteScope}, its
		one.handler = t.root.handler(deps, tools.All(deps), t.watcher, t.changed(name))
	}
	return one.handler, nil
}

// find returns the entry of a tenant; t.mu is held.
func (t *tenants) find(name string) (*tenant, error) {
	if !access.ValidTenant(name) {
		return nil, evidence.BadInput("the caller's tenant has no valid name", "use "+access.TenantNames)
	}
	if one := t.all[name]; one != nil {
		return one, nil
	}
	if t.closed {
		return nil, errEnding
	}
	if len(t.all) >= t.most {
		if old := t.oldest(func(one *tenant) bool { return !one.holds && one.busy == 0 }); old != nil {
			delete(t.all, old.name)
		}
	}
	one := &tenant{of: t, name: name, used: t.root.now()}
	t.all[name] = one
	return one, nil
}

// oldest returns the tenant that fits and was used least recently, or nil; t.mu is held.
func (t *tenants) oldest(fits func(*tenant) bool) (found *tenant) {
	for _, one := range t.all {
		if fits(one) && (found == nil || one.used.Before(found.used)) {
			found = one
		}
	}
	return found
}

// sweep closes the tenants that have been idle, and those that were removed.
func (t *tenants) sweep() {
	limit := t.root.now().Add(-tenantIdle - t.root.cfg.Research.RunFor)
	for _, one := range t.opened(func(one *tenant) bool {
		return one.busy == 0 && (one.used.Before(limit) && one.looked.Before(limit) || one.wasRemoved())
	}) {
		one.close(false)
	}
}

// opened returns the open tenants that fit.
func (t *tenants) opened(fits func(*tenant) bool) []*tenant {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*tenant
	for _, one := range t.all {
		if one.holds && fits(one) {
			out = append(out, one)
		}
	}
	return out
}

// Close closes every tenant, also one whose calls have not returned: they fail.
func (t *tenants) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.stop()
	t.swept.Wait()
	var closing sync.WaitGroup
	for _, one := range t.opened(func(*tenant) bool { return true }) {
		closing.Go(func() { one.close(true) })
	}
	closing.Wait()
}

// use returns the tenant's parts, and what to call when they are no longer used.
func (t *tenants) use(ctx context.Context, name string) (*App, func(), error) {
	looking := tools.Looking(ctx)
	one, err := t.enter(name, looking)
	if err != nil {
		return nil, nil, err
	}
	done := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		one.busy--
		if looking {
			one.looked = t.root.now()
		} else {
			one.used = t.root.now()
		}
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.app != nil && one.app.wasRemoved() && t.callsOf(one) == 1 {
		one.shut()
	}
	if one.app == nil {
		if t.ended() { // since enter
			done()
			return nil, nil, errEnding
		}
		if looking && one.gone {
			done()
			return nil, nil, errRemoved
		}
		a, err := t.root.forTenant(context.WithoutCancel(ctx), one.name)
		if err != nil {
			done()
			t.root.log.Error("a tenant cannot be opened", "tenant", one.name, "err", err)
			return nil, nil, &evidence.Problem{What: "the memory of this tenant cannot be opened", Try: "try again, and if it stays so, ask the operator of the server, whose log says why"}
		}
		one.gone = false
		one.app, one.stop = a, a.maintain(context.WithoutCancel(ctx))
	}
	return one.app, done, nil
}

var (
	errEnding  error = &evidence.Problem{What: "the server is ending", Try: "call again when it has started"}
	errRemoved error = &evidence.Problem{What: "the tenant was removed", Try: "nothing is to be watched until somebody stores something anew"}
	errInUse   error = &evidence.Problem{What: "as many tenants as the server can have open are in use", Try: "try again in some minutes"}
)

// ended reports whether no tenant is opened any more.
func (t *tenants) ended() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.closed
}

// enter counts a call of a tenant. If as many are open as may be, the one that was idle for
// longest is closed; a run of its own that is at work keeps it open. Watches are no calls:
// more tenants than may be open, each with a subscription, would close one another all the time.
func (t *tenants) enter(name string, looking bool) (*tenant, error) {
	for {
		t.mu.Lock()
		one, err := t.find(name)
		if err == nil && t.closed {
			err = errEnding
		}
		if err != nil {
			t.mu.Unlock()
			return nil, err
		}
		if one.holds || t.open < t.root.cfg.Server.HTTP.MaxTenants {
			if !one.holds {
				one.holds = true
				t.open++
			}
			one.busy++
			t.mu.Unlock()
			return one, nil
		}
		var idle *tenant
		if !looking {
			idle = t.oldest(func(other *tenant) bool { return other.holds && other.busy == 0 && !other.working() })
		}
		t.mu.Unlock()
		if idle == nil {
			return nil, errInUse
		}
		idle.close(false)
	}
}

// callsOf counts the calls of a tenant that are at work.
func (t *tenants) callsOf(one *tenant) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return one.busy
}

// wasRemoved reports whether the tenant was removed while it is open.
func (one *tenant) wasRemoved() bool {
	if !one.mu.TryLock() { // it is being opened or closed
		return false
	}
	defer one.mu.Unlock()
	return one.app != nil && one.app.wasRemoved()
}

// wasRemoved reports whether the memory has noticed that its tenant was removed.
func (a *App) wasRemoved() bool {
	m, ok := a.memory.(memory.Tenanted)
	return ok && m.Removed()
}

// working reports whether a run goes on without a caller, or the parts are being opened or
// closed.
func (one *tenant) working() bool {
	if !one.mu.TryLock() {
		return true
	}
	defer one.mu.Unlock()
	if one.app == nil {
		return false
	}
	runs := one.app.engine.Runs()
	return runs.Running+runs.Queued > 0
}

// close closes the parts, unless a call has come meanwhile and it is not the end.
func (one *tenant) close(end bool) {
	one.mu.Lock()
	defer one.mu.Unlock()
	t := one.of
	t.mu.Lock()
	if one.busy > 0 && !end || !one.holds {
		t.mu.Unlock()
		return
	}
	one.holds = false
	t.open--
	t.mu.Unlock()
	if one.app != nil { // else it could not be opened
		one.shut()
	}
}

// shut closes the parts, with mu.
func (one *tenant) shut() {
	one.gone = one.app.wasRemoved()
	one.stop()
	if err := one.app.Close(); err != nil {
		one.of.root.log.Warn("closing a tenant", "tenant", one.name, "err", err)
	}
	one.app = nil
}

// forTenant builds a tenant's parts over its own folder.
func (a *App) forTenant(ctx context.Context, name string) (*App, error) {
	if !access.ValidTenant(name) {
		return nil, fmt.Errorf("opening the tenant %q: it is no valid name", name)
	}
	own := &App{cfg: a.cfg.ForTenant(name, filepath.Join(a.cfg.DataDir, tenantsFolder, name)), options: a.options, parent: a, tenant: name,
		log: a.log, now: a.now, getenv: a.getenv, secrets: a.secrets, pool: a.pool, pages: a.pages, models: a.models, audit: a.audit}
	own.watched.metrics.Store(a.watched.metrics.Load())
	return own, own.assemble(ctx)
}

// quota is how much the memory of a tenant may keep; that of the data folder has none.
func (a *App) quota() library.Quota {
	if a.parent == nil {
		return library.Quota{}
	}
	may := a.cfg.Tenant(a.tenant)
	return library.Quota{Documents: may.Documents, Bytes: int64(may.MB) << 20}
}

// state is what the metrics show of an open tenant. Reading it does not keep the tenant open.
func (one *tenant) state(ctx context.Context) (watch.TenantState, bool) {
	t := one.of
	t.mu.Lock()
	if !one.holds || t.closed {
		t.mu.Unlock()
		return watch.TenantState{}, false
	}
	one.busy++
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		one.busy--
	}()
	if !one.mu.TryLock() { // it is being opened
		return watch.TenantState{}, false
	}
	a := one.app
	one.mu.Unlock()
	if a == nil {
		return watch.TenantState{}, false
	}
	runs := a.engine.Runs()
	s := watch.TenantState{Tenant: one.name, Running: runs.Running, Queued: runs.Queued}
	var err error
	s.Memory, err = a.memory.Stats(ctx)
	s.MemoryUp = err == nil
	return s, true
}
