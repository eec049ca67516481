package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/internal/watch"
	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/tools"
)

// watched are the metrics of a server that has any.
type watched struct {
	metrics atomic.Pointer[watch.Metrics]
	tenants atomic.Pointer[tenants]
}

func (w *watched) searched(source, status string, took time.Duration) {
	w.metrics.Load().Searched(source, status, took)
}

// watching is what watches a server. Close it.
type watching struct {
	traces  *watch.Traces  // nil: nothing is traced
	metrics *watch.Metrics // nil: nobody can read them
	health  *watch.Health
	server  *http.Server // at watch.address; nil: none
	serving sync.WaitGroup
}

// startWatching starts what the settings and the environment ask for. published says
// that the caller serves routes itself, unless watch.address is another place for them.
func (a *App) startWatching(ctx context.Context, all []tools.Definition, published bool) *watching {
	w := &watching{traces: a.openTraces(), health: a.health()}
	if published || a.cfg.Watch.Address != "" {
		w.metrics = a.openMetrics(all)
	}
	if a.cfg.Watch.Address == "" {
		return w
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.Watch.Address)
	if err != nil { // another server on this machine may have it
		a.log.Error("metrics and health are not served: watch.address cannot be used", "address", a.cfg.Watch.Address, "err", err)
		return w
	}
	mux := http.NewServeMux()
	for path, h := range w.allRoutes() {
		mux.Handle(path, h)
	}
	w.server = &http.Server{Handler: mux, ReadTimeout: watchReadWithin, WriteTimeout: watchWriteWithin, IdleTimeout: time.Minute, MaxHeaderBytes: watchHeader,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug)}
	w.serving.Go(func() { _ = w.server.Serve(listener) }) // it ends with Close
	a.log.Info("serving metrics and health", "address", listener.Addr().String())
	return w
}

// Bounds of requests at watch.address.
const (
	watchReadWithin  = 5 * time.Second
	watchWriteWithin = 15 * time.Second
	watchHeader      = 8 << 10
)

// watcher sees the calls; nil if nobody wants to.
func (w *watching) watcher() server.Watcher {
	if w.metrics == nil && w.traces == nil {
		return nil
	}
	return watch.Calls{Metrics: w.metrics, Traces: w.traces, Tenant: access.Tenant}
}

// allRoutes are the paths by which a server is watched.
func (w *watching) allRoutes() map[string]http.Handler {
	return map[string]http.Handler{"/healthz": w.health.Live(), "/readyz": w.health.Ready(), "/metrics": w.metrics.Handler()}
}

// Close ends the watching within a second.
func (w *watching) Close() {
	if w.server != nil {
		_ = w.server.Close() // scrapes and probes are repeated
		w.serving.Wait()
	}
	w.traces.Close()
}

// openTraces returns nil unless the OTEL_ variables ask for traces. Wrong ones cost the
// traces, and not the server.
func (a *App) openTraces() *watch.Traces {
	t, err := watch.OpenTraces(watch.TraceOptions{Getenv: a.getenv, Version: ProgramVersion, Contents: a.cfg.Watch.TraceQuestions, Stderr: os.Stderr, Log: a.log, CloseWithin: a.traceEnd})
	if err != nil {
		a.log.Error("nothing is traced", "err", err)
		return nil
	}
	return t
}

// openMetrics starts to count.
func (a *App) openMetrics(all []tools.Definition) *watch.Metrics {
	build, of := Version(), a.hostsOf()
	o := watch.MetricsOptions{Version: build.Version, Revision: build.Revision, Sources: a.sourceNames(), Tenants: a.labelTenants(), Log: a.log, Read: watch.Readings{
		Runs: func() watch.Runs { return watch.Runs(a.engine.Runs()) }, Sources: func() []watch.SourceState { return a.sourceStates(of) }, Requests: a.requests,
		Memory: a.memory.Stats, Children: a.children, Tenants: a.tenantStates,
	}}
	for _, d := range all {
		o.Tools = append(o.Tools, d.Name)
	}
	m := watch.NewMetrics(o)
	a.watched.metrics.Store(m)
	return m
}

// labelTenants reports whether metrics name tenants. Those at the server's own address can be
// read by every caller, and tenants are not to learn of one another.
func (a *App) labelTenants() bool {
	if a.cfg.Watch.TenantLabels && a.cfg.Watch.Address == "" {
		a.log.Warn("watch.tenant_labels has no effect: other callers could read the names at the server's own address; set watch.address")
		return false
	}
	return a.cfg.Watch.TenantLabels
}

// tenantStates are those of the open tenants, as far as they can be read in time.
func (a *App) tenantStates(ctx context.Context) []watch.TenantState {
	all := a.watched.tenants.Load()
	if all == nil {
		return nil
	}
	var out []watch.TenantState
	for _, one := range all.opened(func(*tenant) bool { return true }) {
		if state, open := one.state(ctx); open {
			out = append(out, state)
		}
	}
	return out
}

func (a *App) requests() watch.Requests {
	n := a.fetch.Counts()
	return watch.Requests{Sent: n.Sent, Failed: n.Failed, Hits: n.Hits, Misses: n.Misses, Olds: n.Stale}
}

func (a *App) children() watch.Children {
	n := a.pool.Counts()
	return watch.Children{Idle: n.Idle, Busy: n.Busy, Started: n.Started,
		Failed: map[string]uint64{"timeout": n.Timeouts, "crash": n.Crashes, "output": n.Output, "task": n.Refused}}
}

// hostsOf are the hosts of each source that is on.
func (a *App) hostsOf() map[string][]string {
	out := map[string][]string{}
	for _, s := range a.sources {
		settings := map[string]sources.Settings{}
		for _, spec := range sources.Registry() {
			of := SourceSettings(a.cfg, spec)
			of.Enabled = of.Enabled && spec.Name == s.Name()
			settings[spec.Name] = of
		}
		network := fetch.New(fetch.Config{Version: ProgramVersion, Contact: a.cfg.Contact})
		if _, err := sources.Build(settings, network); err == nil {
			for _, h := range network.Hosts() {
				out[s.Name()] = append(out[s.Name()], h.Host)
			}
		}
		_ = network.Close()
	}
	return out
}

// sourceStates has the scarcest budget and the worst breaker of each source's hosts; of
// names them.
func (a *App) sourceStates(of map[string][]string) []watch.SourceState {
	hosts := map[string]fetch.HostState{}
	for _, h := range a.fetch.Hosts() {
		hosts[h.Host] = h
	}
	var out []watch.SourceState
	for _, s := range a.sources {
		state := watch.SourceState{Source: s.Name(), Breaker: "closed"}
		for _, name := range of[s.Name()] {
			h, ok := hosts[name]
			if !ok {
				continue
			}
			if badness(h.Breaker) > badness(state.Breaker) {
				state.Breaker = h.Breaker
			}
			if h.Rate.PerSecond > 0 && (!state.Limited || h.Tokens < state.Available) {
				state.Limited, state.Available = true, h.Tokens
			}
			state.InFlight += h.InFlight
		}
		out = append(out, state)
	}
	return out
}

func badness(breaker string) int {
	return map[string]int{"half-open": 1, "open": 2}[breaker]
}

// health has the checks of being ready.
func (a *App) health() *watch.Health {
	return watch.NewHealth(a.log,
		watch.Check{Name: "memory", Run: func(ctx context.Context) error {
			_, err := a.memory.Changes(ctx, "")
			return err
		}},
		watch.DiskRoom(a.cfg.DataDir),
	)
}
