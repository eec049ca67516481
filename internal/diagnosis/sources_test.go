package diagnosis

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

func TestRatesInWords(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]fetch.Rate{
		"no limit":                           {},
		"1 request every 3 s, 1 at once":     {PerSecond: 1.0 / 3, Burst: 1},
		"1 request every 10 s, 4 at once":    {PerSecond: 0.1, Burst: 4},
		"1 request every 7 min, 90 at once":  {PerSecond: 0.0023, Burst: 90},
		"1 request every 24 h, 1 at once":    {PerSecond: 1.0 / 86400},
		"1 request every 1.3 s, 1 at once":   {PerSecond: 0.75, Burst: 1},
		"1 request a second, 3 at once":      {PerSecond: 1, Burst: 3},
		"2.5 requests a second, 10 at once":  {PerSecond: 2.5, Burst: 10},
		"3.33 requests a second, 10 at once": {PerSecond: 10.0 / 3, Burst: 10},
	} {
		if got := limits(r); got != want {
			t.Errorf("limits(%+v) = %q, want %q", r, got, want)
		}
	}
}

func TestHealthOfHosts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	arxiv := fetch.Rate{PerSecond: 1.0 / 3, Burst: 1}
	feed := fetch.Rate{PerSecond: 2, Burst: 5}
	for _, c := range []struct {
		name  string
		hosts []fetch.HostState
		want  SourceHealth
	}{
		{"no host", nil, SourceHealth{}},
		{"nothing known", []fetch.HostState{{Host: "a:443", Breaker: "closed", Rate: arxiv, Tokens: 1}},
			SourceHealth{Budget: "1 of 1 at once, then 1 every 3 s", Breaker: "closed"}},
		{"nothing left", []fetch.HostState{{Host: "a:443", Breaker: "closed", Rate: arxiv, Tokens: 0.2, Spent: 1}},
			SourceHealth{Budget: "0 of 1 at once, the next in 2.4 s, then 1 every 3 s; 1 request today", Breaker: "closed"}},
		{"a queue", []fetch.HostState{{Host: "a:443", Breaker: "half-open", Rate: arxiv, Tokens: -3, Spent: 14}},
			SourceHealth{Budget: "0 of 1 at once, the next in 12 s, then 1 every 3 s; 14 requests today", Breaker: "half-open"}},
		{"all that can be wrong", []fetch.HostState{{Host: "a:80", Breaker: "open", BrokenUntil: now.Add(30 * time.Second), LastError: "timeout", LastErrorAt: now, WaitUntil: now.Add(time.Hour)}},
			SourceHealth{Budget: "no limit", Breaker: "open until 12:00:30 UTC", LastError: "timeout", LastErrorAt: now, WaitUntil: now.Add(time.Hour)}},
		{"an open breaker whose time is over", []fetch.HostState{{Host: "a:80", Breaker: "open", BrokenUntil: now}},
			SourceHealth{Budget: "no limit", Breaker: "half-open"}},
		{"many hosts", []fetch.HostState{
			{Host: "a:443", Breaker: "closed", Rate: feed, Tokens: 2, LastError: "old", LastErrorAt: now.Add(-time.Hour)},
			{Host: "b:443", Breaker: "open", BrokenUntil: now.Add(time.Second), Rate: feed, Tokens: 5, LastError: "new", LastErrorAt: now},
			{Host: "c:443", Breaker: "closed", WaitUntil: now.Add(time.Minute)},
		}, SourceHealth{Budget: "a:443: 2 of 5 at once, then 2 a second", Breaker: "b:443: open until 12:00:01 UTC", LastError: "b:443: new", LastErrorAt: now, WaitUntil: now.Add(time.Minute)}},
	} {
		if diff := cmp.Diff(c.want, healthOf(c.hosts, now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func healthOfSource(t *testing.T, ctx context.Context, cfg *config.Config, name string) SourceInfo {
	t.Helper()
	for _, s := range SourcesNow(ctx, cfg, nil) {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no source %s", name)
	return SourceInfo{}
}

// What a source told one process, another one shows, through the data
// folder alone.
func TestSourcesShowWhatOthersWereTold(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	a := apptest.Start(t, apptest.Settings(t, apptest.StartWorld(t, world.Options{}).URLs(), map[string]string{"data_dir": dir, "sources.wikipedia.url": srv.URL}))
	before := healthOfSource(t, t.Context(), a.Config(), "wikipedia")
	if diff := cmp.Diff(SourceHealth{Budget: "no limit", Breaker: "closed"}, before.SourceHealth); diff != "" {
		t.Errorf("before (-want +got):\n%s", diff)
	}
	if _, err := a.Engine().Read(t.Context(), research.ReadRequest{Query: "transformer", Sources: []string{"wikipedia", "hackernews"}, Limit: 3}, nil); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	got := healthOfSource(t, t.Context(), a.Config(), "wikipedia")
	if !strings.HasPrefix(got.LastError, "asked too often (429)") || got.LastErrorAt.IsZero() || got.Budget != "no limit; 1 request today" || got.Breaker != "closed" {
		t.Errorf("wikipedia: %+v", got.SourceHealth)
	}
	if left := time.Until(got.WaitUntil); left < 8*time.Minute || left > 10*time.Minute {
		t.Errorf("it is to be left alone for %s, want about ten minutes", left)
	}
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"budget":`, `"breaker":`, `"last_error":`, `"last_error_at":`, `"wait_until":`} {
		if !strings.Contains(string(raw), field) {
			t.Errorf("no %s in %s", field, raw)
		}
	}
	if other := healthOfSource(t, t.Context(), a.Config(), "hackernews"); other.LastError != "" || !other.WaitUntil.IsZero() {
		t.Errorf("hackernews: %+v, want no errors", other.SourceHealth)
	}
}

func TestSourcesNowMakesNothing(t *testing.T) {
	t.Parallel()
	cfg := load(t, map[string]string{"contact": "ops@example.org", "sources.stackexchange.key": "k", "sources.feeds.urls": "https://a.example/f,https://b.example/f"})
	cfg.DataDir = filepath.Join(cfg.DataDir, "none")
	want := map[string]string{
		"arxiv": "1 of 1 at once, then 1 every 3 s", "stackexchange": "30 of 30 at once, then 2 a second",
		"feeds": "a.example:443: 5 of 5 at once, then 1 a second", "files": "", "kiwix": "",
	}
	for _, s := range SourcesNow(t.Context(), cfg, nil) {
		if budget, listed := want[s.Name]; listed && s.Budget != budget {
			t.Errorf("%s: %q, want %q", s.Name, s.Budget, budget)
		}
		if s.LastError != "" || !s.LastErrorAt.IsZero() || !s.WaitUntil.IsZero() {
			t.Errorf("%s: %+v, and no request was made", s.Name, s.SourceHealth)
		}
	}
	if _, err := os.Stat(cfg.DataDir); err == nil {
		t.Error("the data folder was made")
	}
}
