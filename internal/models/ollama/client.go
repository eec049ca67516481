// Package ollama provides the models of an Ollama server: whether it runs, which
// of its models to use, and an embedder, a synthesizer, a planner and a
// summarizer over its API. Calls are limited by silence, not by total time. Its
// errors are *evidence.Problem: most people see them because Ollama is not
// running or has no model yet.
package ollama

import (
	"context"
	"errors"
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
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/models/wire"
	"github.com/research-mcp/research-mcp/internal/redact"
)

const (
	// defaultPatience is how long a model may take to its first word: loading the
	// weights and reading the prompt take minutes on a slow machine.
	defaultPatience = 3 * time.Minute

	failureTTL = 30 * time.Second // a model that failed is not chosen again for this long
	showLimit  = 30 * time.Second // details of a model with a large vocabulary take a while
)

// Config says where Ollama is and which models to use. The zero value is the
// local server with the first suitable models that it has. Defaults of settings
// are in package config.
type Config struct {
	Host       string        // as OLLAMA_HOST; empty: 127.0.0.1:11434
	ChatModel  string        // empty: the first installed one that can chat
	EmbedModel string        // empty: the first installed one that can embed
	Proxy      string        // URL of the proxy for all requests; empty: none, whatever HTTP_PROXY says
	KeepAlive  time.Duration // how long the server keeps a model loaded; 0: not at all, negative: for ever
	Silence    time.Duration // how long a model that began to write may pause; 0: for ever
	Patience   time.Duration // how long it may take to its first word; 0: three minutes

	Speeds *pace.Book // of models; nil: they are not measured

	Hooks models.Hooks     // nil: none
	Now   func() time.Time // nil: time.Now; only differences are used
	Log   *slog.Logger     // nil: nothing is logged
}

// Client talks to one server. It is safe for concurrent use. Nothing is dialled
// before the first call.
type Client struct {
	cfg  Config
	base *url.URL
	api  *api.Client
	http *http.Transport
	log  *slog.Logger

	background func(func(context.Context)) // runs work that may outlive its caller; its context ends at Close
	meter      *pace.Meter
	cancel     context.CancelFunc
	work       sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	probes   probes
	details  map[string]details // by digest
	learning map[string]bool    // digests whose details are being fetched
	failures map[string]failure // by model name
	windows  map[string]int     // by model name: the largest context that was asked for
}

// New makes a client. A host or a proxy that cannot be one is an
// *evidence.Problem.
func New(cfg Config) (*Client, error) {
	base, err := ParseHost(cfg.Host)
	if err != nil {
		return nil, err
	}
	transport, err := wire.NewTransport("ollama.proxy", cfg.Proxy)
	if err != nil {
		return nil, err
	}
	if cfg.Patience == 0 {
		cfg.Patience = defaultPatience
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	life, cancel := context.WithCancel(context.Background())
	c := &Client{
		cfg: cfg, base: base, http: transport, log: cfg.Log, cancel: cancel,
		details: map[string]details{}, learning: map[string]bool{}, failures: map[string]failure{},
		windows: map[string]int{},
	}
	c.background = func(f func(context.Context)) { c.work.Go(func() { f(life) }) }
	c.meter = pace.NewMeter(cfg.Speeds, c.background, func(err error) { c.log.Debug("the speed of a model was not stored", "err", err) })
	var outer http.RoundTripper = transport
	if cfg.Hooks != nil {
		outer = cfg.Hooks.Transport(transport)
	}
	c.api = api.NewClient(base, wire.NewClient(outer, redact.New(redact.InURL(cfg.Proxy)...)))
	return c, nil
}

// Host is the server's base URL.
func (c *Client) Host() string { return c.base.String() }

// Close cancels background work and waits for it. Later calls fail.
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
// host and port, or a URL. That client replaces an invalid port by its default;
// here it is an error. An address to listen on, such as 0.0.0.0, means this
// machine.
func ParseHost(s string) (*url.URL, error) {
	bad := func(what string) error {
		return evidence.BadInput("the Ollama host "+strconv.Quote(redact.Setting(s))+" "+what,
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

var errClosed = errors.New("the connection to Ollama was closed")
