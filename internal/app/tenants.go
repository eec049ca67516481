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
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/tools"
)

// tenantsFolder is in the data folder, with a data folder for each tenant.
const tenantsFolder = "tenants"

const (
	tenantIdle  = 10 * time.Minute // beyond the longest run, before its memory is closed
	tenantSweep = time.Minute
	mostTenants = 1000 // that one process has served: each has a small handler until it ends
)

// tenants are the parts of the program that each tenant has of its own: memory, sessions,
// runs, cache of responses, connections, and the handler with its limit of slow calls.
// Child processes, models and the limits towards other hosts are the process's. A tenant's
// parts are opened by its first call and closed when it has been idle. Close it.
type tenants struct {
	root    *App
	watcher server.Watcher
	stop    context.CancelFunc
	swept   sync.WaitGroup

	mu     sync.Mutex
	all    map[string]*tenant
	open   int
	closed bool
}

// tenant is one of them. Its handler stays, so that no session has an old one.
type tenant struct {
	of      *tenants
	name    string
	handler *server.Handler

	mu   sync.Mutex // opening and closing; taken after tenants.mu is released
	app  *App       // nil: closed
	stop func()     // its maintenance

	// Guarded by tenants.mu.
	busy  int // calls
	used  time.Time
	holds bool // one of tenants.open
}

func (a *App) newTenants(ctx context.Context, w server.Watcher) *tenants {
	ctx, stop := context.WithCancel(ctx)
	t := &tenants{root: a, watcher: w, stop: stop, all: map[string]*tenant{}}
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
	if !access.ValidTenant(name) {
		return nil, evidence.BadInput("the caller's tenant has no valid name", "use "+access.TenantNames)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if one := t.all[name]; one != nil {
		return one.handler, nil
	}
	if t.closed || len(t.all) >= mostTenants {
		return nil, &evidence.Problem{What: "the server takes no further tenants", Try: "ask its operator to restart it"}
	}
	one := &tenant{of: t, name: name, used: t.root.now()}
	deps := t.root.toolDeps()
	deps.Engine, deps.Library, deps.Reader = one, one, one
	one.handler = t.root.handler(deps, tools.All(deps), t.watcher)
	t.all[name] = one
	return one.handler, nil
}

// sweep closes the tenants that have been idle.
func (t *tenants) sweep() {
	limit := t.root.now().Add(-tenantIdle - t.root.cfg.Research.RunFor)
	for _, one := range t.idle(func(one *tenant) bool { return one.used.Before(limit) }) {
		one.close()
	}
}

// idle takes the open tenants without calls that fit. close has to follow.
func (t *tenants) idle(fits func(*tenant) bool) []*tenant {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*tenant
	for _, one := range t.all {
		if one.holds && one.busy == 0 && fits(one) {
			out = append(out, one)
		}
	}
	return out
}

// Close closes every tenant. Their calls have returned.
func (t *tenants) Close() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
	t.stop()
	t.swept.Wait()
	for _, one := range t.idle(func(*tenant) bool { return true }) {
		one.close()
	}
}

// use returns the tenant's parts, and what to call when they are no longer used.
func (one *tenant) use(ctx context.Context) (*App, func(), error) {
	t := one.of
	t.mu.Lock()
	if !one.holds && (t.closed || t.open >= t.root.cfg.Server.HTTP.MaxTenants) {
		t.mu.Unlock()
		return nil, nil, &evidence.Problem{What: "as many tenants as the server can have open are in use", Try: "try again in some minutes"}
	}
	if !one.holds {
		one.holds = true
		t.open++
	}
	one.busy++
	t.mu.Unlock()
	done := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		one.busy--
		one.used = t.root.now()
	}
	one.mu.Lock()
	defer one.mu.Unlock()
	if one.app == nil {
		a, err := t.root.forTenant(context.WithoutCancel(ctx), one.name)
		if err != nil {
			done()
			t.root.log.Error("a tenant cannot be opened", "tenant", one.name, "err", err)
			return nil, nil, &evidence.Problem{What: "the memory of this tenant cannot be opened", Try: "ask the operator of the server, whose log says why"}
		}
		one.app, one.stop = a, a.maintain(context.WithoutCancel(ctx))
	}
	return one.app, done, nil
}

