// Package world simulates a few services on loopback: servers with the APIs of
// Wikipedia and Hacker News, articles and discussions written for it, chosen
// latencies, and faults on demand. The demo and tests run the real program against
// it.
package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Names of the sources that the world simulates.
const (
	wikipedia  = "wikipedia"
	summary    = "wikipedia-summary"
	hackernews = "hackernews"
)

// Faults that a source can be given.
const (
	FaultFail    = "fail"    // answers 500
	FaultHang    = "hang"    // accepts the request and never answers
	FaultGarbage = "garbage" // answers 200 with invalid JSON
)

// Latencies are the default latencies, by source.
func Latencies() map[string]time.Duration {
	return map[string]time.Duration{
		hackernews: 500 * time.Millisecond,
		wikipedia:  800 * time.Millisecond,
		summary:    1200 * time.Millisecond,
	}
}

// Options change the world.
type Options struct {
	Latency map[string]time.Duration // by source; others keep the default
	Fault   map[string]string        // by source: FaultFail, FaultHang or FaultGarbage
	Log     *slog.Logger             // of clients that disconnected; nil: none
}

// World is the running servers. Its methods are safe for concurrent use.
type World struct {
	library *library
	latency map[string]time.Duration
	fault   map[string]string
	log     *slog.Logger
	urls    map[string]string

	ctx     context.Context // ends when Close is called
	cancel  context.CancelFunc
	servers []*http.Server
	running sync.WaitGroup // serving loops and requests

	mu       sync.Mutex
	ended    bool // Close was called: no request is accepted
	requests map[string]int
	closed   map[string]int
	changed  chan struct{} // closed and replaced at every count
}

// Start brings the servers up on free ports of 127.0.0.1. An unknown source or
// fault is an *evidence.Problem.
func Start(o Options) (*World, error) {
	latency, err := o.check()
	if err != nil {
		return nil, err
	}
	lib, err := load()
	if err != nil {
		return nil, err
	}
	w := &World{
		library: lib, latency: latency, fault: maps.Clone(o.Fault), log: o.Log, urls: map[string]string{},
		requests: map[string]int{}, closed: map[string]int{}, changed: make(chan struct{}),
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	// All addresses must be known before the first request: every server links to
	// the encyclopedia.
	listeners := map[string]net.Listener{}
	for _, name := range names() {
		l, err := (&net.ListenConfig{}).Listen(w.ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			for _, open := range listeners {
				err = errors.Join(err, open.Close())
			}
			w.cancel()
			return nil, fmt.Errorf("starting the demo's %s: %w", name, err)
		}
		listeners[name], w.urls[name] = l, "http://"+l.Addr().String()
	}
	for name, l := range listeners {
		w.serve(name, l)
	}
	return w, nil
}

// check returns all latencies, and refuses unknown sources and faults.
func (o Options) check() (map[string]time.Duration, error) {
	latency := Latencies()
	for _, name := range slices.Sorted(maps.Keys(o.Latency)) {
		if _, ok := latency[name]; !ok {
			return nil, unknownSource("latency", name)
		}
		if o.Latency[name] < 0 {
			return nil, evidence.BadInput(fmt.Sprintf("the latency of %s is %s", name, o.Latency[name]), "give a duration of zero or more, such as 1.2s")
		}
		latency[name] = o.Latency[name]
	}
	for _, name := range slices.Sorted(maps.Keys(o.Fault)) {
		if _, ok := latency[name]; !ok {
			return nil, unknownSource("fault", name)
		}
		switch o.Fault[name] {
		case FaultFail, FaultHang, FaultGarbage:
		default:
			return nil, evidence.BadInput(fmt.Sprintf("unknown fault %q for %s", o.Fault[name], name), "use fail, hang or garbage")
		}
	}
	return latency, nil
}

func unknownSource(of, name string) error {
	return evidence.BadInput(fmt.Sprintf("unknown source %q for a %s in the demo", name, of), "use one of "+strings.Join(names(), ", "))
}

func names() []string { return slices.Sorted(maps.Keys(Latencies())) }

func (w *World) serve(name string, l net.Listener) {
	srv := &http.Server{
		Handler:           w.watch(name, w.handler(name)),
		BaseContext:       func(net.Listener) context.Context { return w.ctx },
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(w.log.Handler(), slog.LevelWarn),
	}
	w.servers = append(w.servers, srv)
	w.running.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			w.log.Error("the demo's server ended", "source", name, "err", err)
		}
	})
}

// URLs are the base URLs, by source.
func (w *World) URLs() map[string]string { return maps.Clone(w.urls) }

// Requests is how many requests came in, to all sources or to those named.
func (w *World) Requests(sources ...string) int { return w.count(w.requests, sources) }

// Closed is how many requests lost their client before they were answered, which
// shows that a cancelled call reached the socket.
func (w *World) Closed(sources ...string) int { return w.count(w.closed, sources) }

func (w *World) count(m map[string]int, sources []string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for name, value := range m {
		if len(sources) == 0 || slices.Contains(sources, name) {
			n += value
		}
	}
	return n
}

// Await calls done whenever a count changes and returns when it reports true, or
// ctx's error when ctx ends. With it a test waits for a request to arrive or to be
// cancelled.
func (w *World) Await(ctx context.Context, done func(*World) bool) error {
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		if done(w) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (w *World) add(m map[string]int, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m[name]++
	close(w.changed)
	w.changed = make(chan struct{})
}

// watch counts requests, and those whose client disconnected.
func (w *World) watch(name string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.enter() {
			return
		}
		defer w.running.Done()
		w.add(w.requests, name)
		next.ServeHTTP(rw, r)
		if r.Context().Err() != nil && w.ctx.Err() == nil {
			w.add(w.closed, name)
			w.log.Info("client went away", "source", name)
		}
	})
}

// enter accepts a request unless Close was called.
func (w *World) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.running.Add(1)
	}
	return !w.ended
}

// Close ends every request, hanging ones included, and waits for the servers to
// stop. It may be called more than once.
func (w *World) Close() error {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.cancel()
	var err error
	for _, srv := range w.servers {
		err = errors.Join(err, srv.Close())
	}
	w.running.Wait()
	return err
}

// pause waits for d and reports whether the client still waits for the answer.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
