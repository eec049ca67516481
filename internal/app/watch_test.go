package app

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
	"github.com/research-mcp/research-mcp/tools"
)

// collected is what a collector got.
type collected struct {
	mu    sync.Mutex
	raw   bytes.Buffer
	names map[string]int
	trace map[string]int // spans by trace id
}

func startCollector(t *testing.T) (*collected, string) {
	t.Helper()
	c := &collected{names: map[string]int{}, trace: map[string]int{}}
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		raw, _ := io.ReadAll(r.Body)
		c.raw.Write(raw)
		var batch collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(raw, &batch); err != nil {
			t.Errorf("the collector got something else: %v", err)
		}
		for _, rs := range batch.ResourceSpans {
			for _, ss := range rs.ScopeSpans {
				for _, s := range ss.Spans {
					c.names[s.Name]++
					c.trace[string(s.TraceId)]++
				}
			}
		}
	}))
	t.Cleanup(s.Close)
	return c, s.URL
}

// ask sends one question over stdio, in the trace of its _meta, and returns the response.
func askOverStdio(t *testing.T, a *App, question string) string {
	t.Helper()
	args, err := json.Marshal(map[string]any{"question": question})
	if err != nil {
		t.Fatal(err)
	}
	in := `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"research","arguments":` + string(args) + `,"_meta":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}
`
	var out bytes.Buffer
	if err := a.Serve(t.Context(), strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestACallIsTracedOverStdio(t *testing.T) {
	t.Parallel()
	w := startWorld(t, world.Options{})
	c, url := startCollector(t)
	a := startWith(t, w, t.TempDir(), nil, Options{Getenv: func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url}[name]
	}})
	a.traceEnd = time.Minute // for failure only
	defer a.Close()
	if out := askOverStdio(t, a, attentionQuestion); !strings.Contains(out, `"id":2,"result"`) {
		t.Fatalf("the call got no result: %s", out)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range []string{"tools/call research", "research", "plan", "recall", "source", "digest", "rank", "write", "verify", "store"} {
		if c.names[name] == 0 {
			t.Errorf("there is no span %q in %v", name, c.names)
		}
	}
	if want := len(w.URLs()); c.names["source"] < want {
		t.Errorf("%d searches have spans, want one of each of the %d sources", c.names["source"], want)
	}
	if len(c.trace) != 1 || c.trace["\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c"] == 0 {
		t.Errorf("the spans are in the traces %v, want all in that of _meta", c.trace)
	}
	for _, content := range []string{"attention work", "transformer", "http://", "wikipedia.org"} {
		if bytes.Contains(c.raw.Bytes(), []byte(content)) {
			t.Errorf("the spans contain %q", content)
		}
	}
}

func TestQuestionsAreInTracesIfASettingSaysSo(t *testing.T) {
	t.Parallel()
	c, url := startCollector(t)
	a := startWith(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"watch.trace_questions": "true"}, Options{Getenv: func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": url}[name]
	}})
	a.traceEnd = time.Minute // for failure only
	defer a.Close()
	askOverStdio(t, a, attentionQuestion)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !bytes.Contains(c.raw.Bytes(), []byte(attentionQuestion)) {
		t.Error("the question is in no span")
	}
}

