package fetch

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client sends GET requests under one policy. It is safe for concurrent use.
type Client struct {
	network      *Network
	policy       policy
	http         *http.Client
	lifetime     time.Duration // of cached responses; 0: no cache
	ignoreMaxAge bool          // of the host's Cache-Control
}

// WithCache returns a Client that stores responses in the Network's cache.
// Until lifetime has passed since the host sent or confirmed a response, the
// host is not asked again; the host's Cache-Control can shorten that time or
// forbid storing, but not lengthen it. After that the response is revalidated.
// If the host cannot be asked, a response of up to a week is returned, marked
// Stale.
func (c *Client) WithCache(lifetime time.Duration) *Client {
	kept := *c
	kept.lifetime = max(lifetime, 0)
	return &kept
}

// WithFixedCache is WithCache for APIs whose responses may be that old whatever
// their max-age says: many services mark every response as expired for the sake
// of browsers, so that equal searches would be repeated. no-store is obeyed.
func (c *Client) WithFixedCache(lifetime time.Duration) *Client {
	kept := c.WithCache(lifetime)
	kept.ignoreMaxAge = true
	return kept
}

// Backoff stops requests to the client's host for a time that the host asked
// for inside a successful response, like Retry-After in a header: requests wait
// for up to two seconds of it and otherwise fail with Throttled. On a public
// client it does nothing.
func (c *Client) Backoff(t time.Duration) {
	if own, ok := c.policy.(*hostPolicy); ok {
		c.network.limiters.backOff(own.key, Rate{}, t)
	}
}

// Invalidate removes the response to req from the cache. Use it for a response
// with a good status that turned out to be an error or useless. GetJSON does so
// for what it cannot decode.
func (c *Client) Invalidate(req Request) {
	if c.network.cache() == nil || c.lifetime <= 0 {
		return
	}
	accepts := []string{req.Accept}
	if req.Accept == "" {
		accepts = append(accepts, acceptJSON) // as GetJSON asks
	}
	for _, req.Accept = range accepts {
		if cr, err := c.check(req); err == nil {
			c.network.cache().drop(cr.key)
		}
	}
}

// Request is a GET.
type Request struct {
	URL     string
	Accept  string  // empty: anything, or JSON for GetJSON
	Budget  *Budget // nil: DefaultTimeout for this request alone
	MaxBody int64   // bytes after decompression; 0: the Network's
}

// Response is a successful response (2xx), read to its end.
type Response struct {
	Body         []byte
	URL          string // after redirects
	ContentType  string // lower case, without parameters
	Charset      string // of the body, as the header names it, in lower case; empty: unknown
	ETag         string
	LastModified string
	RetryAfter   time.Duration // of a successful response, by which some services signal load
	Retrieved    time.Time     // when the body was received, even if that was days ago
	Truncated    bool          // a page that was cut at the limit; public clients only

	Cached bool          // the body came from the cache
	Stale  bool          // past its lifetime, because the host could not be asked
	Age    time.Duration // of a cached response: since the host sent or confirmed it
}

// FullType returns the content type with its charset, which many hosts name
// only in the header.
func (r *Response) FullType() string {
	if r.Charset == "" || r.ContentType == "" {
		return r.ContentType
	}
	return r.ContentType + "; charset=" + r.Charset
}

// setType sets ContentType and Charset from a Content-Type header.
func (r *Response) setType(header string) {
	r.ContentType, r.Charset = mediaType(header), charsetOf(header)
}

// checkedRequest is a Request that the client's policy allows.
type checkedRequest struct {
	url    *url.URL
	accept string
	limit  int64
	budget *Budget
	host   string // as errors show it

	key      cacheKey
	lifetime time.Duration
}

// coalesceKey is what equal requests share. Requests of different cache
// lifetimes are not equal.
func (cr *checkedRequest) coalesceKey() string { return string(cr.key[:]) + cr.lifetime.String() }

