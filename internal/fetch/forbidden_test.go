package fetch

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// scriptedResolver answers look-ups from a script: each name gets its addresses
// one after the other, and the last one from then on.
func scriptedResolver(t *testing.T, script map[string][]string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	var mu sync.Mutex
	turn := map[string]int{}
	next := func(name string) (netip.Addr, bool) {
		mu.Lock()
		defer mu.Unlock()
		all := script[name]
		if len(all) == 0 {
			return netip.Addr{}, false
		}
		i := min(turn[name], len(all)-1)
		turn[name]++
		return netip.MustParseAddr(all[i]), true
	}
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
			q := m.Questions[0]
			head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
			six := strings.HasPrefix(q.Name.String(), "six.")
			if (q.Type == dnsmessage.TypeA) != six && (q.Type == dnsmessage.TypeA || q.Type == dnsmessage.TypeAAAA) {
				if a, ok := next(strings.TrimSuffix(q.Name.String(), ".")); ok && six {
					m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}}}
				} else if ok {
					m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: a.As4()}}}
				}
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

// inside are listeners at addresses that must never be reached. They count
// connections, not requests.
type inside struct {
	reached atomic.Int64
	places  []string
}

func (in *inside) listen(t *testing.T, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Logf("nothing listens at %s: %v", addr, err) // 127.0.0.2 and IPv6 are not everywhere
		return
	}
	in.places = append(in.places, l.Addr().String())
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			in.reached.Add(1)
			c.Close()
		}
	}()
}

// outside represents the public internet: the one address that is allowed.
func outside(t *testing.T) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close") // each request looks its name up again
		switch r.URL.Path {
		case "/to":
			w.Header()["Location"] = []string{r.URL.Query().Get("u")}
			w.WriteHeader(http.StatusFound)
		case "/hops":
			n, _ := strconv.Atoi(r.URL.Query().Get("n"))
			if n > 0 {
				http.Redirect(w, r, fmt.Sprintf("/hops?n=%d", n-1), http.StatusTemporaryRedirect)
				return
			}
			fallthrough
		default:
			w.Header().Set("Content-Type", "text/plain")
			io.WriteString(w, "public")
		}
	}))
	t.Cleanup(srv.Close)
	return srv
}

// forbiddenHosts are ways to write or to name an address that is not public.
// PORT is one that the guard allows and at which a listener counts.
var forbiddenHosts = []string{
	"127.0.0.1:INNER", "127.0.0.2:PORT", "[::1]:PORT", "localhost:INNER", "LOCALHOST:INNER", "localhost.:INNER", "0.0.0.0:INNER", "[::]:INNER", "0.1.2.3",
	"[::ffff:127.0.0.1]:INNER", "[::ffff:7f00:1]:INNER", "[::127.0.0.1]:INNER", "[0:0:0:0:0:ffff:127.0.0.2]:PORT", "[::1%25lo]:PORT",
	"127.1:INNER", "2130706433:INNER", "0x7f000001:INNER", "0177.0.0.1:INNER", "127.0.0.1.:INNER", "%31%32%37.0.0.1:INNER", "①②⑦.0.0.1:INNER",
	"10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192",
	"198.18.0.1", "203.0.113.1", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255",
	"[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
	"[fd00:ec2::254]", "[fe80::1]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]",
	"loop.example:INNER", "other.example:PORT", "meta.example", "azure.example", "six.example:PORT", "mapped.six.example", "nat64.example",
	"six.nat.example", "six.teredo.example", "rebind.example:PORT", "rebind-meta.example:PORT", "broadcast.example", "zero.example:INNER",
}

// forbiddenURLs are refused by their text, whatever their address.
var forbiddenURLs = []string{
	"http://user@public.example:PORT/", "http://user:pass@public.example:PORT/", "http://public.example:PORT@127.0.0.1:INNER/", "http://:@127.0.0.1:INNER/",
	"ftp://public.example/", "file:///etc/passwd", "gopher://127.0.0.1:INNER/_x", "data:text/html,x", "javascript:alert(1)", "unix:///run/x.sock",
	"http://public.example:22/", "http://public.example:6379/", "https://public.example:99999/", "http://public.example:0/", "http://", "http:///x",
	"http:\\\\127.0.0.1:INNER\\", "http://public.example:PORT\\@127.0.0.1:INNER/", "//127.0.0.1:INNER/x", "http://127.0.0.1:INNER\r\nHost: x/", "http://[::1", "http://%zz/",
}

