package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func TestIsPublic(t *testing.T) {
	t.Parallel()
	bad := strings.Fields(`
		0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.255.0.1
		168.63.129.16 169.254.0.1 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.31.196.1
		192.52.193.1 192.88.99.1 192.168.1.1 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.9
		224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
		:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:168.63.129.16
		64:ff9b::a9fe:a9fe 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:0:1:2::3 2001:2::1 2001:10::1 2001:20::1
		2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe::1 2620:4f:8000::1 3fff::1 3fff:fff::1 5f00::1 fc00::1 fd00:ec2::254
		fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1`)
	for _, s := range bad {
		if isPublic(netip.MustParseAddr(s)) {
			t.Errorf("isPublic(%s) = true, want false", s)
		}
	}
	good := strings.Fields(`1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 168.63.129.15 168.63.129.17
		172.15.255.255 172.32.0.1 198.17.255.255 198.20.0.1 208.80.154.224 223.255.255.255 ::ffff:8.8.8.8
		2001:200::1 2001:4860:4860::8888 2606:4700:4700::1111 2620:0:861:ed1a::1 2a02:ec80:300:ed1a::1`)
	for _, s := range good {
		if !isPublic(netip.MustParseAddr(s)) {
			t.Errorf("isPublic(%s) = false, want true", s)
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("isPublic(zero) = true")
	}
}

func TestGuardDecidesOnAddressAndPort(t *testing.T) {
	t.Parallel()
	exempt := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9000")}
	check := guardDial([]uint16{8443}, exempt)
	for _, c := range []struct {
		network, address string
		ok               bool
	}{
		{"tcp4", "8.8.8.8:443", true},
		{"tcp4", "8.8.8.8:80", true},
		{"tcp4", "8.8.8.8:8443", true},
		{"tcp4", "8.8.8.8:22", false},
		{"tcp6", "[2001:4860:4860::8888]:443", true},
		{"tcp6", "[fe80::1%lo]:443", false},
		{"tcp4", "127.0.0.1:9000", true},
		{"tcp6", "[::ffff:127.0.0.1]:9000", true},
		{"tcp4", "127.0.0.1:9001", false},
		{"tcp4", "127.0.0.2:9000", false},
		{"udp4", "8.8.8.8:443", false},
		{"unix", "/run/x", false},
		{"tcp4", "nonsense", false},
	} {
		if err := check(t.Context(), c.network, c.address, nil); (err == nil) != c.ok {
			t.Errorf("guard(%s, %s) = %v, want ok %v", c.network, c.address, err, c.ok)
		}
	}
}

func TestPublicClientRefusesByURL(t *testing.T) {
	t.Parallel()
	n := New(Config{})
	t.Cleanup(func() { n.Close() })
	for _, u := range []string{
		"", "example.org", "//example.org/x", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/",
		"javascript:alert(1)", "data:text/html,x", "http://", "http:///x", "http://user@example.org/", "http://a:b@example.org/",
		"http://example.org:22/", "http://example.org:8080/", "https://example.org:99999/", "http://ex ample.org/", "http://%zz/",
		"https://example.org/" + strings.Repeat("a", 2100),
		"http://127.0.0.1/", "http://127.0.0.1:443/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://[::]/",
		"http://169.254.169.254/latest/meta-data/", "http://10.0.0.1/", "http://192.168.0.1/", "http://168.63.129.16/",
		"http://[64:ff9b::a9fe:a9fe]/", "http://[2002:7f00:1::]/", "http://[fd00:ec2::254]/", "http://100.100.100.200/",
	} {
		_, err := n.ForPublic().Get(t.Context(), Request{URL: u})
		if !IsKind(err, Refused) {
			t.Errorf("Get(%.40q) = %v, want refused", u, err)
			continue
		}
		for _, inner := range []string{"127.0.0.1", "169.254", "10.0.0", "::1", "192.168", "passwd", "b@"} {
			if strings.Contains(err.Error(), inner) {
				t.Errorf("Get(%.40q): text %q holds %q", u, err, inner)
			}
		}
	}
}

// lyingResolver answers every look-up of a name with the given address.
func lyingResolver(t *testing.T, ip [4]byte) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) == 0 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: ip}}}
			}
			if out, err := m.Pack(); err == nil {
				conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", conn.LocalAddr().String())
	}}
}

