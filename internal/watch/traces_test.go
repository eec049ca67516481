package watch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/span"
	"github.com/research-mcp/research-mcp/internal/watch"
	"github.com/research-mcp/research-mcp/server"
)

// receiver is a collector of OTLP over HTTP.
type receiver struct {
	*httptest.Server
	answer func(n int) int // status of the nth request; nil: 200

	mu       sync.Mutex
	requests []*http.Request
	spans    []*tracepb.Span
	resource string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	var body io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(req.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = z
	}
	raw, _ := io.ReadAll(body)
	var batch collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(raw, &batch); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, req)
	if r.answer != nil {
		if code := r.answer(len(r.requests)); code != http.StatusOK {
			w.WriteHeader(code)
			return
		}
	}
	for _, rs := range batch.ResourceSpans {
		for _, a := range rs.GetResource().GetAttributes() {
			r.resource += a.Key + "=" + a.Value.GetStringValue() + " "
		}
		for _, s := range rs.ScopeSpans {
			r.spans = append(r.spans, s.Spans...)
		}
	}
}

func (r *receiver) span(t *testing.T, name string) *tracepb.Span {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("the collector got no span %q of %d", name, len(r.spans))
	return nil
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func open(t *testing.T, o watch.TraceOptions) *watch.Traces {
	t.Helper()
	if o.Log == nil {
		o.Log = discard
	}
	if o.CloseWithin == 0 {
		o.CloseWithin = time.Minute // for failure only
	}
	traces, err := watch.OpenTraces(o)
	if err != nil || traces == nil {
		t.Fatalf("OpenTraces = %v, %v", traces, err)
	}
	return traces
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// work makes a call with two steps, one in the other.
func work(t *testing.T, traces *watch.Traces, ctx context.Context, carrier map[string]string) {
	t.Helper()
	ctx, end := watch.Calls{Traces: traces}.Begin(ctx, "research", carrier)
	inner, s := span.Start(ctx, "source")
	s.Set("source", "wikipedia")
	s.Set("documents", 4)
	s.SetContent("keywords", "quillon engine")
	_, failing := span.Start(inner, "fetch")
	failing.End(errors.New("GET https://example.org/secret?q=quillon failed"))
	s.End(nil)
	end(server.OutcomeOK, nil)
}

func attributes(s *tracepb.Span) string {
	var out []string
	for _, a := range s.Attributes {
		out = append(out, a.Key+"="+a.Value.GetStringValue())
	}
	return strings.Join(out, " ")
}

func TestSpansReachACollector(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	traces := open(t, watch.TraceOptions{Version: "1.2.3", Getenv: env("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL+"/", "OTEL_SERVICE_NAME", "team", "OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test",
		"OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0k,x-scope=a", "OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")})
	work(t, traces, t.Context(), map[string]string{"traceparent": parent})
	traces.Close()
	call, source, fetch := r.span(t, "tools/call research"), r.span(t, "source"), r.span(t, "fetch")
	if got := hex.EncodeToString(call.TraceId); got != "0af7651916cd43dd8448eb211c80319c" || hex.EncodeToString(call.ParentSpanId) != "b7ad6b7169203331" {
		t.Errorf("the call is in trace %s below %x, want that of %s", got, call.ParentSpanId, parent)
	}
	if !bytes.Equal(source.ParentSpanId, call.SpanId) || !bytes.Equal(fetch.ParentSpanId, source.SpanId) {
		t.Error("the steps are not nested as they were started")
	}
	if got := attributes(call); !strings.Contains(got, "gen_ai.tool.name=research") || !strings.Contains(got, "research_mcp.outcome=ok") || call.Kind != tracepb.Span_SPAN_KIND_SERVER {
		t.Errorf("the call has the attributes %s and is a %s", got, call.Kind)
	}
	if got := attributes(source); got != "research_mcp.source=wikipedia research_mcp.documents=" {
		t.Errorf("the source has the attributes %s", got)
	}
	if fetch.Status.Code != tracepb.Status_STATUS_CODE_ERROR || fetch.Status.Message != "error" || strings.Contains(attributes(fetch), "quillon") {
		t.Errorf("a step that failed has status %v and attributes %s; the text of an error is no part of them", fetch.Status, attributes(fetch))
	}
	for _, want := range []string{"service.name=team ", "service.version=1.2.3 ", "deployment.environment=test "} {
		if !strings.Contains(r.resource, want) {
			t.Errorf("the resource is %s, want %s in it", r.resource, want)
		}
	}
	req := r.requests[0]
	if req.URL.Path != "/v1/traces" || req.Header.Get("Authorization") != "Bearer t0k" || req.Header.Get("X-Scope") != "a" || req.Header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("the collector was asked at %s with %v", req.URL.Path, req.Header)
	}
}

func TestQuestionsAreTracedOnlyIfWanted(t *testing.T) {
	t.Parallel()
	for _, wanted := range []bool{false, true} {
		r := newReceiver(t)
		traces := open(t, watch.TraceOptions{Contents: wanted, Getenv: env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", r.URL+"/own")})
		work(t, traces, t.Context(), nil)
		traces.Close()
		if got := strings.Contains(attributes(r.span(t, "source")), "quillon engine"); got != wanted {
			t.Errorf("Contents: %v, and the keywords are in the span: %v", wanted, got)
		}
		if at := r.requests[0].URL.Path; at != "/own" {
			t.Errorf("the endpoint of traces was asked at %s, want it as it stands", at)
		}
	}
}

func TestTheTraceOfAHeader(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	traces := open(t, watch.TraceOptions{Getenv: env("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL)})
	h := traces.Headers(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		carrier := map[string]string(nil)
		if req.URL.Path == "/meta" {
			carrier = map[string]string{"traceparent": parent}
		}
		work(t, traces, req.Context(), carrier)
	}))
	for _, path := range []string{"/header", "/meta"} {
		req := httptest.NewRequest(http.MethodPost, path, http.NoBody)
		req.Header.Set("Traceparent", "00-11111111111111111111111111111111-2222222222222222-01")
		h.ServeHTTP(httptest.NewRecorder(), req)
	}
	bad := httptest.NewRequest(http.MethodPost, "/bad", http.NoBody)
	bad.Header.Set("Traceparent", "00-not-a-trace")
	h.ServeHTTP(httptest.NewRecorder(), bad)
	traces.Close()
	var got []string
	for _, s := range r.spans {
		if s.Name == "tools/call research" {
			got = append(got, hex.EncodeToString(s.TraceId))
		}
	}
	if len(got) != 3 || got[0] != strings.Repeat("1", 32) || got[1] != "0af7651916cd43dd8448eb211c80319c" || got[2] == got[0] || got[2] == got[1] {
		t.Errorf("the calls are in the traces %q: want the header's, that of _meta, and a new one", got)
	}
}

// TestACollectorThatHangs delays no call, and not the end of the program beyond Close's
// bound: the collector answers only after Close has returned.
func TestACollectorThatHangs(t *testing.T) {
	t.Parallel()
	release, asked := make(chan struct{}), make(chan struct{}, 100)
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		asked <- struct{}{}
		<-release
	}))
	defer hung.Close()
	defer close(release)
	traces := open(t, watch.TraceOptions{Getenv: env("OTEL_EXPORTER_OTLP_ENDPOINT", hung.URL), CloseWithin: time.Second})
	for range 3000 { // more than the queue holds
		work(t, traces, t.Context(), nil)
	}
	<-asked
	traces.Close()
	traces.Close() // does no harm
}

func TestACollectorThatIsDown(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	var log bytes.Buffer
	traces := open(t, watch.TraceOptions{Getenv: env("OTEL_EXPORTER_OTLP_ENDPOINT", gone.URL, "OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0psecret"), Log: slog.New(slog.NewTextHandler(&log, nil)), CloseWithin: time.Second})
	work(t, traces, t.Context(), nil)
	traces.Close()
	if strings.Contains(log.String(), "t0psecret") {
		t.Errorf("the log has the collector's key: %s", &log)
	}
}

func TestACollectorThatRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		answers  []int
		requests int
		arrives  bool
	}{
		{"busy, then free", []int{503, 200}, 2, true},
		{"refuses", []int{400}, 1, false},
		{"redirects", []int{307}, 1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t)
			r.answer = func(n int) int { return c.answers[min(n, len(c.answers))-1] }
			client, err := watch.NewOTLP(env("OTEL_EXPORTER_OTLP_ENDPOINT", r.URL))
			if err != nil {
				t.Fatal(err)
			}
			err = client.UploadTraces(t.Context(), []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{Name: "x"}}}}}})
			if len(r.requests) != c.requests || (len(r.spans) == 1) != c.arrives || (err == nil) != c.arrives {
				t.Errorf("a collector that answers %v was asked %d times and got %d spans: %v", c.answers, len(r.requests), len(r.spans), err)
			}
		})
	}
}

