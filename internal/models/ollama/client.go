// Package ollama is the connection to a local Ollama server: whether it is
// there, which of its models to use, and calls that are bounded by silence
// rather than by total time. What is wrong with it is told in words that a
// person can act on, because most people meet this room when Ollama is not
// running or has no model yet.
package ollama

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ollama/ollama/api"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

const (
	// DefaultProbe is the longest that Probe waits. A question is on its way:
	// an Ollama that takes longer is not used for it.
	DefaultProbe = 200 * time.Millisecond
	// DefaultSilence is how long a model that began to write may pause.
	DefaultSilence = 30 * time.Second
	// DefaultPatience is how long a model may take to its first word: loading
	// the weights and reading the prompt take minutes on a slow machine.
	DefaultPatience = 3 * time.Minute
	// DefaultKeepAlive spares the second question the loading of the model.
	DefaultKeepAlive = 15 * time.Minute

	stateFresh   = 3 * time.Second  // a finished probe is believed this long
	failureFresh = 30 * time.Second // a model that failed is left alone this long
	lookLimit    = 5 * time.Second  // a probe goes on this long behind the caller's back
	showLimit    = 30 * time.Second // details of a model with a large vocabulary take a while
	maxBody      = 64 << 20         // of one answer, bytes
)

// Config says where Ollama is and which models to use. The zero value is the
// local server with whatever models it has.
type Config struct {
	Host       string        // as OLLAMA_HOST; empty: 127.0.0.1:11434
	ChatModel  string        // empty: the first installed one that can chat
	EmbedModel string        // empty: the first installed one that can embed
	KeepAlive  time.Duration // 0: DefaultKeepAlive
	Silence    time.Duration // 0: DefaultSilence
	Patience   time.Duration // 0: DefaultPatience
	Probe      time.Duration // 0, or longer than DefaultProbe: DefaultProbe

	// Transport stands before the way out, to record what passes or to answer in
	// its place; nil: nothing does.
	Transport func(wire http.RoundTripper) http.RoundTripper
	// Readable has the last word on what Client.Readable measured; nil: nobody.
	Readable func(tokens int) int

	Now func() time.Time // nil: time.Now; only differences are used
	Log *slog.Logger     // nil: nothing is logged
}

// Client talks to one server. It is safe for concurrent use. Nothing is dialled
// before the first call.
type Client struct {
	cfg  Config
	base *url.URL
	api  *api.Client
	http *http.Transport
	log  *slog.Logger

	begin  func(func(context.Context)) // runs work that may outlive its caller, until Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	state    State // as of stateAt, when known
	known    bool
	stateAt  time.Time
	flight   *flight
	details  map[string]details   // by digest
	learning map[string]bool      // digests whose details are being fetched
	failures map[string]failure   // by model name
	slow     map[string]time.Time // by model name
	windows  map[string]int       // by model name: the largest context that was asked for
	paces    map[string]float64   // by model name: prompt tokens read in a second
}

// New makes a client. A host that cannot be one is an *evidence.Problem.
func New(cfg Config) (*Client, error) {
	base, err := ParseHost(cfg.Host)
	if err != nil {
		return nil, err
	}
	setDefaults(&cfg)
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		transport = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	transport = transport.Clone()
	life, cancel := context.WithCancel(context.Background())
	c := &Client{
		cfg: cfg, base: base, http: transport, log: cfg.Log, cancel: cancel,
		details: map[string]details{}, learning: map[string]bool{}, failures: map[string]failure{}, slow: map[string]time.Time{}, windows: map[string]int{}, paces: map[string]float64{},
	}
	c.begin = func(f func(context.Context)) { c.work.Go(func() { f(life) }) }
	var way http.RoundTripper = transport
	if cfg.Transport != nil {
		way = cfg.Transport(transport)
	}
	c.api = api.NewClient(base, &http.Client{
		Transport: limitBody{way},
		// A local server has nowhere to send us to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
	return c, nil
}

func setDefaults(cfg *Config) {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&cfg.KeepAlive, DefaultKeepAlive}, {&cfg.Silence, DefaultSilence},
		{&cfg.Patience, DefaultPatience}, {&cfg.Probe, DefaultProbe},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	cfg.Probe = min(cfg.Probe, DefaultProbe)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
}

// Host is the server's base URL.
func (c *Client) Host() string { return c.base.String() }

// Close ends what still runs and waits for it. Calls after it fail.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.work.Wait()
	c.http.CloseIdleConnections()
	return nil
}

// ParseHost reads a host as Ollama's own client reads OLLAMA_HOST: a host, a
// host and port, or a URL. Where that client quietly takes its default for a
// port that is none, this is an error. An address to listen on, such as
// 0.0.0.0, means this machine.
func ParseHost(s string) (*url.URL, error) {
	bad := func(what string) error {
		return evidence.BadInput("the Ollama host "+strconv.Quote(s)+" "+what,
			"give a host and port such as 127.0.0.1:11434, or a URL such as http://gpu-box:11434")
	}
	s = strings.Trim(strings.TrimSpace(s), `"'`)
	port := "11434"
	scheme, hostport, ok := strings.Cut(s, "://")
	switch {
	case !ok:
		scheme, hostport = "http", s
		if s == "ollama.com" {
			scheme, port = "https", "443"
		}
	case scheme == "http":
		port = "80"
	case scheme == "https":
		port = "443"
	default:
		return nil, bad("has the scheme " + strconv.Quote(scheme) + ", not http or https")
	}
	hostport, path, _ := strings.Cut(hostport, "/")
	host := strings.Trim(hostport, "[]")
	if h, p, err := net.SplitHostPort(hostport); err == nil {
		host, port = h, p
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return nil, bad("has the port " + strconv.Quote(port))
	}
	ip := net.ParseIP(host)
	switch {
	case host == "":
		host = "127.0.0.1"
	case ip == nil && strings.ContainsAny(host, " \t@?#:"):
		return nil, bad("is not a host")
	case ip != nil && ip.IsUnspecified() && ip.To4() == nil:
		host = "::1"
	case ip != nil && ip.IsUnspecified():
		host = "127.0.0.1"
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port), Path: path}, nil
}

// limitBody ends an answer that is too long to be one: the api package reads it
// to its end, however long it is.
type limitBody struct{ base http.RoundTripper }

func (l limitBody) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxBody), resp.Body}
	return resp, nil
}

var errClosed = errors.New("the connection to Ollama was closed")
