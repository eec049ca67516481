package watch_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/watch"
	"github.com/research-mcp/research-mcp/memory/contract"
	"github.com/research-mcp/research-mcp/server"
)

var discard = slog.New(slog.DiscardHandler)

func readings() watch.Readings {
	return watch.Readings{
		Runs: func() watch.Runs {
			return watch.Runs{Running: 2, Queued: 1, Ended: map[string]uint64{evidence.Answered: 7, "error": 1}}
		},
		Sources: func() []watch.SourceState {
			return []watch.SourceState{{Source: "wikipedia", Breaker: "open", Limited: true, Available: -2, InFlight: 3}, {Source: "files", Breaker: "closed"}}
		},
		Requests: func() watch.Requests { return watch.Requests{Sent: 9, Failed: 2, Hits: 5, Misses: 4, Olds: 1} },
		Memory: func(context.Context) (contract.Stats, error) {
			return contract.Stats{Documents: 3, Chunks: 12, TextBytes: 1000, Bytes: 5000, Sessions: 2, Runs: 1, Queue: &contract.Queue{Chunks: 6}}, nil
		},
		Children: func() watch.Children {
			return watch.Children{Idle: 1, Busy: 2, Started: 8, Failed: map[string]uint64{"timeout": 3}}
		},
	}
}

