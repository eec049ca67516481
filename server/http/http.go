// Package http serves the Model Context Protocol over streamable HTTP, at the path /mcp,
// in both of its eras: with the handshake and sessions of the revisions up to 2025-11-25,
// and without either, as the revision 2026-07-28 has it.
//
// The transport is our own, over server.Session, as stdio's is: mcp-go's loses progress
// that is reported just before a result, lets one client cancel another's call, and
// bounds nothing.
package http

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/server"
)

// Path is where the protocol is served.
const Path = "/mcp"

// Bounds of one connection and of one caller.
const (
	readHeaderWithin = 10 * time.Second
	readBodyWithin   = 30 * time.Second
	idleConnection   = 2 * time.Minute
	maxHeader        = 32 << 10
	// A message longer than smallBody is read beside at most mostLong others, for which it
	// waits longWithin.
	smallBody  = 256 << 10
	mostLong   = 8
	longWithin = 5 * time.Second
	// writeWithin is how long one message may take to be written: a client that reads
	// more slowly is cut off.
	writeWithin = 30 * time.Second
	// keepAliveEvery is the longest silence of a stream; proxies close one after a minute.
	keepAliveEvery = 15 * time.Second
	// cancelWithin is how much later than the end of its connection the cancellation of a
	// call may come, perhaps by another replica: clients close the one before they send the
	// other. Only then the caller has left, and its run goes on without it.
	cancelWithin = 5 * time.Second
	// endWithin is how long Serve takes to end, and finishWithin how much of it the calls
	// under way have before they are told that their caller has left.
	endWithin    = 10 * time.Second
	finishWithin = 8 * time.Second
)

// Defaults of Options.
const (
	DefaultMaxConnections = 512
	DefaultMaxRequests    = 256
)

// Options configure a Server. Only Handler is required.
type Options struct {
	// Handler returns the handler that serves a request, chosen by its context, as with
	// several tenants. It is an *evidence.Problem if there is none.
	Handler func(ctx context.Context) (*server.Handler, error)
	// Guard lets requests to Path through, and puts who sent them into their context; nil
	// asks nobody.
	Guard func(http.Handler) http.Handler
	// Caller names who sent a request, by its context: callers do not see one another's
	// sessions, and have limits of their own. nil is one caller.
	Caller func(ctx context.Context) string
	// Routes are other paths, which Guard does not see.
	Routes map[string]http.Handler
	// TLS is nil for plain HTTP.
	TLS *tls.Config
	// Hosts are names by which clients may call the server, beside loopback names. On an
	// address that is not loopback, an empty list allows any name.
	Hosts []string
	// Origins are those of web pages that may call the server, such as
	// https://app.example, beside pages on this machine.
	Origins []string
	// MaxConnections is how many one address may have; 0 is DefaultMaxConnections.
	MaxConnections int
	// MaxRequests is how many requests of one caller run at once; 0 is DefaultMaxRequests.
	MaxRequests int
	// Still reports, by the context of a request, whether who sent it may still be told
	// things: a stream may outlive a token. nil is always.
	Still func(ctx context.Context) bool
	// Tenant names whom a request is for: requests of one tenant share PerMinute; "" has no
	// limit. nil is always "".
	Tenant func(ctx context.Context) string
	// PerMinute is how many requests a tenant may send in a minute, as many of them at
	// once. Notifications do not count: a call can always be cancelled. 0 is no limit, and
	// so is a nil function.
	PerMinute func(tenant string) int
	// Relay is how replicas pass on what a balancer gave to the wrong one; nil if there is
	// one replica.
	Relay Relay
	// Clean is applied to each message before it is sent; nil leaves it as it is.
	Clean func(message []byte) []byte
	Log   *slog.Logger // nil discards
}

