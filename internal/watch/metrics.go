package watch

import (
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/server"
)

// namespace begins the name of every metric of ours.
const namespace = "research_mcp"

// mostTenants is how many tenants have time series of their own; further ones share one.
const mostTenants = 200

// other is the label of what has none of its own.
const other = "other"

// MetricsOptions configure NewMetrics.
type MetricsOptions struct {
	Version, Revision string
	Tools             []string // names; calls of others are counted as "other"
	Sources           []string // names of those that are on
	Tenants           bool     // the tenant is a label of calls, and Read.Tenants is read
	Read              Readings
	Log               *slog.Logger
}

// Metrics counts what happens, and shows it to Prometheus. It is safe for concurrent
// use. A nil *Metrics counts nothing.
type Metrics struct {
	registry *prometheus.Registry
	log      *slog.Logger
	tools    []string
	tenants  bool

	calls    *prometheus.CounterVec
	took     *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	searches *prometheus.CounterVec
	searched *prometheus.HistogramVec

	mu   sync.Mutex
	seen map[string]bool // tenants
}

// NewMetrics makes a registry of its own.
func NewMetrics(o MetricsOptions) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), log: o.Log, tools: o.Tools, tenants: o.Tenants, seen: map[string]bool{}}
	labels := []string{"tool", "outcome"}
	if o.Tenants {
		labels = append(labels, "tenant")
	}
	m.calls = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "tool_calls_total", Help: "Calls of tools that have ended, by outcome: ok, refused (the caller can correct it), asked (a person first), cancelled or error."}, labels)
	m.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "tool_call_duration_seconds", Help: "Time that calls of tools took.",
		Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}}, []string{"tool", "outcome"})
	m.inFlight = prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "tool_calls_in_flight", Help: "Calls of tools that run or wait now."}, []string{"tool"})
	m.searches = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "source_searches_total", Help: "Searches of sources, by status: ok, empty, cached, timeout, throttled or error."}, []string{"source", "status"})
	m.searched = prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: "source_search_duration_seconds", Help: "Time that searches of sources took.",
		Buckets: []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30}}, []string{"source"})
	info := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "build_info", Help: "The version that runs; always 1.", ConstLabels: prometheus.Labels{"version": o.Version, "revision": o.Revision}})
	info.Set(1)
	if !o.Tenants {
		o.Read.Tenants = nil
	}
	m.prepare(o)
	m.registry.MustRegister(m.calls, m.took, m.inFlight, m.searches, m.searched, info, newReader(o.Read, m.tenant, o.Log),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// prepare makes the series that are known: a rate needs one before its first event.
func (m *Metrics) prepare(o MetricsOptions) {
	for _, tool := range o.Tools {
		m.inFlight.WithLabelValues(tool)
		for _, outcome := range server.Outcomes() {
			if !o.Tenants {
				m.calls.WithLabelValues(tool, outcome)
			}
		}
		m.took.WithLabelValues(tool, server.OutcomeOK)
	}
	for _, source := range o.Sources {
		for _, status := range []string{evidence.StatusOK, evidence.StatusEmpty, evidence.StatusCached, evidence.StatusTimeout, evidence.StatusThrottled, evidence.StatusError} {
			m.searches.WithLabelValues(source, status)
		}
		m.searched.WithLabelValues(source)
	}
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorLog: scrapeLog{m.log}, ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: mostScrapes, Timeout: scrapeWithin})
}

// Bounds of scrapes: they may be open to the network.
const (
	mostScrapes  = 4
	scrapeWithin = 10 * time.Second
)

// scrapeLog implements promhttp.Logger.
type scrapeLog struct{ log *slog.Logger }

func (l scrapeLog) Println(v ...any) { l.log.Warn("a scrape of metrics was not complete", "err", v) }

// begin counts a call that begins. The returned function counts its end.
func (m *Metrics) begin(tool string) func(outcome, tenant string, took time.Duration) {
	if m == nil {
		return func(string, string, time.Duration) {}
	}
	if !slices.Contains(m.tools, tool) {
		tool = other
	}
	running := m.inFlight.WithLabelValues(tool)
	running.Inc()
	return func(outcome, tenant string, took time.Duration) {
		running.Dec()
		labels := []string{tool, outcome}
		if m.tenants {
			labels = append(labels, m.tenant(tenant))
		}
		m.calls.WithLabelValues(labels...).Inc()
		m.took.WithLabelValues(tool, outcome).Observe(took.Seconds())
	}
}

// tenant bounds the number of labels.
func (m *Metrics) tenant(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.seen[name] && len(m.seen) >= mostTenants {
		return other
	}
	m.seen[name] = true
	return name
}

// Searched counts a search of a source. Sources and statuses come from fixed lists.
func (m *Metrics) Searched(source, status string, took time.Duration) {
	if m == nil {
		return
	}
	m.searches.WithLabelValues(source, status).Inc()
	m.searched.WithLabelValues(source).Observe(took.Seconds())
}

// sortedKeys are the keys of m in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