func scrape(t *testing.T, m *watch.Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	if w.Code != http.StatusOK {
		t.Fatalf("GET /metrics = %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// call makes a call that ends with that outcome.
func call(c watch.Calls, ctx context.Context, tool, outcome string, err error) {
	_, end := c.Begin(ctx, tool, nil)
	end(outcome, err)
}

func TestMetricsShowWhatHappened(t *testing.T) {
	t.Parallel()
	m := watch.NewMetrics(watch.MetricsOptions{Version: "1.2.3", Revision: "abc", Tools: []string{"research", "recall"}, Read: readings(), Log: discard})
	c := watch.Calls{Metrics: m}
	call(c, t.Context(), "research", server.OutcomeOK, nil)
	call(c, t.Context(), "research", server.OutcomeError, errors.New("x"))
	call(c, t.Context(), "an invented tool", server.OutcomeOK, nil)
	_, running := c.Begin(t.Context(), "recall", nil)
	m.Searched("wikipedia", evidence.StatusOK, 300*time.Millisecond)
	page := scrape(t, m)
	running(server.OutcomeOK, nil)
	for _, line := range []string{
		`research_mcp_tool_calls_total{outcome="ok",tool="research"} 1`,
		`research_mcp_tool_calls_total{outcome="error",tool="research"} 1`,
		`research_mcp_tool_calls_total{outcome="cancelled",tool="recall"} 0`,
		`research_mcp_tool_calls_total{outcome="ok",tool="other"} 1`,
		`research_mcp_tool_call_duration_seconds_count{outcome="ok",tool="research"} 1`,
		`research_mcp_tool_calls_in_flight{tool="recall"} 1`,
		`research_mcp_source_searches_total{source="wikipedia",status="ok"} 1`,
		`research_mcp_source_search_duration_seconds_bucket{source="wikipedia",le="0.5"} 1`,
		`research_mcp_runs{state="queued"} 1`,
		`research_mcp_runs_ended_total{status="answered"} 7`,
		`research_mcp_source_breaker_state{source="wikipedia",state="open"} 1`,
		`research_mcp_source_breaker_state{source="wikipedia",state="closed"} 0`,
		`research_mcp_source_requests_available{source="wikipedia"} -2`,
		`research_mcp_cache_lookups_total{result="hit"} 5`,
		`research_mcp_memory_documents 3`,
		`research_mcp_memory_size_bytes{part="stored"} 5000`,
		`research_mcp_memory_vector_queue_chunks 6`,
		`research_mcp_memory_up 1`,
		`research_mcp_isolated_processes{state="busy"} 2`,
		`research_mcp_isolated_tasks_failed_total{reason="timeout"} 3`,
		`research_mcp_build_info{revision="abc",version="1.2.3"} 1`,
		`go_goroutines `, `process_open_fds `,
	} {
		if !strings.Contains(page, "\n"+line) {
			t.Errorf("/metrics has no line %s", line)
		}
	}
	if strings.Contains(page, `source_requests_available{source="files"}`) || strings.Contains(page, "invented") {
		t.Error("/metrics shows a limit of a source that has none, or the name of a tool that does not exist")
	}
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("promlint: %v %v", problems, err)
	}
}

func TestTenantsAreLabelsOnlyIfWanted(t *testing.T) {
	t.Parallel()
	tenant := func(ctx context.Context) string { return fmt.Sprint(ctx.Value(tenantKey{})) }
	for _, wanted := range []bool{false, true} {
		m := watch.NewMetrics(watch.MetricsOptions{Tools: []string{"recall"}, Tenants: wanted, Log: discard})
		c := watch.Calls{Metrics: m, Tenant: tenant}
		for i := range 300 {
			call(c, context.WithValue(t.Context(), tenantKey{}, fmt.Sprintf("tenant%d", i)), "recall", server.OutcomeOK, nil)
		}
		page := scrape(t, m)
		if got := strings.Contains(page, `tenant="tenant7"`); got != wanted {
			t.Errorf("Tenants: %v, and tenant7 is a label: %v", wanted, got)
		}
		if n := strings.Count(page, "research_mcp_tool_calls_total{"); n > 250 {
			t.Errorf("Tenants: %v, and 300 tenants make %d series, want at most 250", wanted, n)
		}
		if wanted && !strings.Contains(page, `research_mcp_tool_calls_total{outcome="ok",tenant="other",tool="recall"} 100`) {
			t.Error("the tenants without series of their own are not counted as other")
		}
	}
}

type tenantKey struct{}

// TestAScrapeIsBounded has a memory that never answers: the rest is shown, and it is not
// asked twice at once.
func TestAScrapeIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		release := make(chan struct{})
		read := readings()
		read.Memory = func(context.Context) (contract.Stats, error) {
			asked.Add(1)
			<-release
			return contract.Stats{Documents: 99}, nil
		}
		m := watch.NewMetrics(watch.MetricsOptions{Read: read, Log: discard})
		begun := time.Now()
		for range 3 {
			if page := scrape(t, m); !strings.Contains(page, "\nresearch_mcp_memory_up 0") || strings.Contains(page, "\nresearch_mcp_memory_documents") || !strings.Contains(page, "\nresearch_mcp_runs{") {
				t.Errorf("with a memory that hangs, /metrics = %s", page)
			}
		}
		if took := time.Since(begun); took > 7*time.Second || asked.Load() != 1 {
			t.Errorf("three scrapes took %s and asked the memory %d times", took, asked.Load())
		}
		close(release)
		synctest.Wait()
		if page := scrape(t, m); !strings.Contains(page, "\nresearch_mcp_memory_documents 99") {
			t.Error("the memory answers again, and /metrics does not show it")
		}
	})
}

func TestSizesAreReadSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		m := watch.NewMetrics(watch.MetricsOptions{Log: discard, Read: watch.Readings{Memory: func(context.Context) (contract.Stats, error) {
			asked.Add(1)
			return contract.Stats{}, nil
		}}})
		for range 10 {
			scrape(t, m)
			time.Sleep(2 * time.Second)
		}
		if asked.Load() != 2 {
			t.Errorf("ten scrapes in 20 s asked the memory %d times, want 2", asked.Load())
		}
	})
}

// BenchmarkCall is what a call costs that is counted.
func BenchmarkCall(b *testing.B) {
	c := watch.Calls{Metrics: watch.NewMetrics(watch.MetricsOptions{Tools: []string{"recall"}, Log: discard})}
	for b.Loop() {
		call(c, b.Context(), "recall", server.OutcomeOK, nil)
	}
}