func TestNameThatLeadsInsideIsRefused(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(srv.Close)
	at := netip.MustParseAddrPort(srv.Listener.Addr().String())
	for name, ip := range map[string][4]byte{"loopback": {127, 0, 0, 1}, "metadata": {169, 254, 169, 254}, "private": {10, 0, 0, 1}} {
		t.Run(name, func(t *testing.T) {
			n := New(Config{Resolver: lyingResolver(t, ip), PublicPorts: []uint16{at.Port()}})
			defer n.Close()
			u := url.URL{Scheme: "http", Host: net.JoinHostPort("innocent.example.org", netip.AddrPortFrom(at.Addr(), at.Port()).String()[len("127.0.0.1:"):])}
			_, err := n.ForPublic().Get(t.Context(), Request{URL: u.String()})
			if !IsKind(err, Refused) || err.Error() != "innocent.example.org: refused: its address is not on the public internet" {
				t.Errorf("err = %v, want refused", err)
			}
		})
	}
	if reached.Load() != 0 {
		t.Errorf("%d requests reached a forbidden address", reached.Load())
	}
}

func TestRedirectRules(t *testing.T) {
	t.Parallel()
	open, own := &publicPolicy{}, &hostPolicy{scheme: "https", key: "en.wikipedia.org:443"}
	for _, c := range []struct {
		name     string
		rules    policy
		from, to string
		ok       bool
	}{
		{"open, another public host", open, "https://a.org/", "https://b.org/", true},
		{"open, upgrade", open, "http://a.org/", "https://a.org/", true},
		{"open, downgrade", open, "https://a.org/", "http://a.org/", false},
		{"open, other scheme", open, "https://a.org/", "ftp://a.org/", false},
		{"open, user name", open, "https://a.org/", "https://u@a.org/", false},
		{"open, port", open, "https://a.org/", "https://a.org:8080/", false},
		{"configured, same host", own, "https://en.wikipedia.org/a", "https://EN.wikipedia.org:443/b", true},
		{"configured, other host", own, "https://en.wikipedia.org/a", "https://de.wikipedia.org/a", false},
		{"configured, downgrade", own, "https://en.wikipedia.org/a", "http://en.wikipedia.org/a", false},
	} {
		from, err := url.Parse(c.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := url.Parse(c.to)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.rules.checkRedirect(from, to); (err == nil) != c.ok {
			t.Errorf("%s: %v, want ok %v", c.name, err, c.ok)
		}
	}
}

func TestIdleLimitersAreRemoved(t *testing.T) {
	t.Parallel()
	l := newLimiters()
	l.configure("configured:443", Rate{})
	for i := range maxHosts * 2 {
		leave, err := l.acquire(t.Context(), "host"+string(rune('a'+i%26))+time.Duration(i).String(), Rate{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		leave.release(nil)
	}
	if len(l.byHost) > maxHosts || l.byHost["configured:443"] == nil {
		t.Errorf("%d limiters kept, configured one kept: %v", len(l.byHost), l.byHost["configured:443"] != nil)
	}
}

func TestClassifyHidesTheCause(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.1.2.3:80: something")
	if got := classify(&url.Error{Op: "Get", URL: "http://x/secret", Err: secret}).Error(); strings.Contains(got, "10.1") || strings.Contains(got, "secret") {
		t.Errorf("text = %q", got)
	}
	if e := classify(io.ErrUnexpectedEOF); !e.retry {
		t.Error("a lost connection may be tried again")
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "3", "-1", "99999999999", "Sun, 22 Nov 2026 12:00:30 GMT", "soon"} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(s, now); d < 0 {
			t.Errorf("retryAfter(%q) = %s", s, d)
		}
	})
}

// Each forbidden prefix decides: no other rule refuses its first address.
func TestEveryForbiddenPrefixDecides(t *testing.T) {
	t.Parallel()
	for i, p := range forbidden {
		a := p.Addr()
		if isPublic(a) {
			t.Errorf("%s of %s is public", a, p)
		}
		others := slices.Concat(forbidden[:i:i], forbidden[i+1:])
		if a.Is6() && !globalUnicast6.Contains(a) || slices.ContainsFunc(others, func(o netip.Prefix) bool { return o.Contains(a) }) {
			t.Errorf("%s is refused without %s", a, p)
		}
	}
	for _, s := range []string{"::", "::1", "::8.8.8.8", "64:ff9b::808:808", "64:ff9b:1::1", "100::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1%eth0", "fec0::1", "ff02::1", "::ffff:127.0.0.1"} {
		if isPublic(netip.MustParseAddr(s)) {
			t.Errorf("%s is public", s)
		}
	}
}
