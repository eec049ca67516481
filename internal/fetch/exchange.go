package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A request is retried once, when repeating it is safe and the failure may be
// temporary.
const (
	retries      = 1
	minPause     = 100 * time.Millisecond
	maxPause     = 300 * time.Millisecond
	maxQueueWait = 2 * time.Second // a longer Retry-After is the caller's to obey

	// minFairTime is the least time that a host must have had before a missing
	// response counts against it: a question that spent its budget elsewhere
	// leaves less.
	minFairTime = 200 * time.Millisecond
)

// hopResult is the outcome of one exchange.
type hopResult struct {
	Response
	header    http.Header
	next      *url.URL // target of a redirect; nil: none
	refresh   bool     // the redirect is the page's own, by a meta element
	unchanged bool     // the cached response is confirmed
}

// resolve returns the response to a call: from the cache if it is fresh, else
// from the host, or a stale one if the host cannot be asked.
func (c *Client) resolve(cl *call, cr checkedRequest) (Response, error) {
	n := c.network
	old, have := c.cached(cl.ctx, cr)
	fresh := have && old.fresh(cr.lifetime, n.cache().now())
	if cr.lifetime > 0 {
		n.lookedUp(fresh)
	}
	if fresh {
		n.cache().touch(cr.key, old)
		return old.response(cr.url, n.cache().now(), false), nil
	}
	if have && old.usable(n.cache().now()) {
		n.coalescer.setStale(cl, old.response(cr.url, n.cache().now(), true))
	}
	got, err := c.followRedirects(cl, cr, old)
	if err == nil {
		return c.store(cr, old, got), nil
	}
	var e *Error
	if errors.As(err, &e) && e.passing() {
		if stale, ok := n.coalescer.staleFor(cl); ok {
			n.counters.stale.Add(1)
			n.cfg.Logger.Debug("using a stale response", "host", cr.url.Host, "age", stale.Age, "err", e.text())
			return stale, nil
		}
	}
	if have && e != nil && e.Kind == NotFound {
		n.cache().drop(cr.key) // it must not be returned as stale
	}
	return Response{}, err
}

// followRedirects sends the request and follows redirects. Each hop is a
// request of its own, with the policy, the robots.txt and the limiter of its
// host.
func (c *Client) followRedirects(cl *call, cr checkedRequest, old *entry) (hopResult, error) {
	u, hops, tries, refreshed := cr.url, 0, 0, false
	for {
		got, err := c.hop(cl, u, cr, old)
		if err != nil {
			e := classify(err)
			if cl.ctx.Err() != nil || tries >= retries {
				return hopResult{}, e
			}
			if retry := c.retryPause(cl, e); !retry {
				return hopResult{}, e
			}
			tries++
			continue
		}
		if got.next == nil || got.refresh && refreshed {
			return got, nil
		}
		refreshed = refreshed || got.refresh
		if hops++; hops > maxRedirects {
			return hopResult{}, &Error{Kind: BadRedirect, Detail: "redirected too often"}
		}
		if err := c.policy.checkRedirect(u, got.next); err != nil {
			return hopResult{}, classify(err)
		}
		u = got.next
	}
}

// retryPause waits before another try and reports whether there should be one.
// The pause is charged to the callers' budgets.
func (c *Client) retryPause(cl *call, e *Error) bool {
	wait := max(minPause+rand.N(maxPause-minPause), e.RetryAfter)
	if !e.retry || e.RetryAfter > maxQueueWait || c.network.coalescer.maxLeft(cl) <= wait {
		return false
	}
	defer c.network.coalescer.runClocks(cl)()
	return sleep(cl.ctx, wait) == nil
}

// hop is one request. Waiting for robots.txt and for a slot is not charged to
// the budgets.
func (c *Client) hop(cl *call, u *url.URL, cr checkedRequest, old *entry) (hopResult, error) {
	n := c.network
	if c.policy.obeysRobots() {
		if err := c.checkRobots(cl.ctx, u, &cl.sent); err != nil {
			if ended := cl.endError(); ended != nil {
				return hopResult{}, ended
			}
			return hopResult{}, err
		}
	}
	if n.coalescer.outOfTime(cl) {
		if ended := cl.endError(); ended != nil {
			return hopResult{}, ended
		}
		return hopResult{}, &Error{Kind: Timeout} // before the breaker: the host was not asked
	}
	pass, err := n.limiters.acquire(cl.ctx, c.limiterKey(u), n.cfg.PublicRate, func(at time.Time) { n.coalescer.setEarliest(cl, at) })
	if err != nil {
		if ended := cl.endError(); ended != nil {
			return hopResult{}, ended
		}
		return hopResult{}, err
	}
	return c.exchange(cl, u, cr, old, pass)
}

// exchange sends a request that is permitted, on the callers' clocks, and reports
// its outcome to the limiter.
func (c *Client) exchange(cl *call, u *url.URL, cr checkedRequest, old *entry, pass *permit) (hopResult, error) {
	n := c.network
	released := false
	defer func() {
		if !released { // our own panic: it says nothing about the host, and the slot must become free
			pass.release(errNotCounted)
		}
	}()
	cl.sent.Add(1)
	n.counters.sent.Add(1)
	stop := n.coalescer.runClocks(cl)
	start := time.Now()
	got, err := c.send(cl.ctx, u, cr, old)
	stop()
	took := time.Since(start)
	n.cfg.Logger.Debug("request", "host", u.Host, "took", took, "bytes", len(got.Body), "ok", err == nil)
	if err != nil {
		n.counters.failed.Add(1)
	}
	if neverSent(err) {
		pass.refund()
	}
	if ended := cl.endError(); err != nil && ended != nil {
		err = ended
	} else if err != nil {
		err = classify(err)
	}
	released = true
	if IsKind(err, Timeout) && took < minFairTime {
		pass.release(errNotCounted)
	} else {
		pass.release(err)
	}
	return got, err
}