func TestWhichVariablesTrace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		env  []string
		on   bool
		bad  string // what the error names
	}{
		{"none", nil, false, ""},
		{"an endpoint", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"}, true, ""},
		{"an exporter", []string{"OTEL_TRACES_EXPORTER", "otlp"}, true, ""},
		{"console", []string{"OTEL_TRACES_EXPORTER", "console"}, true, ""},
		{"no exporter", []string{"OTEL_TRACES_EXPORTER", "none", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"}, false, ""},
		{"disabled", []string{"OTEL_SDK_DISABLED", "TRUE", "OTEL_TRACES_EXPORTER", "otlp"}, false, ""},
		{"an unknown exporter", []string{"OTEL_TRACES_EXPORTER", "zipkin"}, false, "OTEL_TRACES_EXPORTER"},
		{"gRPC", []string{"OTEL_TRACES_EXPORTER", "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, false, "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{"no URL", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"}, false, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{"a password in a bad URL", []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://u:t0psecret@h/"}, false, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
		{"a bad time-out", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", "OTEL_EXPORTER_OTLP_TIMEOUT", "10s"}, false, "OTEL_EXPORTER_OTLP_TIMEOUT"},
		{"bad headers", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", "OTEL_EXPORTER_OTLP_HEADERS", "t0psecret"}, false, "OTEL_EXPORTER_OTLP_HEADERS"},
		{"no such CA", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://h", "OTEL_EXPORTER_OTLP_CERTIFICATE", "/does/not/exist"}, false, "OTEL_EXPORTER_OTLP_CERTIFICATE"},
		{"unknown compression", []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "zstd"}, false, "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			traces, err := watch.OpenTraces(watch.TraceOptions{Getenv: env(c.env...), Stderr: io.Discard, Log: discard})
			t.Cleanup(traces.Close) // of nil, too
			var p *evidence.Problem
			switch {
			case c.bad == "" && err != nil, (traces != nil) != c.on:
				t.Errorf("OpenTraces = %v, %v, want traces: %v", traces, err, c.on)
			case c.bad != "" && (!errors.As(err, &p) || !strings.Contains(p.What, c.bad) || strings.Contains(err.Error(), "t0psecret")):
				t.Errorf("OpenTraces = %v, want a Problem that names %s and no secret", err, c.bad)
			}
		})
	}
}
