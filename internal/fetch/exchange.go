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

// How one retry is made: at most once, and only where repeating is safe and the
// failure is of the passing kind.
const (
	retries      = 1
	minPause     = 100 * time.Millisecond
	maxPause     = 300 * time.Millisecond
	maxQueueWait = 2 * time.Second // a longer Retry-After is for the caller to obey

	// fairTime is what a host must be given before a missing answer says anything
	// of it: a question that spent its budget elsewhere has less.
	minFairTime = 200 * time.Millisecond
)

// answer is what one exchange brought.
type hopResult struct {
	Response
	header    http.Header
	next      *url.URL // where a redirect leads; nil: it is none
	unchanged bool     // the answer that we have still holds
}

// fly answers a flight's question: from the cache, from the wire, or, when the
// host cannot be asked, from the cache once more.
func (d *Client) resolve(f *call, a checkedRequest) (Response, error) {
	c := d.network
	old, have := d.cached(f.ctx, a)
	if have && old.fresh(a.lifetime, c.cache().now()) {
		c.cache().touch(a.key, old)
		return old.response(a.url, c.cache().now(), false), nil
	}
	if have && old.usable(c.cache().now()) {
		c.coalescer.setStale(f, old.response(a.url, c.cache().now(), true))
	}
	got, err := d.followRedirects(f, a, old)
	if err == nil {
		return d.store(a, old, got), nil
	}
	var e *Error
	if errors.As(err, &e) && e.passing() {
		if stale, ok := c.coalescer.staleFor(f); ok {
			c.cfg.Logger.Debug("a stale answer stands in", "host", a.url.Host, "age", stale.Age, "err", e.text())
			return stale, nil
		}
	}
	if have && e != nil && e.Kind == NotFound {
		c.cache().drop(a.key) // it is gone, so it must not come back as stale
	}
	return Response{}, err
}

// walk follows redirects. Each hop is a request of its own: the rules, the
// robots.txt and the queue of its host hold.
func (d *Client) followRedirects(f *call, a checkedRequest, old *entry) (hopResult, error) {
	u, hops, tries := a.url, 0, 0
	for {
		got, err := d.hop(f, u, a, old)
		if err != nil {
			e := classify(err)
			if f.ctx.Err() != nil || tries >= retries {
				return hopResult{}, e
			}
			if retry := d.retryPause(f, e); !retry {
				return hopResult{}, e
			}
			tries++
			continue
		}
		if got.next == nil {
			return got, nil
		}
		if hops++; hops > maxRedirects {
			return hopResult{}, &Error{Kind: BadRedirect, Detail: "redirected too often"}
		}
		if err := d.policy.checkRedirect(u, got.next); err != nil {
			return hopResult{}, classify(err)
		}
		u = got.next
	}
}

// pause waits before another try and reports whether there should be one. It
// costs the callers' budgets.
func (d *Client) retryPause(f *call, e *Error) bool {
	wait := max(minPause+rand.N(maxPause-minPause), e.RetryAfter)
	if !e.retry || e.RetryAfter > maxQueueWait || d.network.coalescer.maxLeft(f) <= wait {
		return false
	}
	defer d.network.coalescer.runClocks(f)()
	return sleep(f.ctx, wait) == nil
}

