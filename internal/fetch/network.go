// Package fetch makes all HTTP requests to hosts other than a local model
// server. A Network owns connections, identity, limits per host and the cache.
// It makes Clients, each with one policy: ForHost, for one host and port that
// the operator configured, and ForPublic, for URLs that a model or a page
// chose, which connects to public addresses alone. Both identify this program,
// obey each host's limits and bound what a response may cost.
//
// Reading order: network.go, client.go (a request), coalesce.go (equal requests
// are one), exchange.go (redirects, retry, one request), host_limiter.go and
// breaker.go (limits and health of a host), guard.go (addresses), robots.go and
// page_body.go (pages), cache_policy.go, cache.go and cache_store.go,
// recorder.go, har.go and replayer.go (recordings).
package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/research-mcp/research-mcp/internal/redact"
)

// Bounds of every request. They protect this process, so no setting changes
// them.
const (
	headerBytes      = 64 << 10 // of a response's header, in all
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	maxRedirects     = 5
	maxURL           = 2048 // bytes; a longer URL may carry data out rather than name a page
)

// Defaults of a Config.
const (
	DefaultMaxBody = 5 << 20
	DefaultTimeout = 8 * time.Second // on the wire, for a request without a Budget
)

// Config configures a Network. Its zero value is usable.
type Config struct {
	Version string // of this program, for the User-Agent
	Contact string // the operator's e-mail or page, for the User-Agent; without it, public hosts are asked half as often
	Logger  *slog.Logger

	Cache *Cache // of good answers; nil: none. The caller closes it after the Network
	// OpenCache returns a cache that is opened on first use; it is called often
	// and may return nil. It is not used if Cache is set.
	OpenCache func() *Cache

	// Secrets are not stored in the cache: responses that repeat them are stored
	// without, and those whose address has one are not stored.
	Secrets *redact.Redactor

	// Limits is a Network whose limits and health of hosts hold for this one as well;
	// caches, requests under way and connections stay apart. nil: it has its own.
	Limits *Network

	Cassette Cassette // a *Recorder or a *Replayer; nil: neither

	MaxBody int64 // bytes of a body after decompression; 0: DefaultMaxBody

	PublicRate   Rate             // of each public host; zero: 2 a second, 5 at once; half of it without a Contact
	PublicPorts  []uint16         // besides 80 and 443, for ForPublic
	AllowedAddrs []netip.AddrPort // that ForPublic may dial although the guard forbids them; exact matches only
	Resolver     *net.Resolver    // nil: the system's

	Now func() time.Time // stamps Response.Retrieved; nil: time.Now
}

// Network owns connections, identity, the cache and the limits per host. It is
// safe for concurrent use. Close it.
type Network struct {
	cfg             Config
	agent           string
	limiters        *limiters
	coalescer       *coalescer
	robots          *robotsCache
	hostTransport   *http.Transport
	publicTransport *http.Transport

	ctx    context.Context // ends when Close is called
	cancel context.CancelFunc

	mu         sync.Mutex
	configured map[string]bool // host:port pairs that the operator configured
	closed     bool
	inFlight   sync.WaitGroup // requests under way

	counters counters
}

// New makes a Network. It opens no connection.
func New(cfg Config) *Network {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.PublicRate == (Rate{}) {
		cfg.PublicRate = Rate{PerSecond: 2, Burst: 5}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	n := &Network{
		cfg: cfg, agent: userAgent(cfg.Version, cfg.Contact), limiters: newLimiters(),
		coalescer: newCoalescer(), robots: newRobotsCache(), configured: map[string]bool{},
	}
	if !n.Identified() {
		n.cfg.PublicRate = n.cfg.PublicRate.halved()
	}
	if cfg.Limits != nil {
		n.limiters = cfg.Limits.limiters
	} else if cfg.Cassette == nil { // a recording says nothing about the present state of hosts
		n.limiters.cache = n.cache
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())

	plain := &net.Dialer{Timeout: dialTimeout, Resolver: cfg.Resolver}
	n.hostTransport = n.transport(func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !n.isConfigured(addr) {
			return nil, &refusal{"it is not a configured host"}
		}
		return plain.DialContext(ctx, network, addr)
	})
	guarded := &net.Dialer{Timeout: dialTimeout, Resolver: cfg.Resolver, ControlContext: guardDial(cfg.PublicPorts, cfg.AllowedAddrs)}
	n.publicTransport = n.transport(guarded.DialContext)
	return n
}

