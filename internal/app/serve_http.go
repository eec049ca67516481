package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/server/http"
	"github.com/research-mcp/research-mcp/tools"
)

// relayFolder is where the servers on a data folder pass on what a balancer gave to the
// wrong one.
const relayFolder = "http-relay"

// ListenHTTP opens the address of server.http.address. One that is reached from other
// machines needs a way to know who calls.
func (a *App) ListenHTTP(ctx context.Context) (net.Listener, error) {
	for _, name := range a.cfg.NamedTenants() {
		if !access.ValidTenant(name) {
			return nil, evidence.BadInput(fmt.Sprintf("server.http.tenants names the tenant %q", name), "use "+access.TenantNames)
		}
	}
	addr := a.cfg.Server.HTTP.Address
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, evidence.BadInput(fmt.Sprintf("server.http.address (--http) is %q", addr), "give a host and a port, such as 127.0.0.1:8931")
	}
	d, err := a.openDoor() // what cannot be used is told before anybody hears that we serve
	if err != nil {
		return nil, err
	}
	d.close()
	if d.guard == nil && (host == "" || !http.IsLoopback(addr)) {
		return nil, &evidence.Problem{What: fmt.Sprintf("%s is reached from other machines, and nothing says who may call the server", addr),
			Try: "make a token with `research-mcp token add NAME`, set server.http.issuer, or listen at 127.0.0.1"}
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, &evidence.Problem{What: fmt.Sprintf("the server cannot listen at %s: %v", addr, err), Try: "give another address with --http, or end the program that listens there", Cause: err}
	}
	return l, nil
}

// ServeHTTP speaks MCP over HTTP on l until ctx ends.
func (a *App) ServeHTTP(ctx context.Context, l net.Listener) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	d, err := a.openDoor()
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer d.close()
	if d.tls == nil && d.guard != nil && !http.IsLoopback(l.Addr().String()) {
		a.log.Warn("tokens are sent in clear unless a proxy in front of this server speaks TLS: see server.http.tls_cert", "address", l.Addr().String())
	}
	deps := a.toolDeps()
	all := tools.All(deps)
	w := a.startWatching(ctx, all, true)
	defer w.Close()
	defer a.maintain(ctx)()
	relay, changed, closeRelay := a.joined(ctx)
	defer closeRelay()
	h := a.handler(deps, all, w.watcher(), changed(""))
	routes := w.allRoutes()
	if a.cfg.Watch.Address != "" { // they are there
		routes = nil
	}
	tenants := a.newTenants(ctx, w.watcher(), changed)
	defer tenants.Close()
	a.watched.tenants.Store(tenants)
	s := http.New(http.Options{
		Handler: func(ctx context.Context) (*server.Handler, error) {
			if name := access.Tenant(ctx); name != "" {
				return tenants.handler(name)
			}
			return h, nil
		},
		Guard: d.wrap(w.traces.Headers), Caller: caller, Still: access.Still, TLS: d.tls, Routes: d.routes(routes),
		Hosts: listed(a.cfg.Server.HTTP.Hosts), Origins: listed(a.cfg.Server.HTTP.Origins),
		MaxConnections: a.cfg.Server.HTTP.MaxConnections, MaxRequests: a.cfg.Server.HTTP.MaxRequests,
		Tenant: access.Tenant, PerMinute: func(tenant string) int { return a.cfg.Tenant(tenant).RequestsPerMinute },
		Relay: relay, Clean: func(m []byte) []byte { return a.secrets.Body("", m) }, Log: a.log,
	})
	defer context.AfterFunc(ctx, w.health.Ending)()
	if err := s.Serve(ctx, l); err != nil {
		return errors.Join(err, l.Close())
	}
	return nil
}

// joined is how this server and others pass on what a balancer gave to the wrong one, and how
// it hears of changes in the memory of a tenant: by the database, where there is one, and
// otherwise by the data folder, where nobody tells of changes.
func (a *App) joined(ctx context.Context) (relay http.Relay, changed func(tenant string) func() <-chan struct{}, stop func()) {
	if !memory.HasBus(a.cfg.Memory.Backend) {
		return http.NewFolder(filepath.Join(a.cfg.DataDir, relayFolder)), func(string) func() <-chan struct{} { return nil }, func() {}
	}
	b := a.newBuses(ctx)
	return b, func(tenant string) func() <-chan struct{} {
		return func() <-chan struct{} { return b.changed(tenant) }
	}, b.Close
}

// listed splits a setting that is a list.
func listed(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}