// hop is one request: the robots.txt and the slot first, then the clock.
func (d *Client) hop(f *call, u *url.URL, a checkedRequest, old *entry) (hopResult, error) {
	c := d.network
	if d.policy.obeysRobots() {
		if err := d.checkRobots(f.ctx, u, &f.sent); err != nil {
			if ended := f.endError(); ended != nil {
				return hopResult{}, ended
			}
			return hopResult{}, err
		}
	}
	if c.coalescer.outOfTime(f) {
		if ended := f.endError(); ended != nil {
			return hopResult{}, ended
		}
		return hopResult{}, &Error{Kind: Timeout} // before the host's breaker: it was not asked
	}
	pass, err := c.limiters.acquire(f.ctx, d.limiterKey(u), c.cfg.PublicRate, func(at time.Time) { c.coalescer.setEarliest(f, at) })
	if err != nil {
		if ended := f.endError(); ended != nil {
			return hopResult{}, ended
		}
		return hopResult{}, err
	}
	released := false
	defer func() {
		if !released { // a panic of ours: it says nothing of the host, whose slot must become free
			pass.release(errNotCounted)
		}
	}()
	f.sent.Add(1)
	stop := c.coalescer.runClocks(f)
	start := time.Now()
	got, err := d.send(f.ctx, u, a, old)
	stop()
	took := time.Since(start)
	c.cfg.Logger.Debug("request", "host", u.Host, "took", took, "bytes", len(got.Body), "ok", err == nil)
	if neverSent(err) {
		pass.refund()
	}
	if ended := f.endError(); err != nil && ended != nil {
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

// gateOf names the gate of an address. Behind the open door it is one for both
// ports of the web, as they are one host: the operator's, if there is one.
func (d *Client) limiterKey(u *url.URL) string {
	key := hostPort(u)
	host, port, err := net.SplitHostPort(key)
	if !d.policy.obeysRobots() || err != nil || port != "80" && port != "443" || d.network.isConfigured(key) {
		return key
	}
	secure, plain := net.JoinHostPort(host, "443"), net.JoinHostPort(host, "80")
	if d.network.isConfigured(plain) && !d.network.isConfigured(secure) {
		return plain
	}
	return secure
}

// send makes the request and reads the answer to its end.
func (d *Client) send(ctx context.Context, u *url.URL, a checkedRequest, old *entry) (hopResult, error) {
	c := d.network
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return hopResult{}, err
	}
	// No Accept-Encoding: set by hand, it would make net/http hand us gzip as it is.
	r.Header.Set("User-Agent", c.agent)
	r.Header.Set("Accept", a.accept)
	asked := old.condition(r.Header, a.url, u)
	resp, err := d.http.Do(r)
	if err != nil {
		return hopResult{}, err
	}
	defer resp.Body.Close()
	got := hopResult{header: resp.Header, Response: Response{
		URL:          u.String(),
		ETag:         resp.Header.Get("ETag"),
		LastModified: resp.Header.Get("Last-Modified"),
		RetryAfter:   backoffOf(resp, c.cfg.Now()),
		Retrieved:    c.cfg.Now(),
	}}
	c.limiters.backOff(d.limiterKey(u), c.cfg.PublicRate, got.RetryAfter)
	got.setType(resp.Header.Get("Content-Type"))
	if asked && resp.StatusCode == http.StatusNotModified {
		got.unchanged = true
		return got, nil
	}
	if got.next, err = redirectTo(resp, u); err != nil || got.next != nil {
		return got, err
	}
	if err := d.checkStatus(resp.StatusCode, got.RetryAfter); err != nil {
		return hopResult{}, err
	}
	if d.policy.obeysRobots() {
		return got, readPage(&got.Response, resp.Body, a.limit)
	}
	got.Body, err = readAll(resp.Body, a.limit)
	return got, err
}

// redirectTo is where a redirect leads, nil when the answer is none.
func redirectTo(resp *http.Response, from *url.URL) (*url.URL, error) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	where := resp.Header.Get("Location")
	if where == "" {
		return nil, nil // the status says the rest
	}
	to, err := from.Parse(where)
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

// judge maps a status to an error, nil for 2xx.
func (d *Client) checkStatus(code int, after time.Duration) error {
	e := &Error{Code: code, RetryAfter: after}
	switch {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests, code == http.StatusForbidden && after > 0:
		e.Kind = Throttled
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusUnavailableForLegalReasons:
		e.Kind = Forbidden
		if !d.network.Identified() {
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
	return e
}

// patience is how long a host wants to be left alone. Where the budget that a
// refusal tells of is used up, as GitHub says it with status 403, that is until
// it is filled again.
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

// retryAfter reads the header's two forms: seconds and an HTTP date.
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
