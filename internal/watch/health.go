package watch

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a check: whoever reaches the server may ask for it.
const (
	checkWithin = 2 * time.Second
	checkEvery  = time.Second
)

// Check is a condition of being ready. Run returns why it does not hold; the reason goes
// to the log, since it may have paths, and the name to the caller.
type Check struct {
	Name string
	Run  func(ctx context.Context) error
}

// Health answers /healthz and /readyz. It is safe for concurrent use.
type Health struct {
	log    *slog.Logger
	checks []*probe
	ending atomic.Bool
}

// NewHealth returns a Health that is ready while all checks hold.
func NewHealth(log *slog.Logger, checks ...Check) *Health {
	h := &Health{log: log}
	for _, c := range checks {
		h.checks = append(h.checks, &probe{Check: c, log: log})
	}
	return h
}

// Ending makes the server not ready: no new work is to be sent to it.
func (h *Health) Ending() { h.ending.Store(true) }

// health is the answer of both handlers.
type health struct {
	Status string   `json:"status"` // ok; or failing
	Failed []string `json:"failed,omitempty"`
	Checks []result `json:"checks,omitempty"`
}

type result struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
}

// Live answers 200 as long as the process can answer.
func (h *Health) Live() http.Handler {
	return onlyRead(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, health{Status: "ok"})
	})
}

// Ready answers 200, or 503 with the names of the checks that fail.
func (h *Health) Ready() http.Handler {
	return onlyRead(func(w http.ResponseWriter, _ *http.Request) {
		out := health{Status: "ok", Checks: h.results()}
		code := http.StatusOK
		for _, c := range out.Checks {
			if !c.OK {
				out.Failed = append(out.Failed, c.Name)
				out.Status, code = "failing", http.StatusServiceUnavailable
			}
		}
		reply(w, code, out)
	})
}

// results runs all checks at once.
func (h *Health) results() []result {
	out := make([]result, len(h.checks), len(h.checks)+1)
	var all sync.WaitGroup
	for i, c := range h.checks {
		all.Go(func() { out[i] = result{Name: c.Name, OK: c.holds()} })
	}
	all.Wait()
	return append(out, result{Name: "running", OK: !h.ending.Load()})
}

func onlyRead(serve http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		serve(w, r)
	})
}

func reply(w http.ResponseWriter, code int, body health) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the caller may have left
}

// probe runs a check at most once at a time and once in checkEvery.
type probe struct {
	Check
	log *slog.Logger

	once  sync.Once
	state *recent[struct{}]

	mu     sync.Mutex
	failed bool
}

// holds reports whether the check held just now. A check that hangs does not.
func (p *probe) holds() bool {
	p.once.Do(func() {
		p.state = &recent[struct{}]{within: checkWithin, every: checkEvery, read: func(ctx context.Context) (struct{}, error) {
			return struct{}{}, p.Run(ctx)
		}}
	})
	_, err := p.state.get()
	p.mu.Lock()
	defer p.mu.Unlock()
	if failed := err != nil; failed != p.failed { // once, however often it is asked
		p.failed = failed
		p.log.Warn("the server's readiness changed", "check", p.Name, "ok", !failed, "err", err)
	}
	return err == nil
}
