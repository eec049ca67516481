package fetch

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/redact"
)

// maxStale is how long after its last confirmation a response may replace one
// from a host that cannot be asked.
const maxStale = 7 * 24 * time.Hour

// noMaxAge: the response has no max-age.
const noMaxAge = time.Duration(-1)

// cachePolicy returns whether a response may be stored, and its max-age or
// noMaxAge. private does not forbid it: the cache is one user's, and requests
// carry no identity.
func cachePolicy(h http.Header) (store bool, maxAge time.Duration) {
	maxAge, store = noMaxAge, strings.TrimSpace(h.Get("Vary")) != "*"
	shorten := func(d time.Duration) {
		if maxAge == noMaxAge || d < maxAge {
			maxAge = d
		}
	}
	for part := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "no-store":
			store = false
		case "no-cache":
			shorten(0)
		case "max-age":
			n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
			if err != nil {
				n = 0 // unreadable: expired
			}
			shorten(time.Duration(n) * time.Second)
		}
	}
	if maxAge > 0 { // a cache on the way has used some of it
		if age, err := strconv.ParseUint(strings.TrimSpace(h.Get("Age")), 10, 31); err == nil {
			maxAge = max(maxAge-time.Duration(age)*time.Second, 0)
		}
	}
	return store, maxAge
}

// entry is a stored response.
type entry struct {
	body      []byte
	final     string // URL after redirects; empty: the one asked for
	kind      string // content type, with its charset
	etag      string
	modified  string
	retrieved time.Time // when the body was received
	checked   time.Time // when the host sent or last confirmed it
	maxAge    time.Duration
	truncated bool
	used      time.Time
}

func (e *entry) age(now time.Time) time.Duration { return max(now.Sub(e.checked), 0) }

// fresh reports whether the response may be used without asking the host.
func (e *entry) fresh(lifetime time.Duration, now time.Time) bool {
	if e.maxAge >= 0 {
		lifetime = min(lifetime, e.maxAge)
	}
	// An entry from the future: a clock was set back, so ask.
	return e.age(now) < lifetime && !e.checked.After(now.Add(time.Minute))
}

// usable reports whether the response may be used if the host fails.
func (e *entry) usable(now time.Time) bool { return e.age(now) <= maxStale }

func (e *entry) response(asked *url.URL, now time.Time, stale bool) Response {
	r := Response{
		Body: e.body, URL: e.final, ETag: e.etag, LastModified: e.modified,
		Retrieved: e.retrieved, Truncated: e.truncated, Cached: true, Stale: stale, Age: e.age(now),
	}
	r.setType(e.kind)
	if r.URL == "" {
		r.URL = asked.String()
	}
	return r
}

// condition makes the request conditional if u is where the response came from.
func (e *entry) condition(h http.Header, asked, u *url.URL) bool {
	if e == nil || e.etag == "" && e.modified == "" {
		return false
	}
	from := e.final
	if from == "" {
		from = asked.String()
	}
	if from != u.String() {
		return false
	}
	if e.etag != "" {
		h.Set("If-None-Match", e.etag)
	}
	if e.modified != "" {
		h.Set("If-Modified-Since", e.modified)
	}
	return true
}

// withoutSecrets returns the entry as it may be stored, or false if its address has a
// secret.
func (e *entry) withoutSecrets(r *redact.Redactor) (*entry, bool) {
	if r.Text(e.final) != e.final {
		return nil, false
	}
	clean := *e
	clean.body, clean.kind = r.Body(e.kind, e.body), r.Values(e.kind)
	if r.Values(e.etag) != e.etag {
		clean.etag = ""
	}
	clean.modified = r.Values(e.modified)
	return &clean, true
}

// cached returns the stored response, fresh or not.
func (c *Client) cached(ctx context.Context, cr checkedRequest) (*entry, bool) {
	if c.network.cache() == nil || cr.lifetime <= 0 {
		return nil, false
	}
	return c.network.cache().get(ctx, cr.key)
}

// store stores a response, as far as its host allows, and returns it.
func (c *Client) store(cr checkedRequest, old *entry, got hopResult) Response {
	cache := c.network.cache()
	if cache == nil || cr.lifetime <= 0 {
		return got.Response
	}
	store, maxAge := cachePolicy(got.header)
	if c.ignoreMaxAge {
		maxAge = noMaxAge
	}
	now := cache.now()
	e := &entry{
		body: got.Body, kind: got.FullType(), etag: got.ETag, modified: got.LastModified,
		retrieved: got.Retrieved, checked: now, maxAge: maxAge, truncated: got.Truncated, used: now,
	}
	if got.URL != cr.url.String() {
		e.final = got.URL
	}
	resp := got.Response
	if got.unchanged {
		was := *old
		e = &was
		e.checked, e.used = now, now
		if len(got.header.Values("Cache-Control")) > 0 {
			e.maxAge = maxAge
		}
		if got.ETag != "" {
			e.etag = got.ETag
		}
		resp = e.response(cr.url, now, false)
		resp.RetryAfter = got.RetryAfter
	}
	// With Retry-After and a good status, a service says that it is too busy, so
	// the body is no answer.
	if stored, ok := e.withoutSecrets(c.network.cfg.Secrets); ok && store && got.RetryAfter == 0 {
		cache.put(cr.key, stored, !got.unchanged)
	} else {
		cache.drop(cr.key)
	}
	return resp
}