func TestMetricsOfARunningProgram(t *testing.T) {
	t.Parallel()
	w := startWorld(t, world.Options{})
	a := start(t, w, t.TempDir(), nil)
	defer a.Close()
	watched := a.startWatching(t.Context(), tools.All(tools.Deps{Engine: a.engine, Library: a.library}), true)
	defer watched.Close()
	for range 2 {
		if _, err := a.engine.Ask(t.Context(), research.Request{Question: attentionQuestion}, nil); err != nil {
			t.Fatal(err)
		}
	}
	page := httptest.NewRecorder()
	watched.allRoutes()["/metrics"].ServeHTTP(page, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	text := page.Body.String()
	for source := range w.URLs() {
		for _, line := range []string{
			`research_mcp_source_breaker_state{source="` + source + `",state="closed"} 1`,
			`research_mcp_source_search_duration_seconds_count{source="` + source + `"} `,
		} {
			if !strings.Contains(text, "\n"+line) {
				t.Errorf("/metrics has no line %s", line)
			}
		}
	}
	for _, line := range []string{
		`research_mcp_runs{state="running"} 0`, `research_mcp_runs_ended_total{status="cancelled"} 0`,
		`research_mcp_memory_up 1`, `research_mcp_tool_calls_in_flight{tool="forget"} 0`,
	} {
		if !strings.Contains(text, "\n"+line) {
			t.Errorf("/metrics has no line %s", line)
		}
	}
	for _, zero := range []string{
		"research_mcp_fetch_requests_total 0", `research_mcp_cache_lookups_total{result="hit"} 0`, `research_mcp_cache_lookups_total{result="miss"} 0`, "research_mcp_memory_documents 0",
		"research_mcp_isolated_processes_started_total 0", `research_mcp_memory_size_bytes{part="stored"} 0`,
	} {
		if strings.Contains(text, "\n"+zero+"\n") {
			t.Errorf("after two questions /metrics says %s", zero)
		}
	}
	if n := a.engine.Runs(); n.Ended[evidence.Answered]+n.Ended[evidence.Partial] != 2 {
		t.Errorf("two questions were asked, and the runs are %+v", n)
	}
	for _, private := range []string{"attention", "127.0.0.1", a.cfg.DataDir} {
		if strings.Contains(text, private) {
			t.Errorf("/metrics contains %q", private)
		}
	}
}

// addressLog passes on the address at which a server is watched.
type addressLog struct{ at chan string }

func (l addressLog) Write(line []byte) (int, error) {
	if _, at, ok := strings.Cut(string(line), "msg=\"serving metrics and health\" address="); ok {
		l.at <- strings.TrimSpace(at)
	}
	return len(line), nil
}

// TestAServerOnStdioIsWatched scrapes a server while it works.
func TestAServerOnStdioIsWatched(t *testing.T) {
	t.Parallel()
	at := make(chan string, 1)
	a := startWith(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"watch.address": "127.0.0.1:0"}, Options{Log: slog.New(slog.NewTextHandler(addressLog{at}, nil))})
	defer a.Close()
	in, send := io.Pipe()
	receive, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- a.Serve(t.Context(), in, out)
		out.Close()
	}()
	address := <-at
	page := func(path string) (int, string) {
		resp, err := http.Get("http://" + address + path) //nolint:noctx // loopback, in a test
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(raw)
	}
	replies := json.NewDecoder(receive)
	for i, message := range []string{
		`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"remember","arguments":{"text":"The quokka sleeps at noon."}}}`,
		`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"recall","arguments":{"query":"quokka"}}}`,
		`{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"recall","arguments":{"k":"many"}}}`,
	} {
		if _, err := io.WriteString(send, message+"\n"); err != nil {
			t.Fatal(err)
		}
		var reply struct{ ID int }
		if err := replies.Decode(&reply); err != nil || reply.ID != i {
			t.Fatalf("reply %d has id %d: %v", i, reply.ID, err)
		}
	}
	if code, said := page("/healthz"); code != http.StatusOK {
		t.Errorf("GET /healthz = %d %s", code, said)
	}
	if code, said := page("/readyz"); !strings.Contains(said, `{"name":"memory","ok":true}`) {
		t.Errorf("GET /readyz = %d %s", code, said)
	}
	if code, _ := page("/mcp"); code != http.StatusNotFound {
		t.Errorf("GET /mcp = %d, want 404", code)
	}
	_, metrics := page("/metrics")
	for _, line := range []string{
		`research_mcp_tool_calls_total{outcome="ok",tool="remember"} 1`,
		`research_mcp_tool_calls_total{outcome="ok",tool="recall"} 1`,
		`research_mcp_tool_calls_total{outcome="refused",tool="recall"} 1`,
		`research_mcp_memory_documents 1`,
	} {
		if !strings.Contains(metrics, "\n"+line) {
			t.Errorf("/metrics has no line %s", line)
		}
	}
	if problems, err := promlint.New(strings.NewReader(metrics)).Lint(); err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
	send.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestAnAddressThatIsTaken costs the metrics, not the server.
