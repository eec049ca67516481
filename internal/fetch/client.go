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

// Door is a way out with its rules. It is safe for concurrent use.
type Client struct {
	network      *Network
	policy       policy
	http         *http.Client
	lifetime     time.Duration // of answers in the cache; 0: not kept
	ignoreMaxAge bool          // on the lifetime, whatever the host's Cache-Control says of it
}

// Keep is the same door with answers kept in the client's cache: until lifetime
// has passed since the host gave or confirmed an answer, it is not asked again.
// A host may shorten the time or forbid the keeping by its Cache-Control, never
// lengthen it. After it, the host is asked whether the answer has changed; when
// it cannot be asked, an answer up to a week old is given, marked as stale.
func (d *Client) WithCache(lifetime time.Duration) *Client {
	kept := *d
	kept.lifetime = max(lifetime, 0)
	return &kept
}

// KeepFor is Keep for an API whose answers its operator's users agree to be so
// old: a max-age of the host does not shorten the lifetime. Many services mark
// every answer as already old, because browsers show them to people who have
// just changed something; a search asked twice is then asked twice. What must
// not be stored is not, all the same.
func (d *Client) WithFixedCache(lifetime time.Duration) *Client {
	kept := d.WithCache(lifetime)
	kept.ignoreMaxAge = true
	return kept
}

// Backoff makes the door's host be left alone for a time that it asked for
// inside of a good answer, as Retry-After does in a header: requests wait up to
// two seconds, and fail with Throttled beyond. The open door has no host of its
// own, so there it does nothing.
func (d *Client) Backoff(t time.Duration) {
	if own, ok := d.policy.(*hostPolicy); ok {
		d.network.limiters.backOff(own.key, Rate{}, t)
	}
}

// Forget takes the answer to a request out of the cache: for one that came with
// a good status and turned out to be an error, or of no use. GetJSON does so by
// itself with what it cannot decode.
func (d *Client) Invalidate(req Request) {
	if d.network.cache() == nil || d.lifetime <= 0 {
		return
	}
	accepts := []string{req.Accept}
	if req.Accept == "" {
		accepts = append(accepts, acceptJSON) // as GetJSON has asked
	}
	for _, req.Accept = range accepts {
		if a, err := d.check(req); err == nil {
			d.network.cache().drop(a.key)
		}
	}
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
	Charset      string // of the body, as the header names it, in lower case; empty: it does not
	ETag         string
	LastModified string
	RetryAfter   time.Duration // that a good answer carried; a service may signal load this way
	Retrieved    time.Time     // when the body came over the wire, even if that was days ago
	Truncated    bool          // a page that was cut at the limit; open door only

	Cached bool          // the body came from the cache
	Stale  bool          // past its lifetime: the host could not be asked
	Age    time.Duration // of a cached answer: since the host gave or confirmed it
}

// FullType is the content type with its charset, as a reader of pages needs it:
// many hosts name the charset in the header alone.
func (r *Response) FullType() string {
	if r.Charset == "" || r.ContentType == "" {
		return r.ContentType
	}
	return r.ContentType + "; charset=" + r.Charset
}

// setType is the contrary of FullType; it takes any header, too.
func (r *Response) setType(header string) {
	r.ContentType, r.Charset = mediaType(header), charsetOf(header)
}

// ask is a Request that passed the door's rules.
type checkedRequest struct {
	url    *url.URL
	accept string
	limit  int64
	budget *Budget
	host   string // as errors show it

	key      cacheKey
	lifetime time.Duration
}

// flightKey keeps apart what may be answered from a cache of another lifetime.
func (a *checkedRequest) coalesceKey() string { return string(a.key[:]) + a.lifetime.String() }

// Get asks for a URL. It waits for one of the host's slots first; ctx ends the
// wait and the request at once, and then the error is ctx's. Any other failure
// is an *Error. Equal requests at the same time are one on the wire.
func (d *Client) Get(ctx context.Context, req Request) (Response, error) {
	a, err := d.check(req)
	if err != nil {
		return Response{}, err
	}
	if !d.network.begin() {
		return Response{}, &Error{Kind: Closed, Host: a.host}
	}
	defer d.network.inFlight.Done()
	if ctx.Value(noCacheKey{}) != nil {
		a.lifetime = 0
	}
	var resp Response
	if tape := d.network.cfg.Cassette; tape != nil {
		resp, err = tape.get(ctx, a, func() (Response, error) { return d.coalesced(ctx, a) })
	} else {
		resp, err = d.coalesced(ctx, a)
	}
	if err == nil {
		traceOf(ctx).addResponse(resp, d, a)
	}
	return resp, err
}

type noCacheKey struct{}

// Anew makes the requests under the returned context ask their hosts, whatever
// is kept, and keeps nothing of their answers: for who wants to know whether a
// host can be reached. The hosts' limits and wishes hold.
func NoCache(ctx context.Context) context.Context { return context.WithValue(ctx, noCacheKey{}, true) }

// check applies the rules that look at the URL alone.
func (d *Client) check(req Request) (checkedRequest, error) {
	u, err := url.Parse(req.URL)
	if err != nil {
		return checkedRequest{}, &Error{Kind: Refused, Detail: "refused: it is not a URL"}
	}
	u.Fragment, u.RawFragment = "", ""
	a := checkedRequest{url: u, accept: req.Accept, limit: req.MaxBody, budget: req.Budget, host: d.policy.displayHost(u), lifetime: d.lifetime}
	if err := d.policy.checkURL(u); err != nil {
		e := classify(err)
		e.Host = a.host
		return checkedRequest{}, e
	}
	if a.accept == "" {
		a.accept = "*/*"
	}
	if a.limit <= 0 {
		a.limit = d.network.cfg.MaxBody
	}
	if a.budget == nil {
		a.budget = NewBudget(DefaultTimeout)
	}
	// What the operator's door brought must never come out of the open one.
	a.key = newCacheKey(http.MethodGet, strconv.FormatBool(d.policy.obeysRobots()), u.String(), a.accept, strconv.FormatInt(a.limit, 10))
	return a, nil
}

func orAddress(host string) string {
	if host == "" {
		return "the address"
	}
	return host
}

const acceptJSON = "application/json"

// GetJSON asks for a URL and decodes its body into v. What is not announced as
// JSON is not decoded: a block page in HTML is a failure, not an empty result.
func (d *Client) GetJSON(ctx context.Context, req Request, v any) (Response, error) {
	if req.Accept == "" {
		req.Accept = acceptJSON
	}
	resp, err := d.Get(ctx, req)
	if err != nil {
		return Response{}, err
	}
	host := ""
	if u, err := url.Parse(req.URL); err == nil {
		host = d.policy.displayHost(u)
	}
	if !isJSON(resp) {
		d.Invalidate(req)
		return Response{}, &Error{Kind: ContentType, Host: host, Detail: "answered " + shortType(resp.ContentType) + " instead of JSON"}
	}
	if err := json.Unmarshal(resp.Body, v); err != nil {
		d.Invalidate(req)
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