// Server serves any number of clients. It is safe for concurrent use.
type Server struct {
	o        Options
	log      *slog.Logger
	hosts    map[string]bool
	origins  map[string]bool
	sessions *sessions
	callers  *callers
	rates    *rates
	long     chan struct{} // a slot for each long message that is read

	stop    chan struct{} // closed when Serve ends: streams without calls end
	left    context.Context
	leave   context.CancelCauseFunc // tells calls that their callers have left
	closing atomic.Bool
}

// New returns a server, which listens to nothing yet.
func New(o Options) *Server {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Caller == nil {
		o.Caller = func(context.Context) string { return "" }
	}
	if o.Tenant == nil {
		o.Tenant = func(context.Context) string { return "" }
	}
	if o.Still == nil {
		o.Still = func(context.Context) bool { return true }
	}
	if o.PerMinute == nil {
		o.PerMinute = func(string) int { return 0 }
	}
	if o.Clean == nil {
		o.Clean = func(m []byte) []byte { return m }
	}
	if o.Guard == nil {
		o.Guard = func(h http.Handler) http.Handler { return h }
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	if o.MaxRequests <= 0 {
		o.MaxRequests = DefaultMaxRequests
	}
	s := &Server{o: o, log: o.Log, hosts: lowered(o.Hosts), origins: lowered(o.Origins), sessions: newSessions(), callers: newCallers(o.MaxRequests), rates: newRates(o.PerMinute), long: make(chan struct{}, mostLong), stop: make(chan struct{})}
	s.left, s.leave = context.WithCancelCause(context.Background())
	return s
}

// Closing reports whether the server no longer takes new requests.
func (s *Server) Closing() bool { return s.closing.Load() }

// Handler returns everything that the server answers, for Serve and for tests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(Path, s.o.Guard(http.HandlerFunc(s.serveMCP)))
	for path, h := range s.o.Routes {
		mux.Handle(path, h)
	}
	return s.checked(mux)
}

// Serve answers requests on l until ctx ends; then it takes no new ones, lets those under
// way finish for some seconds, tells the others that their caller has left, so that their
// runs go on, and returns within ten seconds. Call it once.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	h := &http.Server{
		Handler:           s.Handler(),
		TLSConfig:         s.o.TLS,
		ReadHeaderTimeout: readHeaderWithin,
		IdleTimeout:       idleConnection,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	// Sessions are closed after their calls: that would cancel them.
	sweeping, stopSweeping := context.WithCancel(context.WithoutCancel(ctx))
	var sweep sync.WaitGroup
	sweep.Go(func() { s.sweep(sweeping) })
	defer sweep.Wait()
	defer stopSweeping()

	l = limited(l, s.o.MaxConnections)
	failed := make(chan error, 1)
	go func() {
		if s.o.TLS != nil {
			failed <- h.ServeTLS(l, "", "")
		} else {
			failed <- h.Serve(l)
		}
	}()
	select {
	case err := <-failed:
		s.end()
		return errors.Join(fmt.Errorf("serving HTTP: %w", err), h.Close())
	case <-ctx.Done():
	}
	s.end()
	return s.finish(h)
}

// end closes what would not end by itself.
func (s *Server) end() {
	if !s.closing.Swap(true) {
		close(s.stop)
	}
}

// finish lets the requests under way end.
func (s *Server) finish(h *http.Server) error {
	give := time.AfterFunc(finishWithin, func() { s.leave(evidence.ErrCallerLeft) })
	defer give.Stop()
	within, cancel := context.WithTimeout(context.Background(), endWithin)
	defer cancel()
	if err := h.Shutdown(within); err != nil {
		s.log.Warn("requests were still running at the end", "err", err)
		return h.Close()
	}
	return nil
}

func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			s.sessions.closeAll()
			return
		case <-tick.C:
			s.sessions.sweep(time.Now())
			s.sweepRelay(ctx)
		}
	}
}

func (s *Server) sweepRelay(ctx context.Context) {
	if s.o.Relay == nil {
		return
	}
	if err := s.o.Relay.Sweep(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("clearing what replicas passed on", "err", err)
	}
}
