package app

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/extract"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

func TestPageOfALyingChildIsTidied(t *testing.T) {
	t.Parallel()
	page := extract.Page{Title: strings.Repeat("t\n", 4<<20), Text: "a\x00b\u202Ec\xff می\u200cخواهم " + strings.Repeat("x", 3<<20), Language: strings.Repeat("e", 100)}
	tidy(&page)
	if len(page.Title) > maxTitle || strings.Contains(page.Title, "\n") || len(page.Language) > maxLanguage || len(page.Text) != maxText || !page.Truncated {
		t.Errorf("title of %d bytes, text of %d, language of %d, truncated %v", len(page.Title), len(page.Text), len(page.Language), page.Truncated)
	}
	if want := "abc\uFFFD می\u200cخواهم xxx"; !strings.HasPrefix(page.Text, want) {
		t.Errorf("text begins with %q, want %q", page.Text[:40], want)
	}
	good := extract.Page{Title: "A title", Text: "# Heading\n\nA text, and 日本語.", Language: "en"}
	was := good
	tidy(&good)
	if diff := cmp.Diff(was, good); diff != "" {
		t.Errorf("a good page was changed (-want +got):\n%s", diff)
	}
}

// TestPagesTellThatTheyWereKept reads one page as it is, from the cache, and
// when its host is gone.
func TestPagesTellThatTheyWereKept(t *testing.T) {
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
	n := newNewsroom(t)
	a := n.reader(t, t.TempDir(), &clock)
	defer a.Close()
	cache, err := fetch.OpenCache(t.Context(), filepath.Join(t.TempDir(), "cache.db"), fetch.CacheConfig{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	client := fetch.New(fetch.Config{Contact: "ops@example.org", Cache: cache, Now: now,
		AllowedAddrs: []netip.AddrPort{at}, PublicPorts: []uint16{at.Port()}, PublicRate: fetch.Rate{PerSecond: 1000, Burst: 1000}})
	defer client.Close()
	was := a.fetch.Network
	a.fetch.Network = client
	defer func() { a.fetch.Network = was }()
	read := func(marks map[string]string) {
		t.Helper()
		marks["requested_url"] = srv.URL + "/x"
		doc, err := a.page(t.Context(), srv.URL+"/x")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(marks, doc.Meta); diff != "" || doc.Text != "Вулкан" {
			t.Errorf("%q with marks (-want +got):\n%s", doc.Text, diff)
		}
	}
	read(map[string]string{})
	clock.Add(60)
	read(map[string]string{evidence.MetaKept: "1m0s"})
	srv.Close()
	clock.Add(2 * 3600)
	read(map[string]string{evidence.MetaStale: "2h1m0s"})
}
