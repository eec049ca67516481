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

// rules say which URLs a door opens to. Addresses are judged when they are
// dialled; these look at the URL alone.
type policy interface {
	checkURL(u *url.URL) error
	checkRedirect(from, to *url.URL) error
	// shown is how errors may call the host.
	displayHost(u *url.URL) string
	// pages reports whether what is behind the door is for people to read and a
	// stranger may have chosen it: robots.txt holds, and types are limited.
	obeysRobots() bool
}

// configured opens to one host and port.
type hostPolicy struct{ scheme, key string }

func (r *hostPolicy) checkURL(u *url.URL) error {
	if u.Scheme != r.scheme || hostPort(u) != r.key {
		return &refusal{"it is not the configured host"}
	}
	return nil
}

func (r *hostPolicy) checkRedirect(_, to *url.URL) error {
	if to.Scheme != r.scheme || hostPort(to) != r.key {
		return &Error{Kind: BadRedirect, Detail: "redirected to another host; set the source's url to where it lives now"}
	}
	return nil
}

func (r *hostPolicy) displayHost(u *url.URL) string { return u.Host }
func (r *hostPolicy) obeysRobots() bool             { return false }

// public opens to what is on the public internet.
type publicPolicy struct{ ports []uint16 }

func (r *publicPolicy) checkURL(u *url.URL) error {
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
		if err != nil || !allowedPort(uint16(n), r.ports) {
			return &refusal{"only ports 80 and 443 are fetched"}
		}
	}
	return nil
}

func (r *publicPolicy) checkRedirect(from, to *url.URL) error {
	if from.Scheme == "https" && to.Scheme == "http" {
		return &refusal{"redirected from https to http"}
	}
	return r.checkURL(to)
}

// shown hides literal addresses: a refused one may be an internal one.
func (r *publicPolicy) displayHost(u *url.URL) string {
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || isNumericHost(u.Hostname()) {
		return ""
	}
	return u.Hostname()
}

// isNumber reports whether a host is what some resolvers take for an IPv4
// address although it is not one in its plain form: 127.1, 2130706433,
// 0x7f000001. No name of the public internet ends in a number.
func isNumericHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	return last != "" && last[0] >= '0' && last[0] <= '9'
}

func (r *publicPolicy) obeysRobots() bool { return true }

func allowedPort(port uint16, more []uint16) bool {
	return port == 80 || port == 443 || slices.Contains(more, port)
}

// guard decides at connect time on the address that is dialled. So one check
// covers every spelling, every redirect, and names that change their address
// between a look-up and the next.
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

// plainAddr takes off what makes netip compare unequal: a zone, and an IPv4
// address dressed as IPv6.
func normalizeAddr(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }

// isPublic reports whether a is a unicast address of the public internet that
// belongs to nobody's inside.
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
	netip.MustParsePrefix("2002::/16"),         // 6to4: any IPv4 address in disguise
	netip.MustParsePrefix("2620:4f:8000::/48"), // AS112
	netip.MustParsePrefix("3fff::/20"),         // documentation
}
