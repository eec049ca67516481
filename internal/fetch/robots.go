package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// robots.txt files are read as RFC 9309 says, with a shorter time-out.
const (
	robotsAgent      = "research-mcp"
	robotsTimeout    = 3 * time.Second
	robotsBytes      = 512 << 10 // the rest is ignored
	robotsLifetime   = 24 * time.Hour
	robotsRetryAfter = 2 * time.Minute // after a failure
	robotsMaxHosts   = 256
)

// robotsCache holds what hosts allow.
type robotsCache struct {
	mu sync.Mutex
	m  map[string]*robotsEntry
}

// robotsEntry is one host's robots.txt. Its fields are set before done is
// closed.
type robotsEntry struct {
	done  chan struct{}
	rules robotsRules // empty: everything is allowed
	err   error       // nothing is allowed
	until time.Time
}

func newRobotsCache() *robotsCache { return &robotsCache{m: map[string]*robotsEntry{}} }

// checkRobots returns nil if the host's robots.txt allows u. It is not charged
// to a Budget: the file has its own deadline, and serves all callers.
func (c *Client) checkRobots(ctx context.Context, u *url.URL, sent *atomic.Int64) error {
	v := c.robotsOf(u, sent)
	select {
	case <-v.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if v.err != nil {
		return v.err
	}
	if v.rules.allows(u) {
		return nil
	}
	return &Error{Kind: Robots, Detail: "its robots.txt asks programs not to read this page"}
}

// robotsOf returns the entry of u's host and starts reading the file if
// necessary.
func (c *Client) robotsOf(u *url.URL, sent *atomic.Int64) *robotsEntry {
	n, key := c.network, u.Scheme+"://"+hostPort(u)
	n.robots.mu.Lock()
	defer n.robots.mu.Unlock()
	if v := n.robots.m[key]; v != nil && !v.expired() {
		return v
	}
	n.robots.evict()
	v := &robotsEntry{done: make(chan struct{})}
	n.robots.m[key] = v
	file := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/robots.txt"}
	n.inFlight.Add(1) // a call is in progress, so Close is still waiting
	go func() {
		defer n.inFlight.Done()
		defer close(v.done)
		defer c.robotsPanic(v)
		c.loadRobots(v, file, sent)
	}()
	return v
}

// robotsPanic turns a panic of ours into a failure, so that one file cannot end
// the program.
func (c *Client) robotsPanic(v *robotsEntry) {
	if p := recover(); p != nil {
		c.network.cfg.Logger.Error("reading a robots.txt panicked", "panic", p, "stack", string(debug.Stack()))
		v.rules, v.until = nil, time.Now().Add(robotsRetryAfter)
		v.err = &Error{Kind: Robots, passes: true, Detail: "its robots.txt cannot be read, which counts as no"}
	}
}

func (v *robotsEntry) expired() bool {
	select {
	case <-v.done:
		return time.Now().After(v.until)
	default:
		return false
	}
}

// evict removes expired entries, or any one that was read. The caller holds
// rc.mu.
func (rc *robotsCache) evict() {
	if len(rc.m) < robotsMaxHosts {
		return
	}
	victim := ""
	for key, v := range rc.m {
		select {
		case <-v.done:
			victim = key
			if v.expired() {
				delete(rc.m, key)
			}
		default:
		}
	}
	if len(rc.m) >= robotsMaxHosts {
		delete(rc.m, victim)
	}
}

// loadRobots reads the file and sets the entry.
func (c *Client) loadRobots(v *robotsEntry, file *url.URL, sent *atomic.Int64) {
	body, code, err := c.fetchRobots(file, sent)
	v.until = time.Now().Add(robotsLifetime)
	var e *Error
	switch failed := errors.As(err, &e); {
	case failed && (e.Kind == Refused || e.Kind == Closed || e.Kind == CircuitOpen || e.Kind == Throttled || e.Kind == Unreachable && e.unsent):
		v.err, v.until = e, time.Now() // the page cannot be reached either: robots.txt is not the reason
	case failed:
		v.err = &Error{Kind: Robots, passes: true, Detail: "its robots.txt cannot be read (" + e.text() + "), which counts as no"}
		v.until = time.Now().Add(robotsRetryAfter)
	case code >= 500:
		v.err = &Error{Kind: Robots, Code: code, passes: true, Detail: fmt.Sprintf("its robots.txt answered %d, which counts as no", code)}
		v.until = time.Now().Add(robotsRetryAfter)
	case code >= 200 && code < 300:
		v.rules = parseRobots(body)
	}
}

// fetchRobots requests the file through the same guard and limiter as the page.
func (c *Client) fetchRobots(u *url.URL, sent *atomic.Int64) (body []byte, code int, err error) {
	budget := NewBudget(robotsTimeout) // for all hops together
	first := hostPort(u)
	for range maxRedirects + 1 {
		var next *url.URL
		body, code, next, err = c.robotsHop(u, budget, sent)
		var e *Error
		if errors.As(err, &e) && hostPort(u) != first {
			e.unsent = false // it says nothing about the page's host
		}
		if err != nil || next == nil {
			return body, code, err
		}
		if err := c.policy.checkRedirect(u, next); err != nil {
			return nil, 0, &Error{Kind: BadRedirect, Detail: "it redirects to an address that is not allowed"}
		}
		u = next
	}
	return nil, 0, &Error{Kind: BadRedirect, Detail: "redirected too often"}
}

func (c *Client) robotsHop(u *url.URL, budget *Budget, sent *atomic.Int64) (body []byte, code int, next *url.URL, err error) {
	n := c.network
	if budget.Left() <= 0 { // spent on other hosts of a redirect
		return nil, 0, nil, &Error{Kind: Timeout}
	}
	pass, err := n.limiters.acquire(n.ctx, c.limiterKey(u), n.cfg.PublicRate, nil)
	if err != nil {
		if n.ctx.Err() != nil {
			err = &Error{Kind: Closed}
		}
		return nil, 0, nil, err
	}
	released := false
	defer func() {
		if !released { // as in hop
			pass.release(errNotCounted)
		}
	}()
	start := time.Now()
	ctx, cancel := context.WithTimeout(n.ctx, budget.Left())
	defer cancel()
	sent.Add(1)
	body, code, next, err = c.sendRobots(ctx, u)
	if neverSent(err) {
		pass.refund()
	}
	switch {
	case err != nil && n.ctx.Err() != nil:
		err = &Error{Kind: Closed}
	case err != nil && ctx.Err() != nil && !noConnection(err):
		err = &Error{Kind: Timeout}
	case err != nil:
		e := classify(err)
		if e.unsent = noConnection(err); e.unsent && e.Kind == Timeout {
			e.Kind, e.Detail = Unreachable, "no connection in time"
		}
		err = e
	}
	budget.spend(time.Since(start))
	released = true
	if err == nil && code >= 500 {
		pass.release(&Error{Kind: Server, Code: code})
	} else {
		pass.release(err)
	}
	return body, code, next, err
}

func (c *Client) sendRobots(ctx context.Context, u *url.URL) (body []byte, code int, next *url.URL, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, nil, err
	}
	r.Header.Set("User-Agent", c.network.agent)
	r.Header.Set("Accept", "text/plain")
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, 0, nil, err
	}
	defer resp.Body.Close()
	if next, err = redirectTo(resp, u); err != nil || next != nil {
		return nil, 0, next, err
	}
	c.network.limiters.backOff(c.limiterKey(u), c.network.cfg.PublicRate, retryAfter(resp.Header.Get("Retry-After"), c.network.cfg.Now()))
	body, err = io.ReadAll(io.LimitReader(resp.Body, robotsBytes))
	return body, resp.StatusCode, nil, err
}