// Get requests a URL. It waits for a slot of the host; ctx ends the wait and
// the request, and then the error is ctx's. Any other error is an *Error. Equal
// concurrent requests are sent once.
func (c *Client) Get(ctx context.Context, req Request) (Response, error) {
	cr, err := c.check(req)
	if err != nil {
		return Response{}, err
	}
	if !c.network.begin() {
		return Response{}, &Error{Kind: Closed, Host: cr.host}
	}
	defer c.network.inFlight.Done()
	if ctx.Value(noCacheKey{}) != nil {
		cr.lifetime = 0
	}
	var resp Response
	if cassette := c.network.cfg.Cassette; cassette != nil {
		resp, err = cassette.get(ctx, cr, func() (Response, error) { return c.coalesced(ctx, cr) })
	} else {
		resp, err = c.coalesced(ctx, cr)
	}
	if err == nil {
		traceOf(ctx).addResponse(resp, c, cr)
	}
	return resp, err
}

type noCacheKey struct{}

// NoCache returns a context whose requests neither read nor write the cache,
// for a caller that checks whether a host can be reached. Limits and robots.txt
// hold.
func NoCache(ctx context.Context) context.Context { return context.WithValue(ctx, noCacheKey{}, true) }

// check applies the rules that depend on the URL alone.
func (c *Client) check(req Request) (checkedRequest, error) {
	u, err := parseURL(req.URL)
	if err != nil {
		return checkedRequest{}, &Error{Kind: Refused, Detail: "refused: it is not a URL"}
	}
	u.Fragment, u.RawFragment = "", ""
	cr := checkedRequest{url: u, accept: req.Accept, limit: req.MaxBody, budget: req.Budget, host: c.policy.displayHost(u), lifetime: c.lifetime}
	if err := c.policy.checkURL(u); err != nil {
		e := classify(err)
		e.Host = cr.host
		return checkedRequest{}, e
	}
	if cr.accept == "" {
		cr.accept = "*/*"
	}
	if cr.limit <= 0 {
		cr.limit = c.network.cfg.MaxBody
	}
	if cr.budget == nil {
		cr.budget = NewBudget(DefaultTimeout)
	}
	// Responses of a configured host must never be returned by a public client.
	cr.key = newCacheKey(http.MethodGet, strconv.FormatBool(c.policy.obeysRobots()), u.String(), cr.accept, strconv.FormatInt(cr.limit, 10))
	return cr, nil
}

func orAddress(host string) string {
	if host == "" {
		return "the address"
	}
	return host
}

const acceptJSON = "application/json"

// GetJSON requests a URL and decodes its body into v. A body of another content
// type is an error, not an empty result: it may be a block page in HTML.
func (c *Client) GetJSON(ctx context.Context, req Request, v any) (Response, error) {
	if req.Accept == "" {
		req.Accept = acceptJSON
	}
	resp, err := c.Get(ctx, req)
	if err != nil {
		return Response{}, err
	}
	host := ""
	if u, err := url.Parse(req.URL); err == nil {
		host = c.policy.displayHost(u)
	}
	if !isJSON(resp) {
		c.Invalidate(req)
		what := shortType(resp.ContentType)
		if by := lookAt(resp.Body).interstitial(nil); by != "" {
			what = by
		}
		return Response{}, &Error{Kind: ContentType, Host: host, Detail: "answered " + what + " instead of JSON"}
	}
	if err := json.Unmarshal(resp.Body, v); err != nil {
		c.Invalidate(req)
		return Response{}, &Error{Kind: Malformed, Host: host}
	}
	return resp, nil
}

// isJSON reports whether a response is JSON by its type, or, if its type says
// nothing useful, by its first byte: small servers send JSON as text/plain.
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

// shortType bounds the length of a foreign content type in an error.
func shortType(s string) string {
	if s == "" || len(s) > 40 {
		return "something else"
	}
	return s
}