// transport uses no proxy of the environment: with one, the address that is
// dialled would not be the address that is reached.
func (n *Network) transport(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dial,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    handshakeTimeout,
		MaxResponseHeaderBytes: headerBytes,
		MaxIdleConns:           32,
		MaxIdleConnsPerHost:    maxPerHost,
		IdleConnTimeout:        60 * time.Second,
	}
}

// cache returns nil if there is none.
func (n *Network) cache() *Cache {
	if n.cfg.Cache == nil && n.cfg.OpenCache != nil {
		return n.cfg.OpenCache()
	}
	return n.cfg.Cache
}

// Identified reports whether the operator gave a contact. Without one, hosts
// cannot reach the person who runs this program before they block it, so public
// hosts are asked at half their rates.
func (n *Network) Identified() bool { return oneLine(n.cfg.Contact) != "" }

// Contact returns the configured contact; empty if there is none.
func (n *Network) Contact() string { return oneLine(n.cfg.Contact) }

// UserAgent returns the User-Agent header of every request.
func (n *Network) UserAgent() string { return n.agent }

// ForHost returns a Client for the host and port of a base URL that the
// operator configured. It may be on loopback or in a private network. A
// redirect to another host is an error. rate applies to the host; of several
// rates for one host, the slowest holds. Without a contact, a public host is
// asked at half the rate.
func (n *Network) ForHost(baseURL string, rate Rate) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("making a client: the base URL needs http or https and a host")
	}
	key := hostPort(u)
	for i := range len(key) {
		if key[i] >= 0x80 {
			return nil, fmt.Errorf("making a client for %s: write the host in its ASCII form (xn--…)", key)
		}
	}
	n.mu.Lock()
	n.configured[key] = true
	n.mu.Unlock()
	if !n.Identified() && !isLocal(u.Hostname()) {
		rate = rate.halved()
	}
	n.limiters.configure(key, rate)
	return n.newClient(n.hostTransport, &hostPolicy{scheme: u.Scheme, key: key}), nil
}

// ForPublic returns a Client for URLs that a model or a page chose: http and
// https on ports 80 and 443, to public addresses. The address that is dialled
// decides.
func (n *Network) ForPublic() *Client {
	return n.newClient(n.publicTransport, &publicPolicy{ports: n.cfg.PublicPorts})
}

func (n *Network) newClient(tr *http.Transport, rules policy) *Client {
	return &Client{network: n, policy: rules, http: &http.Client{
		Transport: tr,
		// Each hop passes its own host's limiter, policy and robots.txt.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// isLocal reports whether a host is an address or a name of this machine or a
// private network. All other names count as public.
func isLocal(host string) bool {
	host = strings.ToLower(host)
	if addr, err := netip.ParseAddr(host); err == nil {
		return !isPublic(addr)
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func (n *Network) isConfigured(addr string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.configured[strings.ToLower(addr)]
}

// begin counts a request as in flight; false if the Network is closed.
func (n *Network) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.inFlight.Add(1)
	return true
}

// Close cancels the requests in flight, waits for them and closes idle
// connections. Later requests fail. It may be called more than once.
func (n *Network) Close() error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.cancel()
	n.inFlight.Wait()
	n.hostTransport.CloseIdleConnections()
	n.publicTransport.CloseIdleConnections()
	return nil
}

func userAgent(version, contact string) string {
	version, contact = oneLine(version), oneLine(contact)
	if version == "" {
		version = "dev"
	}
	if contact == "" {
		contact = "no contact set"
	}
	return "research-mcp/" + version + " (" + contact + ") Go-http-client"
}

// oneLine removes what is not allowed inside a comment of a User-Agent.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '(' || r == ')' || r == '\\' {
			return -1
		}
		return r
	}, s))
}

// hostPort returns the key of a host: in lower case, with the port that the
// scheme implies.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "80"
		if u.Scheme == "https" {
			port = "443"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
