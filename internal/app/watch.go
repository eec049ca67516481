package app

import (
	"context"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/internal/watch"
	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/tools"
)

// watched are the metrics of a server that has any.
type watched struct{ metrics atomic.Pointer[watch.Metrics] }

func (w *watched) searched(source, status string, took time.Duration) {
	w.metrics.Load().Searched(source, status, took)
}

// openTraces returns nil unless the OTEL_ variables ask for traces. Wrong ones cost the
// traces, and not the server.
func (a *App) openTraces() *watch.Traces {
	t, err := watch.OpenTraces(watch.TraceOptions{Getenv: a.getenv, Version: ProgramVersion, Contents: a.cfg.Watch.TraceQuestions, Stderr: os.Stderr, Log: a.log})
	if err != nil {
		a.log.Error("nothing is traced", "err", err)
		return nil
	}
	return t
}

// watcher sees the calls; nil if nobody wants to.
func watcher(m *watch.Metrics, t *watch.Traces) server.Watcher {
	if m == nil && t == nil {
		return nil
	}
	return watch.Calls{Metrics: m, Traces: t}
}

// openMetrics starts to count.
func (a *App) openMetrics(all []tools.Definition) *watch.Metrics {
	build, of := Version(), a.hostsOf()
	o := watch.MetricsOptions{Version: build.Version, Revision: build.Revision, Sources: a.sourceNames(), Tenants: a.cfg.Watch.TenantLabels, Log: a.log, Read: watch.Readings{
		Runs: func() watch.Runs { return watch.Runs(a.engine.Runs()) }, Sources: func() []watch.SourceState { return a.sourceStates(of) }, Requests: a.requests,
		Memory: a.memory.Stats, Children: a.children,
	}}
	for _, d := range all {
		o.Tools = append(o.Tools, d.Name)
	}
	m := watch.NewMetrics(o)
	a.watched.metrics.Store(m)
	return m
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

// watchRoutes are the paths by which a server is watched.
func watchRoutes(h *watch.Health, m *watch.Metrics) map[string]http.Handler {
	return map[string]http.Handler{"/healthz": h.Live(), "/readyz": h.Ready(), "/metrics": m.Handler()}
}
