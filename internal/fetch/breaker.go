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

// A host that fails so often in a row is spared for so long; then one request
// finds out whether it is back.
const (
	failuresToOpen = 8
	openFor        = 30 * time.Second
)

// longestLeave bounds how long a host may have itself left alone, so that one
// absurd header does not silence a source for good.
const maxBackoff = 24 * time.Hour

var errNotCounted = errors.New("says nothing of the host")

// breaker stops requests to a host that keeps failing.
type breaker struct {
	two *gobreaker.TwoStepCircuitBreaker[struct{}]

	mu    sync.Mutex
	since time.Time // it opened; zero while closed
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

// openSince is when the breaker opened; zero while it is closed.
func (b *breaker) openSince() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.since
}

// closedOrDue is the error of an open breaker.
func (b *breaker) check() error {
	if b.two.State() == gobreaker.StateOpen {
		return b.openError()
	}
	return nil
}

// allow lets one request pass, which must report its outcome.
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
		return &Error{Kind: CircuitOpen, Detail: fmt.Sprintf("has failed since %s; one request is finding out whether it is back", clock(since))}
	}
	return &Error{Kind: CircuitOpen, Detail: openDetail(since, since.Add(openFor))}
}

func openDetail(since, until time.Time) string {
	return fmt.Sprintf("has failed %d times in a row; not asked since %s, tried again at %s", failuresToOpen, clock(since), clock(until))
}

// HostState is what is known of a host, for a status page.
type HostState struct {
	Configured  bool      `json:"configured"` // by the operator; else a page of it was read
	Host        string    `json:"host"`       // with its port
	Breaker     string    `json:"breaker"`    // closed, open or half-open
	LastError   string    `json:"last_error"` // without the host; empty: none
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
	WaitUntil   time.Time `json:"wait_until,omitzero"` // the host asked to be left alone; zero: it did not
	Tokens      float64   `json:"tokens"`              // requests that may be made at once; negative: so many wait
	Rate        Rate      `json:"rate"`                // zero: not limited
	InFlight    int       `json:"in_flight"`           // requests that wait or are under way

	BrokenUntil   time.Time `json:"broken_until,omitzero"` // while the breaker is open
	LastErrorKind Kind      `json:"last_error_kind,omitempty"`
	Spent         int       `json:"spent"` // requests since midnight UTC, of all processes; only from a cache
}

// Hosts are the hosts that were asked or configured, sorted by name. Hosts
// behind the open door are forgotten after a while. What other processes know of
// a host is in it once this one has asked the host; Cache.Hosts has all of that.
func (c *Network) Hosts() []HostState { return c.limiters.states() }

func (g *limiters) states() []HostState {
	g.mu.Lock()
	keys := make([]string, 0, len(g.byHost))
	all := make(map[string]*hostLimiter, len(g.byHost))
	for key, it := range g.byHost {
		keys = append(keys, key)
		all[key] = it
	}
	g.mu.Unlock()
	slices.SortFunc(keys, strings.Compare)
	out := make([]HostState, 0, len(keys))
	now := time.Now()
	for _, key := range keys {
		it := all[key]
		state := HostState{Host: key, Breaker: it.breaker.two.State().String()}
		if state.Rate = it.rate(); state.Rate != (Rate{}) {
			state.Tokens = it.bucket.TokensAt(now)
		}
		if state.Breaker == circuitOpen {
			state.BrokenUntil = it.breaker.openSince().Add(openFor)
		}
		g.mu.Lock()
		state.Configured = it.configured
		state.LastError, state.LastErrorAt, state.InFlight = it.lastErr, it.lastErrAt, it.users
		state.LastErrorKind = it.lastErrKind
		if state.Breaker == circuitClosed && it.shared.openUntil.After(now) {
			state.Breaker, state.BrokenUntil = circuitOpen, it.shared.openUntil
		}
		if it.waitUntil.After(now) {
			state.WaitUntil = it.waitUntil
		}
		g.mu.Unlock()
		out = append(out, state)
	}
	return out
}