func TestAnAddressThatIsTaken(t *testing.T) {
	t.Parallel()
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	a := startWith(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"watch.address": strings.TrimPrefix(taken.URL, "http://")}, Options{})
	defer a.Close()
	if out := askOverStdio(t, a, attentionQuestion); !strings.Contains(out, `"id":2,"result"`) {
		t.Errorf("the call got no result: %s", out)
	}
}

// TestLimitsOfSources asks nothing: the limits are those of the public services.
func TestLimitsOfSources(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(config.Inputs{Sources: SourceDefaults(), Flags: map[string]string{"data_dir": t.TempDir(), "ollama.enabled": "false"}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	limited := 0
	for _, s := range a.sourceStates(a.hostsOf()) {
		if s.Breaker != "closed" {
			t.Errorf("%s was not asked, and its breaker is %s", s.Source, s.Breaker)
		}
		if s.Limited && s.Available > 0 {
			limited++
		}
	}
	if limited == 0 {
		t.Error("no source that is on has requests left, or none has a limit")
	}
}

func TestReadinessOfARunningProgram(t *testing.T) {
	t.Parallel()
	a := start(t, startWorld(t, world.Options{}), t.TempDir(), nil)
	h := a.health()
	ready := func() (int, string) {
		w := httptest.NewRecorder()
		h.Ready().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", http.NoBody))
		return w.Code, w.Body.String()
	}
	if code, said := ready(); code != http.StatusOK && !strings.Contains(said, `"failed":["disk"]`) { // the machine's disk may be full
		t.Errorf("GET /readyz = %d %s", code, said)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	h = a.health()
	if code, said := ready(); code != http.StatusServiceUnavailable || !strings.Contains(said, `{"name":"memory","ok":false}`) || strings.Contains(said, a.cfg.DataDir) {
		t.Errorf("GET /readyz with a closed memory = %d %s", code, said)
	}
}

func TestTheAuditLogOfRememberAndForget(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.log")
	a := start(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"watch.audit_log": path})
	ctx := tools.WithClient(t.Context(), "claude-code")
	kept, err := a.library.Remember(ctx, library.RememberRequest{Text: "The quokka sleeps at noon.", Title: "Quokkas at noon", Tags: []string{"marsupial"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, req := range []library.ForgetRequest{{IDs: []string{kept.DocumentID}, DryRun: true}, {IDs: []string{kept.DocumentID, "d_invented"}}, {Source: "note"}} {
		if _, err := a.library.Forget(ctx, req); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(raw)) {
		var r struct {
			Event, Phase, Caller, Client, Outcome string
			Documents                             int
			IDs                                   []string
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Caller != localCaller || r.Client != "claude-code" {
			t.Errorf("the caller of %s is %q by %q", line, r.Caller, r.Client)
		}
		what := r.Event + " " + r.Phase
		if r.Phase == "end" {
			what += " " + r.Outcome + " " + string(rune('0'+r.Documents)) + " " + strings.ReplaceAll(strings.Join(r.IDs, ","), kept.DocumentID, "ID")
		}
		got = append(got, what)
	}
	want := []string{"remember begin", "remember end ok 1 ID", "forget begin", "forget end ok 1 ID", "forget begin", "forget end ok 0 "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the audit log (-want +got):\n%s", diff)
	}
	for _, content := range []string{"uokka", "noon", "marsupial", "invented"} {
		if strings.Contains(string(raw), content) {
			t.Errorf("the audit log contains %q", content)
		}
	}
}

// TestWithoutAnAuditLogNothingChanges has a folder in the place of the audit log.
func TestWithoutAnAuditLogNothingChanges(t *testing.T) {
	t.Parallel()
	for _, required := range []string{"true", "false"} {
		path := filepath.Join(t.TempDir(), "audit.log")
		a := start(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"watch.audit_log": path, "watch.audit_required": required})
		kept, err := a.library.Remember(t.Context(), library.RememberRequest{Text: "The quokka sleeps at noon."})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err = a.library.Forget(t.Context(), library.ForgetRequest{IDs: []string{kept.DocumentID}})
		_, missing := a.library.Document(t.Context(), kept.DocumentID)
		if gone := missing != nil; gone == (required == "true") || (err != nil) != (required == "true") {
			t.Errorf("audit_required %s: forget returned %v, and the document is gone: %v", required, err, gone)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