func TestForbiddenAddressesAreNeverReached(t *testing.T) {
	t.Parallel()
	public := outside(t)
	at := netip.MustParseAddrPort(public.Listener.Addr().String())
	in := &inside{}
	port := strconv.Itoa(int(at.Port()))
	in.listen(t, "127.0.0.2:"+port)
	in.listen(t, "[::1]:"+port)
	in.listen(t, "127.0.0.1:0")
	inner := in.places[len(in.places)-1]
	inner = inner[strings.LastIndex(inner, ":")+1:]
	innerPort, err := strconv.ParseUint(inner, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	n := New(Config{
		PublicRate: Rate{PerSecond: 1e6, Burst: 1e6}, AllowedAddrs: []netip.AddrPort{at}, PublicPorts: []uint16{at.Port(), uint16(innerPort)},
		Resolver: scriptedResolver(t, map[string][]string{
			"public.example": {"127.0.0.1"}, "loop.example": {"127.0.0.1"}, "other.example": {"127.0.0.2"}, "meta.example": {"169.254.169.254"},
			"azure.example": {"168.63.129.16"}, "six.example": {"::1"}, "broadcast.example": {"255.255.255.255"}, "zero.example": {"0.0.0.0"},
			"nat64.example": {"100.100.100.200"}, "six.nat.example": {"64:ff9b::7f00:1"}, "six.teredo.example": {"2001:0:4136:e378:8000:63bf:3fff:fdd2"},
			"rebind.example": {"127.0.0.1", "127.0.0.2"}, "rebind-meta.example": {"127.0.0.1", "169.254.169.254"},
		}),
	})
	t.Cleanup(func() { n.Close() })
	fill := strings.NewReplacer("PORT", port, "INNER", inner)
	start := "http://public.example:" + port
	if r, err := n.ForPublic().Get(t.Context(), Request{URL: start + "/hops?n=5"}); err != nil || string(r.Body) != "public" {
		t.Fatalf("five redirects within the public net: %q, %v", r.Body, err)
	}

	cases := 0
	refuse := func(name, target string, kinds ...Kind) {
		t.Helper()
		cases++
		_, err := n.ForPublic().Get(t.Context(), Request{URL: target})
		ok := false
		for _, k := range kinds {
			ok = ok || IsKind(err, k)
		}
		if !ok {
			t.Errorf("%s: err = %v, want one of %q", name, err, kinds)
			return
		}
		for _, word := range []string{"127.", "::1", "169.254", "168.63", "10.0.0", "192.168", "100.", "dial", "lookup", "passwd", "pass", inner} {
			if strings.Contains(err.Error(), word) {
				t.Errorf("%s: the text %q holds %q", name, err, word)
			}
		}
	}
	for _, host := range forbiddenHosts {
		host = fill.Replace(host)
		target := "http://" + host + "/"
		// A spelling that no resolver knows is not an address.
		refuse(host, target, Refused, Unreachable, Robots)
		refuse("redirect to "+host, start+"/to?u="+url.QueryEscape(target), Refused, Unreachable, Robots, BadRedirect)
	}
	for _, target := range forbiddenURLs {
		target = fill.Replace(target)
		if !strings.HasPrefix(target, "//") { // as a first URL it has no scheme
			refuse(target, target, Refused, Unreachable)
		}
		refuse("redirect to "+target, start+"/to?u="+url.QueryEscape(target), Refused, BadRedirect, Unreachable)
	}
	refuse("six redirects", start+"/hops?n=6", BadRedirect)
	if got := in.reached.Load(); got != 0 {
		t.Errorf("%d connections reached a forbidden address, want 0", got)
	}
	t.Logf("%d cases; listeners at %d forbidden addresses; connections that reached one: %d", cases, len(in.places), in.reached.Load())
	if cases < 40 {
		t.Errorf("only %d cases", cases)
	}
}

// TestListenersWouldNotice dials the listeners directly: the test above could
// not fail if they did not count.
func TestListenersWouldNotice(t *testing.T) {
	t.Parallel()
	in := &inside{}
	in.listen(t, "127.0.0.1:0")
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", in.places[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil || in.reached.Load() != 1 {
		t.Errorf("%d connections counted, want 1", in.reached.Load())
	}
}

func TestDowngradeIsRefused(t *testing.T) {
	t.Parallel()
	public := outside(t)
	tls := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/robots.txt" {
			http.Redirect(w, r, public.URL, http.StatusFound)
		}
	}))
	t.Cleanup(tls.Close)
	n := openTo(t, Config{}, public, tls)
	n.publicTransport.TLSClientConfig = tls.Client().Transport.(*http.Transport).TLSClientConfig
	if _, err := n.ForPublic().Get(t.Context(), Request{URL: tls.URL + "/x"}); !IsKind(err, Refused) || !strings.Contains(err.Error(), "from https to http") {
		t.Errorf("err = %v, want refused", err)
	}
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	proxy := &inside{}
	proxy.listen(t, "127.0.0.1:0")
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
		t.Setenv(name, "http://"+proxy.places[0])
	}
	t.Setenv("NO_PROXY", "")
	public := outside(t)
	at := netip.MustParseAddrPort(public.Listener.Addr().String())
	n := New(Config{
		AllowedAddrs: []netip.AddrPort{at}, PublicPorts: []uint16{at.Port()},
		Resolver: scriptedResolver(t, map[string][]string{"public.example": {"127.0.0.1"}, "meta.example": {"169.254.169.254"}}),
	})
	defer n.Close()
	if r, err := n.ForPublic().Get(t.Context(), Request{URL: fmt.Sprintf("http://public.example:%d/", at.Port())}); err != nil || string(r.Body) != "public" {
		t.Errorf("Get = %q, %v", r.Body, err)
	}
	if _, err := n.ForPublic().Get(t.Context(), Request{URL: "http://meta.example/"}); !IsKind(err, Refused) {
		t.Errorf("err = %v, want refused", err)
	}
	if n := proxy.reached.Load(); n != 0 {
		t.Errorf("%d connections to the proxy, want 0", n)
	}
}
