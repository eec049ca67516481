package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/span"
)

// closeWithin is TraceOptions.CloseWithin where it is 0.
const closeWithin = 900 * time.Millisecond

// exportErrorsEvery is how often the log names a failing export.
const exportErrorsEvery = time.Minute

// TraceOptions configure OpenTraces.
type TraceOptions struct {
	Getenv   func(string) string // os.Getenv; the SDK itself reads its variables (OTEL_BSP_…, OTEL_TRACES_SAMPLER, …) from the process
	Version  string              // of this program
	Contents bool                // spans have questions, too
	Stderr   io.Writer           // for OTEL_TRACES_EXPORTER=console
	Log      *slog.Logger

	// CloseWithin bounds what the end of the program waits for the last spans; 0: 900 ms.
	CloseWithin time.Duration
}

// Traces exports the spans of calls. Spans wait in a bounded queue; what a collector
// does not take in time is dropped, and no call waits for it. It is safe for
// concurrent use. A nil *Traces traces nothing.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	stop     func() // cuts exports short
	contents bool
	within   time.Duration // of Close
}

// TracesWanted reports whether the environment asks for traces.
func TracesWanted(getenv func(string) string) bool {
	if strings.EqualFold(strings.TrimSpace(getenv("OTEL_SDK_DISABLED")), "true") {
		return false
	}
	if named := strings.TrimSpace(getenv("OTEL_TRACES_EXPORTER")); named != "" {
		return named != "none"
	}
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// OpenTraces starts the export that the OTEL_ variables ask for, or returns nil where
// they ask for none. It makes no request. Its error is an *evidence.Problem that names
// the variable. Close it.
func OpenTraces(o TraceOptions) (*Traces, error) {
	if !TracesWanted(o.Getenv) {
		return nil, nil
	}
	exporter, stop, err := newExporter(o)
	if err != nil {
		return nil, err
	}
	q := &quiet{SpanExporter: exporter, log: o.Log}
	provider := sdk.NewTracerProvider(
		sdk.WithBatcher(q),
		sdk.WithResource(describe(o)),
	)
	return &Traces{provider: provider, tracer: provider.Tracer("github.com/research-mcp/research-mcp", trace.WithInstrumentationVersion(o.Version)), stop: func() { stop(); q.close() }, contents: o.Contents, within: cmp.Or(o.CloseWithin, closeWithin)}, nil
}

func newExporter(o TraceOptions) (exporter sdk.SpanExporter, stop func(), err error) {
	switch named := strings.TrimSpace(o.Getenv("OTEL_TRACES_EXPORTER")); named {
	case "", "otlp":
		client, err := newOTLP(o.Getenv)
		if err != nil {
			return nil, nil, err
		}
		exporter, err := otlptrace.New(context.Background(), client)
		return exporter, func() { _ = client.Stop(context.Background()) }, err
	case "console": // stdout belongs to the protocol
		exporter, err := stdouttrace.New(stdouttrace.WithWriter(o.Stderr))
		return exporter, func() {}, err
	default:
		return nil, nil, badVariable("OTEL_TRACES_EXPORTER", named, "otlp, console or none")
	}
}

// describe is the resource: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go over our own.
func describe(o TraceOptions) *resource.Resource {
	own := resource.NewSchemaless(attribute.String("service.name", "research-mcp"), attribute.String("service.version", o.Version))
	var said []attribute.KeyValue
	for pair := range strings.SplitSeq(o.Getenv("OTEL_RESOURCE_ATTRIBUTES"), ",") {
		if k, v, ok := strings.Cut(pair, "="); ok && strings.TrimSpace(k) != "" {
			said = append(said, attribute.String(strings.TrimSpace(k), strings.TrimSpace(v)))
		}
	}
	if name := o.Getenv("OTEL_SERVICE_NAME"); name != "" {
		said = append(said, attribute.String("service.name", name))
	}
	merged, err := resource.Merge(own, resource.NewSchemaless(said...))
	if err != nil { // only schemas can conflict
		return own
	}
	return merged
}

// Close sends what is left and ends the export, within CloseWithin.
func (t *Traces) Close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), t.within)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // quiet has logged why
	t.stop()
}

// Call starts the span of a call, as a part of the trace that carrier names (fields
// traceparent and tracestate), or else of the one in ctx; see Headers.
func (t *Traces) Call(ctx context.Context, tool string, carrier map[string]string) (context.Context, span.Span) {
	if t == nil {
		return ctx, span.From(ctx)
	}
	if len(carrier) > 0 {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier(carrier))
	}
	ctx, s := t.tracer.Start(ctx, "tools/call "+tool, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("mcp.method.name", "tools/call"), attribute.String("gen_ai.tool.name", tool), attribute.String("gen_ai.operation.name", "execute_tool")))
	out := &otelSpan{traces: t, span: s}
	return span.With(ctx, out), out
}

// Headers passes the trace of a request's traceparent header on to its calls.
func (t *Traces) Headers(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// otelSpan implements span.Span.
type otelSpan struct {
	traces *Traces
	span   trace.Span
}

// prefix of our own attributes.
const prefix = "research_mcp."

// Child implements span.Span.
func (s *otelSpan) Child(name string) span.Span {
	_, child := s.traces.tracer.Start(trace.ContextWithSpan(context.Background(), s.span), name)
	return &otelSpan{traces: s.traces, span: child}
}

// Set implements span.Span.
func (s *otelSpan) Set(key string, value any) {
	at := attribute.Key(prefix + key)
	switch v := value.(type) {
	case bool:
		s.span.SetAttributes(at.Bool(v))
	case int:
		s.span.SetAttributes(at.Int(v))
	case int64:
		s.span.SetAttributes(at.Int64(v))
	case float64:
		s.span.SetAttributes(at.Float64(v))
	case string:
		s.span.SetAttributes(at.String(v))
	}
}

// SetContent implements span.Span.
func (s *otelSpan) SetContent(key, value string) {
	if s.traces.contents {
		s.Set(key, value)
	}
}

// End implements span.Span.
func (s *otelSpan) End(err error) {
	if err != nil {
		kind := errorKind(err)
		s.span.SetAttributes(attribute.String("error.type", kind))
		s.span.SetStatus(codes.Error, kind) // the error's text may quote the question or an address
	}
	s.span.End()
}

// errorKind names the kind of an error from a fixed list.
func errorKind(err error) string {
	var p *evidence.Problem
	var kind interface{ SourceKind() string }
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &kind):
		return cmp.Or(kind.SourceKind(), "error")
	case errors.As(err, &p):
		return "refused"
	}
	return "error"
}

// quiet logs the errors of an exporter, but not each: a collector may be down for long.
type quiet struct {
	sdk.SpanExporter
	log *slog.Logger

	mu      sync.Mutex
	next    time.Time
	lost    int // spans since the last line of the log
	closed  bool
	exports sync.WaitGroup // under way
}

// close waits for the exports under way, which have been cut short. Later ones do nothing.
func (q *quiet) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.exports.Wait()
}

// begin reports whether spans are still exported.
func (q *quiet) begin() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.exports.Add(1)
	}
	return !q.closed
}

// ExportSpans implements sdk.SpanExporter. It returns no error: the SDK would write it to
// a log of its own.
func (q *quiet) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if !q.begin() {
		return nil
	}
	defer q.exports.Done()
	err := q.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.lost += len(spans)
	if now := time.Now(); now.After(q.next) {
		q.next = now.Add(exportErrorsEvery)
		q.log.Warn("spans were not exported", "spans", q.lost, "err", fmt.Sprint(err))
		q.lost = 0
	}
	return nil
}
