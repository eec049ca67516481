// Package fetch is the only room that dials. It has two doors: one for each
// base URL that the operator configured, which opens to exactly that host and
// port, and one for URLs that a language model chose, which opens to public
// addresses alone. Both say who we are, keep to each host's limits, and bound
// what an answer may cost.
//
// The reading order is fetch.go (the client), get.go (a door), flight.go (equal
// requests are one), exchange.go (redirects, a retry, one request), gate.go and
// breaker.go (a host's queue and health), guard.go (addresses), robots.go and
// content.go (pages), freshness.go, cache.go and cachestore.go (answers that are
// kept), recorder.go, har.go and replay.go (a run that can be repeated).
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
)

// Bounds of every request. They protect this process, so no setting lifts them.
const (
	headerBytes      = 64 << 10 // of a response's header, all fields together
	dialTimeout      = 5 * time.Second
	handshakeTimeout = 5 * time.Second
	maxRedirects     = 5
	maxURL           = 2048 // bytes; what is longer carries data out rather than names a page
)

// Defaults of a Config.
const (
	DefaultMaxBody = 5 << 20
	DefaultTimeout = 8 * time.Second // on the wire, for a request without a Budget
)

// Config is what a Client is made of. Its zero value works.
type Config struct {
	Version string // of this program, for the User-Agent
	Contact string // the operator's e-mail or page, for the User-Agent; without it, public hosts are asked half as often
	Logger  *slog.Logger

	Cache *Cache // of good answers; nil: none. The caller closes it after the Client
	// OpenCache gives a cache that is opened when it is first needed; it is called
	// often, and may give nil. Cache goes before it.
	OpenCache func() *Cache

	Cassette Cassette // a *Recorder or a *Replay; nil: neither

	MaxBody int64 // bytes of a body after decompression; 0: DefaultMaxBody

	PublicRate   Rate             // of each host behind the open door; zero: 2 a second, 5 at once; half of it without a Contact
	PublicPorts  []uint16         // that the open door allows besides 80 and 443
	AllowedAddrs []netip.AddrPort // that the open door may dial although the guard forbids them; exact matches only
	Resolver     *net.Resolver    // nil: the system's

	Now func() time.Time // stamps Response.Retrieved; nil: time.Now
}

// Client owns the connections, the identity and the limits per host. It is safe
// for concurrent use. Close it.
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
}

// New makes a Client. It dials nothing.
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
	c := &Network{
		cfg: cfg, agent: userAgent(cfg.Version, cfg.Contact), limiters: newLimiters(),
		coalescer: newCoalescer(), robots: newRobotsCache(), configured: map[string]bool{},
	}
	if !c.Identified() {
		c.cfg.PublicRate = c.cfg.PublicRate.halved()
	}
	if cfg.Cassette == nil { // what was recorded says nothing of the hosts as they are now
		c.limiters.cache = c.cache
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())

	plain := &net.Dialer{Timeout: dialTimeout, Resolver: cfg.Resolver}
	c.hostTransport = c.transport(func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !c.isConfigured(addr) {
			return nil, &refusal{"it is not a configured host"}
		}
		return plain.DialContext(ctx, network, addr)
	})
	guarded := &net.Dialer{Timeout: dialTimeout, Resolver: cfg.Resolver, ControlContext: guardDial(cfg.PublicPorts, cfg.AllowedAddrs)}
	c.publicTransport = c.transport(guarded.DialContext)
	return c
}

// transport takes no proxy from the environment: behind one, the address that
// is dialled would say nothing about the address that is reached.
func (c *Network) transport(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Transport {
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

// cache is nil where there is none.
func (c *Network) cache() *Cache {
	if c.cfg.Cache == nil && c.cfg.OpenCache != nil {
		return c.cfg.OpenCache()
	}
	return c.cfg.Cache
}

// Identified reports whether the operator gave a contact. Without one, hosts
// cannot reach who runs this program before they block it, so public hosts are
// asked half as often as their rates allow.
func (c *Network) Identified() bool { return oneLine(c.cfg.Contact) != "" }

// Contact is the operator's address, as it was set; empty when none is.
func (c *Network) Contact() string { return oneLine(c.cfg.Contact) }

// UserAgent is how every request names us.
func (c *Network) UserAgent() string { return c.agent }

// Operator opens the door to the host and port of a base URL that the operator
// configured, which may be on loopback or in a private net. Nothing else is
// behind it: a redirect elsewhere is an error. rate applies to the host; when
// several ask for the same host, the slowest rate holds for all. A public host
// is asked at half the rate while the operator gave no contact.
func (c *Network) ForHost(baseURL string, rate Rate) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("opening a door: the base URL needs http or https and a host")
	}
	key := hostPort(u)
	for i := range len(key) {
		if key[i] >= 0x80 {
			return nil, fmt.Errorf("opening a door to %s: write the host in its ASCII form (xn--…)", key)
		}
	}
	c.mu.Lock()
	c.configured[key] = true
	c.mu.Unlock()
	if !c.Identified() && !isLocal(u.Hostname()) {
		rate = rate.halved()
	}
	c.limiters.configure(key, rate)
	return c.newClient(c.hostTransport, &hostPolicy{scheme: u.Scheme, key: key}), nil
}

// Open is the door for URLs that a model or a page chose: http and https to
// public addresses on ports 80 and 443, decided on the address that is dialled.
func (c *Network) ForPublic() *Client {
	return c.newClient(c.publicTransport, &publicPolicy{ports: c.cfg.PublicPorts})
}

func (c *Network) newClient(tr *http.Transport, rules policy) *Client {
	return &Client{network: c, policy: rules, http: &http.Client{
		Transport: tr,
		// Each hop goes through its own host's queue, rules and robots.txt.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// isInside reports whether a host is named by an address or a name of this
// machine or a private net. Other names count as public.
func isLocal(host string) bool {
	host = strings.ToLower(host)
	if addr, err := netip.ParseAddr(host); err == nil {
		return !isPublic(addr)
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func (c *Network) isConfigured(addr string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.configured[strings.ToLower(addr)]
}

// enter counts a request in, unless the client is closed.
func (c *Network) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.inFlight.Add(1)
	return true
}

// Close ends every request under way, waits for them, and lets go of the
// connections. Requests after it fail. It may be called more than once.
func (c *Network) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.inFlight.Wait()
	c.hostTransport.CloseIdleConnections()
	c.publicTransport.CloseIdleConnections()
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

// oneLine keeps what may stand inside a comment of a User-Agent.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '(' || r == ')' || r == '\\' {
			return -1
		}
		return r
	}, s))
}

// hostPort is the key of a host: lower case, with the port that the scheme implies.
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
