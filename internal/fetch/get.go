package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// How one retry is made: at most once, and only where repeating is safe and the
// failure is of the passing kind.
const (
	retries     = 1
	minPause    = 100 * time.Millisecond
	maxPause    = 300 * time.Millisecond
	longestWait = 2 * time.Second // a longer Retry-After is for the caller to obey
)

// Door is a way out with its rules. It is safe for concurrent use.
type Door struct {
	client *Client
	rules  rules
	http   *http.Client
}

// Request is a GET.
type Request struct {
	URL     string
	Accept  string  // empty: anything, or JSON for GetJSON
	Budget  *Budget // nil: DefaultTimeout for this request alone
	MaxBody int64   // bytes after decompression; 0: the client's
}

// Response is a good answer (2xx), read to its end.
type Response struct {
	Body         []byte
	URL          string // after redirects
	ContentType  string // lower case, without parameters
	ETag         string
	LastModified string
	RetryAfter   time.Duration // that a good answer carried; a service may signal load this way
	Retrieved    time.Time
}

// Get asks for a URL. It waits for one of the host's slots first; ctx ends the
// wait and the request at once, and then the error is ctx's. Any other failure
// is an *Error.
func (d *Door) Get(ctx context.Context, req Request) (Response, error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		return Response{}, &Error{Kind: Refused, Detail: "refused: it is not a URL"}
	}
	u.Fragment, u.RawFragment = "", ""
	host := d.rules.shown(u)
	if err := d.rules.first(u); err != nil {
		e := classify(err)
		e.Host = host
		return Response{}, e
	}
	if !d.client.enter() {
		return Response{}, &Error{Kind: Closed, Host: host}
	}
	defer d.client.flying.Done()
	if req.Budget == nil {
		req.Budget = NewBudget(DefaultTimeout)
	}
	for try := 0; ; try++ {
		resp, err := d.try(ctx, u, req)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return Response{}, fmt.Errorf("asking %s: %w", orAddress(host), ctx.Err())
		}
		e := classify(err)
		e.Host = host
		if try >= retries || !d.pause(ctx, e, req.Budget) {
			return Response{}, e
		}
	}
}

func orAddress(host string) string {
	if host == "" {
		return "the address"
	}
	return host
}

// pause waits before another try and reports whether there should be one.
func (d *Door) pause(ctx context.Context, e *Error, b *Budget) bool {
	wait := max(minPause+rand.N(maxPause-minPause), e.RetryAfter)
	if !e.again || e.RetryAfter > longestWait || b.Left() <= wait {
		return false
	}
	b.spend(wait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-d.client.ctx.Done():
	}
	return false
}

// try is one request: the slot first, then the clock.
func (d *Door) try(ctx context.Context, u *url.URL, req Request) (Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.client.ctx, cancel)()

	release, err := d.client.gates.enter(ctx, hostPort(u), d.client.cfg.OpenRate)
	switch {
	case d.client.ctx.Err() != nil:
		return Response{}, &Error{Kind: Closed}
	case errors.Is(err, errWaitTooLong):
		return Response{}, &Error{Kind: Throttled, Detail: err.Error()}
	case err != nil:
		return Response{}, err
	}
	defer release()

	wire, done := req.Budget.begin(ctx)
	defer done()
	start := time.Now()
	resp, err := d.send(wire, u, req)
	d.client.cfg.Logger.Debug("request", "host", u.Host, "took", time.Since(start), "bytes", len(resp.Body), "ok", err == nil)
	switch {
	case err == nil:
		return resp, nil
	case d.client.ctx.Err() != nil:
		return Response{}, &Error{Kind: Closed}
	case wire.Err() != nil:
		return Response{}, &Error{Kind: Timeout}
	}
	return Response{}, err
}

func (d *Door) send(ctx context.Context, u *url.URL, req Request) (Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Response{}, err
	}
	accept := req.Accept
	if accept == "" {
		accept = "*/*"
	}
	// No Accept-Encoding: set by hand, it would make net/http hand us gzip as it is.
	r.Header.Set("User-Agent", d.client.agent)
	r.Header.Set("Accept", accept)
	resp, err := d.http.Do(r)
	if err != nil {
		return Response{}, err
	}
	defer resp.Body.Close()
	out := Response{
		URL:          resp.Request.URL.String(),
		ETag:         resp.Header.Get("ETag"),
		LastModified: resp.Header.Get("Last-Modified"),
		RetryAfter:   retryAfter(resp.Header.Get("Retry-After"), d.client.cfg.Now()),
		Retrieved:    d.client.cfg.Now(),
	}
	out.ContentType, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err := d.judge(resp.StatusCode, out.RetryAfter); err != nil {
		return Response{}, err
	}
	limit := req.MaxBody
	if limit <= 0 {
		limit = d.client.cfg.MaxBody
	}
	out.Body, err = io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return Response{}, err
	}
	if int64(len(out.Body)) > limit {
		return Response{}, &Error{Kind: TooLarge, Detail: fmt.Sprintf("the answer is larger than %d kB", limit>>10)}
	}
	return out, nil
}

// judge maps a status to an error, nil for 2xx.
func (d *Door) judge(code int, after time.Duration) error {
	e := &Error{Code: code, RetryAfter: after}
	switch {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests:
		e.Kind = Throttled
	case code == http.StatusUnauthorized, code == http.StatusForbidden, code == http.StatusUnavailableForLegalReasons:
		e.Kind = Forbidden
		if !d.client.Identified() {
			e.Detail = fmt.Sprintf("answered %d, and no contact is set: hosts turn away clients they cannot reach", code)
		}
	case code == http.StatusNotFound, code == http.StatusGone:
		e.Kind = NotFound
	case code >= 500:
		e.Kind = Server
		e.again = code == http.StatusBadGateway || code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout
	default:
		e.Kind = BadStatus
	}
	return e
}

// GetJSON asks for a URL and decodes its body into v. What is not announced as
// JSON is not decoded: a block page in HTML is a failure, not an empty result.
func (d *Door) GetJSON(ctx context.Context, req Request, v any) (Response, error) {
	if req.Accept == "" {
		req.Accept = "application/json"
	}
	resp, err := d.Get(ctx, req)
	if err != nil {
		return Response{}, err
	}
	host := ""
	if u, err := url.Parse(req.URL); err == nil {
		host = d.rules.shown(u)
	}
	if !isJSON(resp) {
		return Response{}, &Error{Kind: ContentType, Host: host, Detail: "answered " + shortType(resp.ContentType) + " instead of JSON"}
	}
	if err := json.Unmarshal(resp.Body, v); err != nil {
		return Response{}, &Error{Kind: Malformed, Host: host}
	}
	return resp, nil
}

// isJSON lets pass what says that it is JSON, and what says nothing of use but
// looks like it: small servers send JSON as text/plain.
func isJSON(r Response) bool {
	switch {
	case r.ContentType == "application/json", r.ContentType == "text/json", strings.HasSuffix(r.ContentType, "+json"):
		return true
	case r.ContentType == "", r.ContentType == "text/plain":
		body := bytes.TrimLeft(r.Body, " \t\r\n")
		return len(body) > 0 && (body[0] == '{' || body[0] == '[')
	}
	return false
}

// shortType keeps a foreign content type from filling an error.
func shortType(s string) string {
	if s == "" || len(s) > 40 {
		return "something else"
	}
	return s
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
