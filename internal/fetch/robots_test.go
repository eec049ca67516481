package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// openTo is a Network whose public clients may reach the servers.
func openTo(t *testing.T, cfg Config, servers ...*httptest.Server) *Network {
	t.Helper()
	for _, s := range servers {
		at := netip.MustParseAddrPort(s.Listener.Addr().String())
		cfg.AllowedAddrs, cfg.PublicPorts = append(cfg.AllowedAddrs, at), append(cfg.PublicPorts, at.Port())
	}
	cfg.PublicRate = Rate{PerSecond: 10000, Burst: 10000}
	n := New(cfg)
	t.Cleanup(func() { n.Close() })
	return n
}

// site serves pages and records the requests.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newSite(t *testing.T, robots http.HandlerFunc, page http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.RequestURI())
		s.mu.Unlock()
		if r.URL.Path == "/robots.txt" {
			robots(w, r)
			return
		}
		if page != nil {
			page(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "page")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.asked...)
}

func textPage(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

func TestRobotsIsObeyed(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	const no = "its robots.txt asks programs not to read this page"
	for _, c := range []struct {
		name   string
		robots http.HandlerFunc
		path   string
		want   string // of the error; empty: the page
	}{
		{"allowed", textPage("User-agent: *\nDisallow: /private/\n"), "/public/x", ""},
		{"forbidden for all", textPage("User-agent: *\nDisallow: /private/\n"), "/private/x", no},
		{"forbidden for us", textPage("User-agent: *\nDisallow:\n\nUser-agent: Research-MCP\nDisallow: /\n"), "/x", no},
		{"allowed for us alone", textPage("User-agent: *\nDisallow: /\n\nUser-agent: research-mcp\nAllow: /\n"), "/x", ""},
		{"another program", textPage("User-agent: otherbot\nDisallow: /\n"), "/x", ""},
		{"longest rule", textPage("User-agent: *\nDisallow: /a\nAllow: /a/b\n"), "/a/b/c", ""},
		{"query", textPage("User-agent: *\nDisallow: /*?print=\n"), "/x?print=1", no},
		{"home page", textPage("User-agent: *\nDisallow: /$\n"), "", no},
		{"broken lines do not lift the rest", textPage("Disallow: /early\n<html>\nCrawl-delay: soon\nUser-agent: *\nDisallow: /private # why\n:\nSitemap\n"), "/private", no},
		{"mark at the beginning, other line ends", textPage("\xef\xbb\xbfUser-agent: *\rDisallow: /private\r"), "/private", no},
		{"a web page instead", textPage("<!doctype html><p>User-agent: none"), "/x", ""},
		{"empty", textPage(""), "/x", ""},
		{"404", status(404), "/x", ""},
		{"403", status(403), "/x", ""},
		{"500", status(500), "/x", "its robots.txt answered 500, which counts as no"},
		{"503", status(503), "/x", "its robots.txt answered 503, which counts as no"},
		{"lost", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "/x", "its robots.txt cannot be read (connection lost), which counts as no"},
		{"loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/robots.txt", http.StatusFound) }, "/x", "its robots.txt cannot be read (redirected too often), which counts as no"},
		{"beyond the cap", textPage("User-agent: *\n" + strings.Repeat("# filler\n", 60000) + "Disallow: /\n"), "/x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, c.robots, nil)
			open := openTo(t, Config{}, s.Server).ForPublic()
			r, err := open.Get(t.Context(), Request{URL: s.URL + c.path})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want || (err == nil) != (string(r.Body) == "page") || err != nil && !IsKind(err, Robots) {
				t.Errorf("Get = %q, %v, want %q", r.Body, err, c.want)
			}
			page := false
			for _, uri := range s.requests() {
				page = page || uri != "/robots.txt"
			}
			if page != (c.want == "") {
				t.Errorf("asked for %q", s.requests())
			}
		})
	}
}

func TestRobotsIsAskedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, textPage("User-agent: *\nAllow: /\n"), nil)
	n := openTo(t, Config{}, s.Server)
	ctx, trace := WithTrace(t.Context())
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			if _, err := n.ForPublic().Get(ctx, Request{URL: fmt.Sprintf("%s/%d", s.URL, i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := s.requests(); len(got) != 6 || trace.Counts().Requests != 6 {
		t.Errorf("asked for %q, trace %+v, want robots.txt once and five pages", got, trace.Counts())
	}
	client, err := n.ForHost(s.URL, Rate{})
	if err != nil {
		t.Fatal(err)
	}
	other := newSite(t, textPage("User-agent: *\nDisallow: /\n"), nil)
	hostClient, err := n.ForHost(other.URL, Rate{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Get(t.Context(), Request{URL: s.URL + "/api"}); err != nil {
		t.Error(err)
	}
	if _, err := hostClient.Get(t.Context(), Request{URL: other.URL + "/api"}); err != nil || len(other.requests()) != 1 {
		t.Errorf("the host client: %v after %q, want no robots.txt", err, other.requests())
	}
}

func TestRedirectObeysTheTargetsRobots(t *testing.T) {
	t.Parallel()
	target := newSite(t, textPage("User-agent: *\nDisallow: /private\n"), nil)
	first := newSite(t, textPage(""), func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target.URL+r.URL.Path, http.StatusMovedPermanently)
	})
	n := openTo(t, Config{}, target.Server, first.Server)
	if r, err := n.ForPublic().Get(t.Context(), Request{URL: first.URL + "/public"}); err != nil || r.URL != target.URL+"/public" {
		t.Errorf("public: %q, %v", r.URL, err)
	}
	if _, err := n.ForPublic().Get(t.Context(), Request{URL: first.URL + "/private"}); !IsKind(err, Robots) {
		t.Errorf("private: %v, want robots", err)
	}
	if diff := cmp.Diff([]string{"/robots.txt", "/public"}, target.requests()); diff != "" {
		t.Errorf("target was asked for (-want +got):\n%s", diff)
	}
}

// TestSlowRobotsIsNotChargedToTheBudget gives a page less time than its robots.txt takes.
func TestSlowRobotsIsNotChargedToTheBudget(t *testing.T) {
	t.Parallel()
	came, free := make(chan struct{}, 1), make(chan struct{})
	s := newSite(t, func(_ http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		select {
		case <-free:
		case <-r.Context().Done():
		}
	}, nil)
	n := openTo(t, Config{}, s.Server)
	budget := NewBudget(time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-came; cancel() }()
	if _, err := n.ForPublic().Get(ctx, Request{URL: s.URL, Budget: budget}); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want the caller's", err)
	}
	if budget.Left() != time.Second {
		t.Errorf("%s left of a second, want all of it", budget.Left())
	}
	close(free)
	if r, err := n.ForPublic().Get(t.Context(), Request{URL: s.URL, Budget: budget}); err != nil || string(r.Body) != "page" {
		t.Errorf("once robots.txt is there: %q, %v", r.Body, err)
	}
	if got := s.requests(); len(got) != 2 {
		t.Errorf("asked for %q, want robots.txt once", got)
	}
}

func TestRobotsCacheEvictsHosts(t *testing.T) {
	t.Parallel()
	rc := newRobotsCache()
	for i := range robotsMaxHosts {
		v := &robotsEntry{done: make(chan struct{}), until: time.Now().Add(time.Hour)}
		close(v.done)
		rc.m[fmt.Sprint(i)] = v
	}
	rc.evict()
	if len(rc.m) >= robotsMaxHosts {
		t.Errorf("%d hosts kept", len(rc.m))
	}
}

func TestPublicClientReadsText(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for _, c := range []struct {
		kind string
		size int
		cut  int // 0: whole
		want Kind
	}{
		{"text/html; charset=utf-8", 10, 0, ""},
		{"Application/XHTML+XML", 10, 0, ""},
		{"application/json", 10, 0, ""},
		{"application/vnd.api+json", 10, 0, ""},
		{"application/atom+xml", 10, 0, ""},
		{"application/pdf", 3 * mb, 0, ""},
		{"text/markdown", 10, 0, ""},
		{"", 10, 0, ""}, // it looks like text
		{"text/html", 3*mb + 1, 2 * mb, ""},
		{"text/plain", 3 * mb, 2 * mb, ""},
		{"text/html", 2 * mb, 0, ""},
		{"application/json", 6 * mb, 0, TooLarge},
		{"application/pdf", 6 * mb, 0, TooLarge},
		{"image/png", 10, 0, ContentType},
		{"application/octet-stream", 10, 0, ContentType},
		{"video/mp4", 10, 0, ContentType},
		{"application/zip", 10, 0, ContentType},
		{"multipart/mixed", 10, 0, ContentType},
		{"nonsense", 10, 0, ContentType},
	} {
		t.Run(fmt.Sprintf("%s %d", c.kind, c.size), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, textPage(""), func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = nil
				if c.kind != "" {
					w.Header().Set("Content-Type", c.kind)
				}
				io.WriteString(w, strings.Repeat("ab cdefghi\n", c.size/11+1)[:c.size])
			})
			r, err := openTo(t, Config{}, s.Server).ForPublic().Get(t.Context(), Request{URL: s.URL, Budget: NewBudget(time.Minute)})
			if c.want != "" {
				if !IsKind(err, c.want) {
					t.Errorf("err = %v, want %s", err, c.want)
				}
				return
			}
			size := c.size
			if c.cut > 0 {
				size = c.cut
			}
			if err != nil || len(r.Body) != size || r.Truncated != (c.cut > 0) {
				t.Errorf("%d bytes, truncated %v, %v, want %d", len(r.Body), r.Truncated, err, size)
			}
		})
	}
}

func TestPageThatIsABombIsCut(t *testing.T) {
	t.Parallel()
	s := newSite(t, textPage(""), func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		for range 128 {
			if _, err := z.Write(bytes.Repeat([]byte("a"), 1<<20)); err != nil {
				return
			}
		}
	})
	r, err := openTo(t, Config{}, s.Server).ForPublic().Get(t.Context(), Request{URL: s.URL, Budget: NewBudget(time.Minute)})
	if err != nil || len(r.Body) != maxPage || !r.Truncated {
		t.Errorf("%d bytes, truncated %v, %v, want the first %d", len(r.Body), r.Truncated, err, maxPage)
	}
}

func TestWholeRunes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "abc": "abc", "a\xc3": "a", "aü": "aü", "a\xe2\x82": "a", "a€": "a€", "\xf0\x9f\x98": "", "\x80\x80\x80\x80": "\x80\x80\x80\x80"} {
		if got := string(wholeRunes([]byte(in))); got != want {
			t.Errorf("wholeRunes(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestDripIsCutOffByTheBudget(t *testing.T) {
	t.Parallel()
	var sent atomic.Int64
	s := newSite(t, textPage(""), func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				sent.Add(1)
			case <-r.Context().Done():
				return
			}
		}
	})
	_, err := openTo(t, Config{}, s.Server).ForPublic().Get(t.Context(), Request{URL: s.URL, Budget: NewBudget(time.Second)})
	if !IsKind(err, Timeout) || sent.Load() == 0 {
		t.Errorf("err = %v after %d bytes, want a timeout while bytes still came", err, sent.Load())
	}
}
