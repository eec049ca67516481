package app

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/access"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
	"github.com/research-mcp/research-mcp/server"
	"github.com/research-mcp/research-mcp/tools"
)

// client sends requests to a server that runs in this process.
type client struct {
	t    *testing.T
	base string
}

func (c client) do(method, path, body string, header ...string) (int, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// call calls a tool in the era of sessions, without one.
func (c client) call(tool, arguments string, header ...string) string {
	c.t.Helper()
	code, said := c.do(http.MethodPost, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":`+arguments+`}}`,
		append(header, "Content-Type", "application/json", "Accept", "application/json, text/event-stream", "Mcp-Protocol-Version", "2025-11-25")...)
	if code != http.StatusOK {
		c.t.Errorf("%s = %d %s", tool, code, said)
	}
	return said
}

func TestAServerOverHTTPIsWatched(t *testing.T) {
	t.Parallel()
	got, collector := startCollector(t)
	a := startWith(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"server.http.address": "127.0.0.1:0"}, Options{Getenv: func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector}[name]
	}})
	a.traceEnd = time.Minute // for failure only
	defer a.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	l, err := a.ListenHTTP(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.ServeHTTP(ctx, l) }()
	c := client{t, "http://" + l.Addr().String()}
	c.call("remember", `{"text":"The quokka sleeps at noon."}`)
	if said := c.call("recall", `{"query":"quokka"}`, "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"); !strings.Contains(said, "quokka") {
		t.Errorf("recall = %s", said)
	}
	for path, want := range map[string]string{
		"/healthz": `{"status":"ok"}`, "/readyz": `{"name":"memory","ok":true}`,
		"/metrics": "\n" + `research_mcp_tool_calls_total{outcome="ok",tool="recall"} 1`,
	} {
		if code, said := c.do(http.MethodGet, path, ""); code != http.StatusOK && path != "/readyz" || !strings.Contains(said, want) {
			t.Errorf("GET %s = %d without %s: %s", path, code, want, said)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	got.mu.Lock()
	defer got.mu.Unlock()
	if got.names["tools/call remember"] != 1 || got.names["tools/call recall"] != 1 || got.trace["\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c"] != 1 {
		t.Errorf("the collector got %v in the traces %v, want recall in that of its header", got.names, got.trace)
	}
}

// TestTheTenantOfACall is a label only if a setting says so, and only where tenants cannot
// read it.
func TestTheTenantOfACall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		labels, address string
		want            bool
	}{{"false", "127.0.0.1:0", false}, {"true", "127.0.0.1:0", true}, {"true", "", false}} {
		a := start(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"watch.tenant_labels": tt.labels, "watch.address": tt.address})
		w := a.startWatching(t.Context(), tools.All(tools.Deps{Engine: a.engine, Library: a.library}), true)
		all := a.newTenants(t.Context(), w.watcher(), nil)
		a.watched.tenants.Store(all)
		if _, err := (seat{all, "red"}).Remember(t.Context(), library.RememberRequest{Text: "A ledger."}); err != nil {
			t.Fatal(err)
		}
		_, end := w.watcher().Begin(access.With(t.Context(), access.Identity{Name: "alice", Tenant: "blue"}), "recall", nil)
		end(server.OutcomeOK, nil)
		page := httptest.NewRecorder()
		w.allRoutes()["/metrics"].ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
		for _, series := range []string{`tenant="blue"`, `research_mcp_tenant_memory_documents{tenant="red"} 1`, `research_mcp_tenant_runs{state="running",tenant="red"} 0`,
			`research_mcp_tenant_memory_size_bytes{part="text",tenant="red"} 9`} {
			if got := strings.Contains(page.Body.String(), series); got != tt.want || strings.Contains(page.Body.String(), "alice") {
				t.Errorf("%+v: %s is shown: %v", tt, series, got)
			}
		}
		if !tt.want && strings.Contains(page.Body.String(), `"red"`) {
			t.Errorf("%+v: the name of a tenant is shown", tt)
		}
		all.Close()
		w.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
}
