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

// How robots.txt files are read: RFC 9309, with shorter patience.
const (
	robotsAgent      = "research-mcp"
	robotsTimeout    = 3 * time.Second
	robotsBytes      = 512 << 10 // what comes after it does not count
	robotsLifetime   = 24 * time.Hour
	robotsRetryAfter = 2 * time.Minute // a host that could not be asked is asked again soon
	robotsMaxHosts   = 256
)

// robots remembers what hosts allow.
type robotsCache struct {
	mu sync.Mutex
	m  map[string]*robotsEntry
}

// verdict is one host's robots.txt. The fields are set before done is closed.
type robotsEntry struct {
	done  chan struct{}
	rules robotsRules // none: everything is allowed
	err   error       // nothing is allowed, and why
	until time.Time
}

func newRobotsCache() *robotsCache { return &robotsCache{m: map[string]*robotsEntry{}} }

// mayRead is nil when the host's robots.txt lets us read u. It costs nobody's
// Budget: the file has a deadline of its own, and it serves all who ask.
func (d *Client) checkRobots(ctx context.Context, u *url.URL, sent *atomic.Int64) error {
	v := d.robotsOf(u, sent)
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

// robotsOf finds what is known, or begins to ask.
func (d *Client) robotsOf(u *url.URL, sent *atomic.Int64) *robotsEntry {
	c, key := d.network, u.Scheme+"://"+hostPort(u)
	c.robots.mu.Lock()
	defer c.robots.mu.Unlock()
	if v := c.robots.m[key]; v != nil && !v.expired() {
		return v
	}
	c.robots.evict()
	v := &robotsEntry{done: make(chan struct{})}
	c.robots.m[key] = v
	file := &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/robots.txt"}
	c.inFlight.Add(1) // a flight is under way, so Close has not passed
	go func() {
		defer c.inFlight.Done()
		defer close(v.done)
		defer d.robotsPanic(v)
		d.loadRobots(v, file, sent)
	}()
	return v
}

// robotsPanic makes a failure of a panic in our own code: one file must not end
// the program.
func (d *Client) robotsPanic(v *robotsEntry) {
	if p := recover(); p != nil {
		d.network.cfg.Logger.Error("reading a robots.txt panicked", "panic", p, "stack", string(debug.Stack()))
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

// makeRoom forgets what is over, else any that is known; the caller holds r.mu.
func (r *robotsCache) evict() {
	if len(r.m) < robotsMaxHosts {
		return
	}
	victim := ""
	for key, v := range r.m {
		select {
		case <-v.done:
			victim = key
			if v.expired() {
				delete(r.m, key)
			}
		default:
		}
	}
	if len(r.m) >= robotsMaxHosts {
		delete(r.m, victim)
	}
}

// readRobots fills a verdict.
func (d *Client) loadRobots(v *robotsEntry, file *url.URL, sent *atomic.Int64) {
	body, code, err := d.fetchRobots(file, sent)
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

// fetchRobots gets the file through the same guard and queue as the page.
func (d *Client) fetchRobots(u *url.URL, sent *atomic.Int64) (body []byte, code int, err error) {
	budget := NewBudget(robotsTimeout) // for all hops together
	first := hostPort(u)
	for range maxRedirects + 1 {
		var next *url.URL
		body, code, next, err = d.robotsHop(u, budget, sent)
		var e *Error
		if errors.As(err, &e) && hostPort(u) != first {
			e.unsent = false // it says nothing of the page's host
		}
		if err != nil || next == nil {
			return body, code, err
		}
		if err := d.policy.checkRedirect(u, next); err != nil {
			return nil, 0, &Error{Kind: BadRedirect, Detail: "it redirects to where we do not go"}
		}
		u = next
	}
	return nil, 0, &Error{Kind: BadRedirect, Detail: "redirected too often"}
}

func (d *Client) robotsHop(u *url.URL, budget *Budget, sent *atomic.Int64) (body []byte, code int, next *url.URL, err error) {
	c := d.network
	if budget.Left() <= 0 { // spent on other hosts, of which this one knows nothing
		return nil, 0, nil, &Error{Kind: Timeout}
	}
	pass, err := c.limiters.acquire(c.ctx, d.limiterKey(u), c.cfg.PublicRate, nil)
	if err != nil {
		if c.ctx.Err() != nil {
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
	ctx, cancel := context.WithTimeout(c.ctx, budget.Left())
	defer cancel()
	sent.Add(1)
	body, code, next, err = d.sendRobots(ctx, u)
	if neverSent(err) {
		pass.refund()
	}
	switch {
	case err != nil && c.ctx.Err() != nil:
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

func (d *Client) sendRobots(ctx context.Context, u *url.URL) (body []byte, code int, next *url.URL, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, 0, nil, err
	}
	r.Header.Set("User-Agent", d.network.agent)
	r.Header.Set("Accept", "text/plain")
	resp, err := d.http.Do(r)
	if err != nil {
		return nil, 0, nil, err
	}
	defer resp.Body.Close()
	if next, err = redirectTo(resp, u); err != nil || next != nil {
		return nil, 0, next, err
	}
	d.network.limiters.backOff(d.limiterKey(u), d.network.cfg.PublicRate, retryAfter(resp.Header.Get("Retry-After"), d.network.cfg.Now()))
	body, err = io.ReadAll(io.LimitReader(resp.Body, robotsBytes))
	return body, resp.StatusCode, nil, err
}