// limiterKey returns the key of a URL's host limiter. For public clients, ports
// 80 and 443 are one host: the configured one, if there is one.
func (c *Client) limiterKey(u *url.URL) string {
	key := hostPort(u)
	host, port, err := net.SplitHostPort(key)
	if !c.policy.obeysRobots() || err != nil || port != "80" && port != "443" || c.network.isConfigured(key) {
		return key
	}
	secure, plain := net.JoinHostPort(host, "443"), net.JoinHostPort(host, "80")
	if c.network.isConfigured(plain) && !c.network.isConfigured(secure) {
		return plain
	}
	return secure
}

// send sends the request and reads the response to its end.
func (c *Client) send(ctx context.Context, u *url.URL, cr checkedRequest, old *entry) (hopResult, error) {
	n := c.network
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return hopResult{}, err
	}
	// No Accept-Encoding: net/http decompresses only if it set the header
	// itself.
	r.Header.Set("User-Agent", n.agent)
	r.Header.Set("Accept", cr.accept)
	asked := old.condition(r.Header, cr.url, u)
	resp, err := c.http.Do(r)
	if err != nil {
		return hopResult{}, err
	}
	defer resp.Body.Close()
	got := hopResult{header: resp.Header, Response: Response{
		URL:          u.String(),
		ETag:         resp.Header.Get("ETag"),
		LastModified: resp.Header.Get("Last-Modified"),
		RetryAfter:   backoffOf(resp, n.cfg.Now()),
		Retrieved:    n.cfg.Now(),
	}}
	n.limiters.backOff(c.limiterKey(u), n.cfg.PublicRate, got.RetryAfter)
	got.setType(resp.Header.Get("Content-Type"))
	if asked && resp.StatusCode == http.StatusNotModified {
		got.unchanged = true
		return got, nil
	}
	if got.next, err = redirectTo(resp, u); err != nil || got.next != nil {
		return got, err
	}
	if err := c.checkStatus(resp, got.RetryAfter); err != nil {
		return hopResult{}, err
	}
	if c.policy.obeysRobots() {
		if err := readPage(&got.Response, resp.Body, cr.limit); err != nil {
			return got, err
		}
		return got, c.readHead(&got, u)
	}
	got.Body, err = readAll(resp.Body, cr.limit)
	return got, err
}

// redirectTo returns the target of a redirect, nil if the response is none.
func redirectTo(resp *http.Response, from *url.URL) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	where := resp.Header.Get("Location")
	if where == "" {
		return nil, nil // the status decides
	}
	to, err := resolveURL(from, where)
	if err != nil {
		return nil, &Error{Kind: BadRedirect, Detail: "redirected to what is not a URL"}
	}
	to.Fragment, to.RawFragment = "", ""
	return to, nil
}

// readAll reads a body of at most limit bytes after decompression.
func readAll(body io.Reader, limit int64) ([]byte, error) {
	got, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(got)) > limit {
		return nil, &Error{Kind: TooLarge, Detail: fmt.Sprintf("the answer is larger than %d kB", limit>>10)}
	}
	return got, nil
}

// checkStatus maps the status of a response to an error, nil for 2xx.
func (c *Client) checkStatus(resp *http.Response, after time.Duration) error {
	code := resp.StatusCode
	e := &Error{Code: code, RetryAfter: after}
	switch {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && after > 0:
		e.Kind = Throttled
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusUnavailableForLegalReasons:
		e.Kind = Forbidden
		if !c.network.Identified() {
			e.Detail = fmt.Sprintf("answered %d, and no contact is set: hosts turn away clients they cannot reach", code)
		}
	case code == http.StatusNotFound, code == http.StatusGone:
		e.Kind = NotFound
	case code >= 500:
		e.Kind = Server
		e.retry = code == http.StatusBadGateway || code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout
	default:
		e.Kind = BadStatus
	}
	if !c.policy.obeysRobots() {
		e.Answer, _ = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)) // what was read of it before an error is enough
	} else if challenged(resp.Header) {
		e.Kind, e.Detail, e.retry = Interstitial, interstitialDetail(byChallenge), false
	}
	return e
}

// backoffOf returns how long a host wants no requests: its Retry-After, or, if
// it refuses because a rate limit is used up, as GitHub does with status 403,
// the time until that is reset.
func backoffOf(resp *http.Response, now time.Time) time.Duration {
	if wait := retryAfter(resp.Header.Get("Retry-After"), now); wait > 0 {
		return wait
	}
	if resp.StatusCode != http.StatusForbidden && resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("X-Ratelimit-Remaining") != "0" {
		return 0
	}
	at, err := strconv.ParseInt(resp.Header.Get("X-Ratelimit-Reset"), 10, 64)
	if err != nil {
		return 0
	}
	return min(max(time.Unix(at, 0).Sub(now), 0), time.Hour)
}

// retryAfter parses the two forms of the header: seconds and an HTTP date.
func retryAfter(v string, now time.Time) time.Duration {
	v = strings.TrimSpace(v)
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now).Round(time.Second), 0)
	}
	return 0
}