// close closes the parts, unless a call has come meanwhile.
func (one *tenant) close() {
	one.mu.Lock()
	defer one.mu.Unlock()
	t := one.of
	t.mu.Lock()
	if one.busy > 0 || !one.holds {
		t.mu.Unlock()
		return
	}
	one.holds = false
	t.open--
	t.mu.Unlock()
	if one.app == nil {
		return // it could not be opened
	}
	one.stop()
	if err := one.app.Close(); err != nil {
		t.root.log.Warn("closing a tenant", "tenant", one.name, "err", err)
	}
	one.app = nil
}

// forTenant builds a tenant's parts over its own folder.
func (a *App) forTenant(ctx context.Context, name string) (*App, error) {
	if !access.ValidTenant(name) {
		return nil, fmt.Errorf("opening the tenant %q: it is no valid name", name)
	}
	own := &App{cfg: a.cfg.WithLocalMemory(filepath.Join(a.cfg.DataDir, tenantsFolder, name)), options: a.options, parent: a,
		log: a.log, now: a.now, getenv: a.getenv, secrets: a.secrets, pool: a.pool, pages: a.pages, models: a.models, audit: a.audit}
	own.watched.metrics.Store(a.watched.metrics.Load())
	return own, own.assemble(ctx)
}

// quota is how much the memory of a tenant may keep; that of the data folder has none.
func (a *App) quota() library.Quota {
	if a.parent == nil {
		return library.Quota{}
	}
	s := a.cfg.Server.HTTP
	return library.Quota{Documents: s.TenantDocuments, Bytes: int64(s.TenantMB) << 20}
}

// with calls f with the tenant's parts.
func with[Out any](ctx context.Context, one *tenant, f func(a *App) (Out, error)) (Out, error) {
	a, done, err := one.use(ctx)
	if err != nil {
		var none Out
		return none, err
	}
	defer done()
	return f(a)
}

// Ask implements tools.Engine.
func (one *tenant) Ask(ctx context.Context, req research.Request, observe func(tools.Event)) (evidence.Answer, error) {
	return with(ctx, one, func(a *App) (evidence.Answer, error) { return a.engine.Ask(ctx, req, observe) })
}

// Read implements tools.Engine.
func (one *tenant) Read(ctx context.Context, req research.ReadRequest, observe func(tools.Event)) (research.ReadResult, error) {
	return with(ctx, one, func(a *App) (research.ReadResult, error) { return a.engine.Read(ctx, req, observe) })
}

// Recall implements tools.Library.
func (one *tenant) Recall(ctx context.Context, req library.RecallRequest) (library.RecallResult, error) {
	return with(ctx, one, func(a *App) (library.RecallResult, error) { return a.library.Recall(ctx, req) })
}

// Remember implements tools.Library.
func (one *tenant) Remember(ctx context.Context, req library.RememberRequest) (library.RememberResult, error) {
	return with(ctx, one, func(a *App) (library.RememberResult, error) { return a.library.Remember(ctx, req) })
}

// Forget implements tools.Library.
func (one *tenant) Forget(ctx context.Context, req library.ForgetRequest) (library.ForgetResult, error) {
	return with(ctx, one, func(a *App) (library.ForgetResult, error) { return a.library.Forget(ctx, req) })
}

// Run implements tools.Reader.
func (one *tenant) Run(ctx context.Context, id string) (evidence.Answer, error) {
	return with(ctx, one, func(a *App) (evidence.Answer, error) { return a.library.Run(ctx, id) })
}

// Document implements tools.Reader.
func (one *tenant) Document(ctx context.Context, id string) (evidence.Document, error) {
	return with(ctx, one, func(a *App) (evidence.Document, error) { return a.library.Document(ctx, id) })
}

// Runs implements tools.Reader.
func (one *tenant) Runs(ctx context.Context, limit int) ([]library.RunInfo, error) {
	return with(ctx, one, func(a *App) ([]library.RunInfo, error) { return a.library.Runs(ctx, limit) })
}

// Documents implements tools.Reader.
func (one *tenant) Documents(ctx context.Context, filter library.DocumentFilter) ([]evidence.Document, error) {
	return with(ctx, one, func(a *App) ([]evidence.Document, error) { return a.library.Documents(ctx, filter) })
}

// Position implements tools.Reader.
func (one *tenant) Position(ctx context.Context) (string, error) {
	return with(ctx, one, func(a *App) (string, error) { return a.library.Position(ctx) })
}
