package fetch_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/fetch"
)

func TestHostClientServesItsHostAlone(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	t.Cleanup(other.Close)
	n, client, base := serve(t, fetch.Config{}, func(http.ResponseWriter, *http.Request) {})
	for _, target := range []string{other.URL, strings.Replace(base, "http:", "https:", 1), "file:///etc/passwd", "::"} {
		if _, err := client.Get(t.Context(), fetch.Request{URL: target}); !fetch.IsKind(err, fetch.Refused) {
			t.Errorf("Get(%q) = %v, want refused", target, err)
		}
	}
	for _, bad := range []string{"", "localhost:8080", "ftp://x", "http://", "http://bücher.example"} {
		if _, err := n.ForHost(bad, fetch.Rate{}); err == nil {
			t.Errorf("Operator(%q) succeeded", bad)
		}
	}
	if len(reached) != 0 {
		t.Error("the other host was reached")
	}
}

func TestCloseEndsRequestsAndWaits(t *testing.T) {
	t.Parallel()
	came, went := make(chan struct{}, 1), make(chan struct{}, 1)
	n, client, base := serve(t, fetch.Config{}, hang(came, went))
	result := make(chan error, 1)
	go func() {
		_, err := client.Get(context.Background(), fetch.Request{URL: base})
		result <- err
	}()
	<-came
	n.Close()
	if err := <-result; !fetch.IsKind(err, fetch.Closed) {
		t.Errorf("in flight: err = %v, want closed", err)
	}
	<-went
	if _, err := client.Get(t.Context(), fetch.Request{URL: base}); !fetch.IsKind(err, fetch.Closed) {
		t.Errorf("after Close: err = %v, want closed", err)
	}
	n.Close()
}

func TestPublicClientServesAllowedAddrs(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/inside":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		default:
			io.WriteString(w, "page")
		}
	}))
	t.Cleanup(srv.Close)
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(u.Host)
	n := fetch.New(fetch.Config{AllowedAddrs: []netip.AddrPort{at}, PublicPorts: []uint16{at.Port()}})
	t.Cleanup(func() { n.Close() })
	if got, err := n.ForPublic().Get(t.Context(), fetch.Request{URL: srv.URL}); err != nil || string(got.Body) != "page" {
		t.Errorf("Get = %q, %v, want the page", got.Body, err)
	}
	for _, path := range []string{"/inside", "/file"} {
		_, err := n.ForPublic().Get(t.Context(), fetch.Request{URL: srv.URL + path})
		if !fetch.IsKind(err, fetch.Refused) {
			t.Errorf("%s: err = %v, want refused", path, err)
			continue
		}
		if s := err.Error(); strings.Contains(s, "169.254") || strings.Contains(s, "127.0.0.1") || strings.Contains(s, "passwd") {
			t.Errorf("%s: text %q names an inner address", path, s)
		}
	}
}
