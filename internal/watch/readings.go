package watch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/research-mcp/research-mcp/memory/contract"
)

// Readings are read at a scrape. A nil one is left out.
type Readings struct {
	Runs     func() Runs
	Sources  func() []SourceState
	Requests func() Requests
	Memory   func(ctx context.Context) (contract.Stats, error)
	Children func() Children
	// Tenants are those that are open; nil also without MetricsOptions.Tenants.
	Tenants func(ctx context.Context) []TenantState
}

// TenantState is what is known of a tenant that is open.
type TenantState struct {
	Tenant          string
	Running, Queued int // questions
	Memory          contract.Stats
	MemoryUp        bool // it answered in time
}

// Runs counts questions.
type Runs struct {
	Running, Queued int
	Ended           map[string]uint64 // by status, from a fixed list
}

// SourceState is what is known of the hosts of a source that is on.
type SourceState struct {
	Source    string
	Breaker   string  // closed, half-open or open
	Limited   bool    // Available is known
	Available float64 // requests that can start at once; negative: so many wait
	InFlight  int
}

// Requests counts what went to the network, and what the cache answered.
type Requests struct {
	Sent, Failed       uint64
	Hits, Misses, Olds uint64 // of the cache; Olds replaced an answer of a host that failed
}

// Children counts isolated processes.
type Children struct {
	Idle, Busy int
	Started    uint64
	Failed     map[string]uint64 // tasks, by why: timeout, crash, output or task
}

// Bounds of what a scrape reads of the memory.
const (
	memoryWithin = 2 * time.Second
	memoryEvery  = 15 * time.Second
)

// reader is a prometheus.Collector of Readings.
type reader struct {
	read   Readings
	memory *recent[contract.Stats]

	runs, ended                    *prometheus.Desc
	breaker, available, inFlight   *prometheus.Desc
	sent, failed, cache            *prometheus.Desc
	documents, chunks, size        *prometheus.Desc
	sessions, stored, queue        *prometheus.Desc
	memoryUp                       *prometheus.Desc
	children, started, childFailed *prometheus.Desc

	tenants                                   *recent[[]TenantState]
	label                                     func(tenant string) string
	tenantRuns, tenantDocuments, tenantMemory *prometheus.Desc
}

// newReader returns a collector; label bounds the names of tenants.
func newReader(read Readings, label func(tenant string) string, log *slog.Logger) *reader {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	r := &reader{
		read:        read,
		label:       label,
		runs:        d("runs", "Questions now: running, or queued for a slot.", "state"),
		ended:       d("runs_ended_total", "Questions that have ended, by the status of their answers; error and cancelled have none.", "status"),
		breaker:     d("source_breaker_state", "1 for the state that the circuit breaker of the source is in: closed, half-open or open.", "source", "state"),
		available:   d("source_requests_available", "Requests that can start at once under the rate limit of the source; negative: so many wait.", "source"),
		inFlight:    d("source_requests_in_flight", "Requests to the source that wait or were sent.", "source"),
		sent:        d("fetch_requests_total", "HTTP requests sent to sources and pages."),
		failed:      d("fetch_requests_failed_total", "HTTP requests to sources and pages that gave no usable response."),
		cache:       d("cache_lookups_total", "Look-ups in the cache of responses: hit, miss, or stale (used because the host failed).", "result"),
		documents:   d("memory_documents", "Documents in the memory."),
		chunks:      d("memory_chunks", "Chunks in the memory."),
		size:        d("memory_size_bytes", "Size of the memory: its texts, or all that is stored.", "part"),
		sessions:    d("memory_sessions", "Sessions in the memory."),
		stored:      d("memory_runs", "Stored answers."),
		queue:       d("memory_vector_queue_chunks", "Chunks that wait for their vectors."),
		memoryUp:    d("memory_up", "1 if the memory answered the last scrape in time."),
		children:    d("isolated_processes", "Isolated child processes now, by state.", "state"),
		started:     d("isolated_processes_started_total", "Isolated child processes that were started."),
		childFailed: d("isolated_tasks_failed_total", "Tasks of isolated processes that failed, by reason.", "reason"),
	}
	r.tenantRuns = d("tenant_runs", "Questions of an open tenant now: running, or queued for a slot.", "tenant", "state")
	r.tenantDocuments = d("tenant_memory_documents", "Documents in the memory of an open tenant.", "tenant")
	r.tenantMemory = d("tenant_memory_size_bytes", "Size of the memory of an open tenant: its texts, or all that is stored.", "tenant", "part")
	if read.Tenants != nil {
		r.tenants = &recent[[]TenantState]{read: func(ctx context.Context) ([]TenantState, error) { return read.Tenants(ctx), nil }, within: memoryWithin, every: memoryEvery}
	}
	if read.Memory != nil {
		r.memory = &recent[contract.Stats]{read: func(ctx context.Context) (contract.Stats, error) {
			s, err := read.Memory(ctx)
			if err != nil {
				log.Warn("the state of the memory could not be read", "err", err)
			}
			return s, err
		}, within: memoryWithin, every: memoryEvery}
	}
	return r
}

