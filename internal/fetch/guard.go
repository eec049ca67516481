package fetch

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// policy decides which URLs a Client may request. It looks at URLs alone;
// addresses are checked when they are dialled.
type policy interface {
	checkURL(u *url.URL) error
	checkRedirect(from, to *url.URL) error
	// displayHost is the host as errors show it.
	displayHost(u *url.URL) string
	// obeysRobots reports whether URLs are pages for people that a model or a
	// page may have chosen: robots.txt is obeyed, and content types are limited.
	obeysRobots() bool
}

// hostPolicy allows one host and port.
type hostPolicy struct{ scheme, key string }

func (p *hostPolicy) checkURL(u *url.URL) error {
	if u.Scheme != p.scheme || hostPort(u) != p.key {
		return &refusal{"it is not the configured host"}
	}
	return nil
}

func (p *hostPolicy) checkRedirect(_, to *url.URL) error {
	if to.Scheme != p.scheme || hostPort(to) != p.key {
		return &Error{Kind: BadRedirect, Detail: "redirected to another host; set the source's url to its new address"}
	}
	return nil
}

func (p *hostPolicy) displayHost(u *url.URL) string { return u.Host }
func (p *hostPolicy) obeysRobots() bool             { return false }

// publicPolicy allows the public internet.
type publicPolicy struct{ ports []uint16 }

func (p *publicPolicy) checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return &refusal{"only http and https are fetched"}
	case u.User != nil:
		return &refusal{"a URL with a user name is not fetched"}
	case u.Hostname() == "":
		return &refusal{"the URL has no host"}
	case isNumericHost(u.Hostname()):
		return &refusal{"its address is written in an odd way"}
	case len(u.String()) > maxURL:
		return &refusal{"the URL is longer than 2048 bytes"}
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || !allowedPort(uint16(n), p.ports) {
			return &refusal{"only ports 80 and 443 are fetched"}
		}
	}
	return nil
}

func (p *publicPolicy) checkRedirect(from, to *url.URL) error {
	if from.Scheme == "https" && to.Scheme == "http" {
		return &refusal{"redirected from https to http"}
	}
	return p.checkURL(to)
}

// displayHost hides literal addresses: a refused one may be internal.
func (p *publicPolicy) displayHost(u *url.URL) string {
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || isNumericHost(u.Hostname()) {
		return ""
	}
	return u.Hostname()
}

// isNumericHost reports whether some resolvers would take a host for an IPv4
// address that is not in dotted form: 127.1, 2130706433, 0x7f000001. No public
// name ends in a number.
func isNumericHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

func (p *publicPolicy) obeysRobots() bool { return true }

func allowedPort(port uint16, more []uint16) bool {
	return port == 80 || port == 443 || slices.Contains(more, port)
}

// guardDial checks the address at the time of connecting. One check covers
// every spelling, every redirect, and names whose address changes between
// look-ups (DNS rebinding).
func guardDial(ports []uint16, exempt []netip.AddrPort) func(ctx context.Context, network, address string, _ syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" {
			return &refusal{"its address is not understood"}
		}
		if slices.Contains(exempt, netip.AddrPortFrom(normalizeAddr(ap.Addr()), ap.Port())) {
			return nil
		}
		if !isPublic(ap.Addr()) {
			return &refusal{"its address is not on the public internet"}
		}
		if !allowedPort(ap.Port(), ports) {
			return &refusal{"only ports 80 and 443 are fetched"}
		}
		return nil
	}
}

// normalizeAddr removes a zone and maps an IPv4-mapped IPv6 address to IPv4, so
// that addresses compare equal.
func normalizeAddr(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }

// isPublic reports whether a is a unicast address of the public internet, not
// one of a special-purpose range.
func isPublic(a netip.Addr) bool {
	a = normalizeAddr(a)
	if !a.IsValid() || a.Is6() && !globalUnicast6.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(forbidden, func(p netip.Prefix) bool { return p.Contains(a) })
}

// globalUnicast6 is all of IPv6 that IANA allocates as global unicast. Outside of
// it are loopback, unique local, link-local, NAT64 and multicast addresses; AWS
// serves metadata at fd00:ec2::254.
var globalUnicast6 = netip.MustParsePrefix("2000::/3")

// forbidden are the special-purpose ranges of the IANA registries in IPv4 and in
// globalUnicast6, and public addresses at which clouds serve internal data. Each
// decides on addresses that no other one contains.
var forbidden = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),         // this network
	netip.MustParsePrefix("10.0.0.0/8"),        // private
	netip.MustParsePrefix("100.64.0.0/10"),     // carrier NAT; Alibaba's metadata at 100.100.100.200
	netip.MustParsePrefix("127.0.0.0/8"),       // loopback
	netip.MustParsePrefix("168.63.129.16/32"),  // Azure's host agent, in a public range
	netip.MustParsePrefix("169.254.0.0/16"),    // link-local; most clouds' metadata
	netip.MustParsePrefix("172.16.0.0/12"),     // private
	netip.MustParsePrefix("192.0.0.0/24"),      // protocol assignments; Oracle's metadata at .192
	netip.MustParsePrefix("192.0.2.0/24"),      // documentation
	netip.MustParsePrefix("192.31.196.0/24"),   // AS112
	netip.MustParsePrefix("192.52.193.0/24"),   // multicast tunnels
	netip.MustParsePrefix("192.88.99.0/24"),    // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),    // private
	netip.MustParsePrefix("192.175.48.0/24"),   // AS112
	netip.MustParsePrefix("198.18.0.0/15"),     // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),   // documentation
	netip.MustParsePrefix("203.0.113.0/24"),    // documentation
	netip.MustParsePrefix("224.0.0.0/4"),       // multicast
	netip.MustParsePrefix("240.0.0.0/4"),       // reserved, and broadcast
	netip.MustParsePrefix("2001::/23"),         // Teredo, benchmarks, ORCHID and other assignments
	netip.MustParsePrefix("2001:db8::/32"),     // documentation
	netip.MustParsePrefix("2002::/16"),         // 6to4: embeds any IPv4 address
	netip.MustParsePrefix("2620:4f:8000::/48"), // AS112
	netip.MustParsePrefix("3fff::/20"),         // documentation
}
