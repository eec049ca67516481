package fetch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// After so many failures in a row a host's circuit is open for so long; then
// one request (half-open) finds out whether the host works again.
const (
	failuresToOpen = 8
	openFor        = 30 * time.Second
)

// maxBackoff bounds a host's Retry-After, so that one absurd header does not
// disable a source for good.
const maxBackoff = 24 * time.Hour

var errNotCounted = errors.New("says nothing about the host")

// breaker is a circuit breaker: it stops requests to a host that keeps failing.
type breaker struct {
	two *gobreaker.TwoStepCircuitBreaker[struct{}]

	mu    sync.Mutex
	since time.Time // when the circuit opened; zero: closed
}

func newBreaker() *breaker {
	b := &breaker{}
	b.two = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  1,
		Timeout:      openFor,
		ReadyToTrip:  func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= failuresToOpen },
		IsSuccessful: func(err error) bool { return err == nil },
		IsExcluded:   func(err error) bool { return errors.Is(err, errNotCounted) },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			b.mu.Lock()
			defer b.mu.Unlock()
			switch to {
			case gobreaker.StateOpen:
				b.since = time.Now()
			case gobreaker.StateClosed:
				b.since = time.Time{}
			}
		},
	})
	return b
}

// openSince returns when the circuit opened; zero while it is closed.
func (b *breaker) openSince() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.since
}

// check returns an error if the circuit is open.
func (b *breaker) check() error {
	if b.two.State() == gobreaker.StateOpen {
		return b.openError()
	}
	return nil
}

// allow admits a request, which must report its outcome.
func (b *breaker) allow() (func(error), error) {
	report, err := b.two.Allow()
	if err != nil {
		return nil, b.openError()
	}
	return report, nil
}

func (b *breaker) openError() *Error {
	since := b.openSince()
	left := time.Until(since.Add(openFor))
	if left <= 0 {
		return &Error{Kind: CircuitOpen, Detail: fmt.Sprintf("has failed since %s; one request is testing whether it works again", clock(since))}
	}
	return &Error{Kind: CircuitOpen, Detail: openDetail(since, since.Add(openFor))}
}

func openDetail(since, until time.Time) string {
	return fmt.Sprintf("has failed %d times in a row; not asked since %s, tried again at %s", failuresToOpen, clock(since), clock(until))
}

// HostState describes a host for a status page.
type HostState struct {
	Configured  bool      `json:"configured"` // by the operator; otherwise a page of it was read
	Host        string    `json:"host"`       // with its port
	Breaker     string    `json:"breaker"`    // closed, open or half-open
	LastError   string    `json:"last_error"` // without the host; empty: none
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	WaitUntil   time.Time `json:"wait_until,omitzero"` // the host asked for no requests until then; zero: it did not
	Tokens      float64   `json:"tokens"`              // requests that can start at once; negative: so many wait
	Rate        Rate      `json:"rate"`                // zero: not limited
	InFlight    int       `json:"in_flight"`           // requests that wait or were sent

	BrokenUntil   time.Time `json:"broken_until,omitzero"` // while the circuit is open
	LastErrorKind Kind      `json:"last_error_kind,omitempty"`
	Spent         int       `json:"spent"` // requests since midnight UTC, of all processes; only from a cache
}

// Hosts returns the hosts that were asked or configured, sorted by name. Public
// hosts are removed after a while. What other processes know about a host is
// included once this process has asked it; Cache.Hosts includes all of it.
func (n *Network) Hosts() []HostState { return n.limiters.states() }

func (l *limiters) states() []HostState {
	l.mu.Lock()
	keys := make([]string, 0, len(l.byHost))
	all := make(map[string]*hostLimiter, len(l.byHost))
	for key, h := range l.byHost {
		keys = append(keys, key)
		all[key] = h
	}
	l.mu.Unlock()
	slices.SortFunc(keys, strings.Compare)
	out := make([]HostState, 0, len(keys))
	now := time.Now()
	for _, key := range keys {
		h := all[key]
		state := HostState{Host: key, Breaker: h.breaker.two.State().String()}
		if state.Rate = h.rate(); state.Rate != (Rate{}) {
			state.Tokens = h.bucket.TokensAt(now)
		}
		if state.Breaker == circuitOpen {
			state.BrokenUntil = h.breaker.openSince().Add(openFor)
		}
		l.mu.Lock()
		state.Configured = h.configured
		state.LastError, state.LastErrorAt, state.InFlight = h.lastErr, h.lastErrAt, h.users
		state.LastErrorKind = h.lastErrKind
		if state.Breaker == circuitClosed && h.shared.openUntil.After(now) {
			state.Breaker, state.BrokenUntil = circuitOpen, h.shared.openUntil
		}
		if h.waitUntil.After(now) {
			state.WaitUntil = h.waitUntil
		}
		l.mu.Unlock()
		out = append(out, state)
	}
	return out
}