// Describe implements prometheus.Collector.
func (r *reader) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{r.runs, r.ended, r.breaker, r.available, r.inFlight, r.sent, r.failed, r.cache, r.documents, r.chunks, r.size,
		r.sessions, r.stored, r.queue, r.memoryUp, r.children, r.started, r.childFailed, r.tenantRuns, r.tenantDocuments, r.tenantMemory} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (r *reader) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	if r.read.Runs != nil {
		now := r.read.Runs()
		gauge(r.runs, float64(now.Running), "running")
		gauge(r.runs, float64(now.Queued), "queued")
		for _, status := range sortedKeys(now.Ended) {
			count(r.ended, now.Ended[status], status)
		}
	}
	if r.read.Sources != nil {
		for _, s := range r.read.Sources() {
			r.source(gauge, s)
		}
	}
	if r.read.Requests != nil {
		n := r.read.Requests()
		count(r.sent, n.Sent)
		count(r.failed, n.Failed)
		count(r.cache, n.Hits, "hit")
		count(r.cache, n.Misses, "miss")
		count(r.cache, n.Olds, "stale")
	}
	if r.read.Children != nil {
		n := r.read.Children()
		gauge(r.children, float64(n.Idle), "idle")
		gauge(r.children, float64(n.Busy), "busy")
		count(r.started, n.Started)
		for _, why := range sortedKeys(n.Failed) {
			count(r.childFailed, n.Failed[why], why)
		}
	}
	r.collectMemory(gauge)
	r.collectTenants(gauge)
}

// collectTenants shows each tenant that has a label of its own; the others are too many.
func (r *reader) collectTenants(gauge func(*prometheus.Desc, float64, ...string)) {
	if r.tenants == nil {
		return
	}
	all, err := r.tenants.get()
	if err != nil { // they are left out, as the memory is
		return
	}
	for _, t := range all {
		name := r.label(t.Tenant)
		if name == other {
			continue
		}
		gauge(r.tenantRuns, float64(t.Running), name, "running")
		gauge(r.tenantRuns, float64(t.Queued), name, "queued")
		if t.MemoryUp {
			gauge(r.tenantDocuments, float64(t.Memory.Documents), name)
			gauge(r.tenantMemory, float64(t.Memory.TextBytes), name, "text")
			gauge(r.tenantMemory, float64(t.Memory.Bytes), name, "stored")
		}
	}
}

func (r *reader) source(gauge func(*prometheus.Desc, float64, ...string), s SourceState) {
	for _, state := range []string{"closed", "half-open", "open"} {
		v := 0.0
		if s.Breaker == state {
			v = 1
		}
		gauge(r.breaker, v, s.Source, state)
	}
	if s.Limited {
		gauge(r.available, s.Available, s.Source)
	}
	gauge(r.inFlight, float64(s.InFlight), s.Source)
}

// collectMemory leaves the sizes out if the memory does not answer: an old number would
// hide that.
func (r *reader) collectMemory(gauge func(*prometheus.Desc, float64, ...string)) {
	if r.memory == nil {
		return
	}
	s, err := r.memory.get()
	if err != nil {
		gauge(r.memoryUp, 0)
		return
	}
	gauge(r.memoryUp, 1)
	gauge(r.documents, float64(s.Documents))
	gauge(r.chunks, float64(s.Chunks))
	gauge(r.size, float64(s.TextBytes), "text")
	gauge(r.size, float64(s.Bytes), "stored")
	gauge(r.sessions, float64(s.Sessions))
	gauge(r.stored, float64(s.Runs))
	waiting := 0
	if s.Queue != nil {
		waiting = s.Queue.Chunks
	}
	gauge(r.queue, float64(waiting))
}

// recent is a reading that is costly or may hang: it is made at most once at a time and
// once in every, and waited for within.
type recent[T any] struct {
	read          func(context.Context) (T, error)
	within, every time.Duration

	mu    sync.Mutex
	busy  chan struct{} // closed when the reading under way has ended; nil: there is none
	at    time.Time
	value T
	err   error
}

// get returns the latest reading. Its error is context.DeadlineExceeded if there is none
// in time.
func (r *recent[T]) get() (T, error) {
	r.mu.Lock()
	if !r.at.IsZero() && time.Since(r.at) < r.every {
		defer r.mu.Unlock()
		return r.value, r.err
	}
	if r.busy == nil {
		r.busy = make(chan struct{})
		go r.refresh(r.busy) // it ends with its time limit
	}
	busy := r.busy
	r.mu.Unlock()
	patience := time.NewTimer(r.within)
	defer patience.Stop()
	select {
	case <-busy:
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.value, r.err
	case <-patience.C:
		var none T
		return none, context.DeadlineExceeded
	}
}

func (r *recent[T]) refresh(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), r.within)
	defer cancel()
	value, err := r.read(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value, r.err, r.at, r.busy = value, err, time.Now(), nil
	close(done)
}
