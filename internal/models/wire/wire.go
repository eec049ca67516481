// Package wire is how providers reach their servers: never through a proxy that was
// meant for web pages, with bounded responses, and cut off when nothing arrives.
package wire

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/redact"
)

// MaxBody bounds a response, in bytes.
const MaxBody = 64 << 20

// ErrSilent is the cause of a context that Watch ended.
var ErrSilent = errors.New("nothing was sent for too long")

// NewTransport returns a transport. It ignores HTTP_PROXY and its kind: prompts hold
// what a user asks and remembers, and a proxy for web pages is no place for them.
// proxy is the value of the named setting, a URL or empty.
func NewTransport(setting, proxy string) (*http.Transport, error) {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		transport = &http.Transport{}
	}
	transport = transport.Clone()
	transport.Proxy = nil
	if proxy == "" {
		return transport, nil
	}
	u, err := url.Parse(proxy)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, evidence.BadInput(setting+" is not the URL of a proxy", "give a URL such as http://proxy.example.org:3128, or leave it empty")
	}
	transport.Proxy = http.ProxyURL(u)
	return transport, nil
}

// NewClient returns a client over a transport that follows no redirects, so that
// prompts and keys go to no other host, that truncates responses at MaxBody, and that
// removes from them the secrets of secrets, which a server may repeat.
func NewClient(transport http.RoundTripper, secrets *redact.Redactor) *http.Client {
	return &http.Client{
		Transport:     cleanBody{transport, secrets},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// cleanBody truncates a response that is too long to be one, as API libraries read
// without a limit, and redacts it.
type cleanBody struct {
	base    http.RoundTripper
	secrets *redact.Redactor
}

func (l cleanBody) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{l.secrets.Lines(io.LimitReader(resp.Body, MaxBody)), resp.Body}
	resp.ContentLength = -1
	resp.Header.Del("Content-Length")
	return resp, nil
}

// Watch cancels a call that sends nothing for too long. A replay has no clock: the
// recording says when a call was cancelled.
type Watch struct {
	timer *time.Timer // nil: no clock
	pause time.Duration
}

// NewWatch calls cancel with ErrSilent if nothing is heard for the time first, or,
// after the first part, for the time pause.
func NewWatch(ctx context.Context, cancel context.CancelCauseFunc, first, pause time.Duration) Watch {
	if limit.ClockIsOff(ctx) {
		return Watch{}
	}
	return Watch{timer: time.AfterFunc(first, func() { cancel(ErrSilent) }), pause: pause}
}

// Heard restarts the timer; with a pause of 0 there is no further limit.
func (w Watch) Heard() {
	switch {
	case w.timer == nil:
	case w.pause > 0:
		w.timer.Reset(w.pause)
	default:
		w.timer.Stop()
	}
}

// Stop ends the watch.
func (w Watch) Stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
