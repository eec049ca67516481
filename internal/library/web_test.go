package library_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/library"
)

// A page is read from its host, then from the cache, then past its lifetime
// because the host is down; its origin says so.
func TestPagesReportTheirOrigin(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC).Unix())
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/robots.txt" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=windows-1251")
		w.Write([]byte("\xc2\xf3\xeb\xea\xe0\xed"))
	}))
	defer srv.Close()
	at := netip.MustParseAddrPort(srv.Listener.Addr().String())
	cache, err := fetch.OpenCache(t.Context(), filepath.Join(t.TempDir(), "cache.db"), fetch.CacheConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	client := fetch.New(fetch.Config{Contact: "ops@example.org", Cache: cache, Now: now,
		AllowedAddrs: []netip.AddrPort{at}, PublicPorts: []uint16{at.Port()}, PublicRate: fetch.Rate{PerSecond: 1000, Burst: 1000}})
	defer client.Close()
	web := library.WebReader{Network: client, Extract: extract.Isolated{Runner: inProcess{}}}
	read := func(want evidence.Origin) {
		t.Helper()
		doc, from, err := web.ReadPage(t.Context(), srv.URL+"/x")
		if err != nil {
			t.Fatal(err)
		}
		if from != want || doc.Text != "Вулкан" || doc.Source != "web" || !doc.Untrusted {
			t.Errorf("%q from %+v, want %+v", doc.Text, from, want)
		}
		if diff := cmp.Diff(map[string]string{evidence.MetaRequestedURL: srv.URL + "/x"}, doc.Meta); diff != "" {
			t.Errorf("meta (-want +got):\n%s", diff)
		}
	}
	read(evidence.Origin{})
	clock.Add(60)
	read(evidence.Origin{Cached: true, Age: time.Minute})
	srv.Close()
	clock.Add(2 * 3600)
	read(evidence.Origin{Stale: true, Age: 2*time.Hour + time.Minute})
}
