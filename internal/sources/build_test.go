package sources

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
)

// resolved runs build over the specs of three sources, which only record their
// settings.
func resolved(t *testing.T, settings map[string]Settings) (map[string]Settings, error) {
	t.Helper()
	got := map[string]Settings{}
	specs := []Spec{specOf(t, "hackernews"), specOf(t, "wikipedia"), specOf(t, "wikipedia-summary")}
	for i, spec := range specs {
		specs[i].New = func(s Settings, _ *fetch.Network) (Source, error) {
			got[spec.Name] = s
			return nil, nil
		}
	}
	_, err := build(specs, settings, nil)
	return got, err
}

func TestBuildFillsInDefaults(t *testing.T) {
	t.Parallel()
	wikimedia := fetch.Rate{PerSecond: 3, Burst: 10}
	got, err := resolved(t, map[string]Settings{
		"wikipedia":  {Enabled: true, URL: " https://wiki.example.org/mirror/ ", Timeout: time.Second, Language: "de"},
		"hackernews": {Enabled: false},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Settings{
		"wikipedia":         {Enabled: true, URL: "https://wiki.example.org/mirror", Timeout: time.Second, Language: "de", Lifetime: time.Hour, Rate: wikimedia},
		"wikipedia-summary": {Enabled: true, URL: "https://wiki.example.org/mirror", Timeout: 8 * time.Second, Lifetime: time.Hour, Rate: wikimedia},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestOwnServerHasNoRateUnlessAsked(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]fetch.Rate{
		"http://localhost:8080":      {},
		"http://127.0.0.1:8080":      {},
		"http://[::1]:8080":          {},
		"http://192.168.1.5":         {},
		"https://wiki.example.org":   {PerSecond: 3, Burst: 10},
		"http://93.184.216.34/wiki":  {PerSecond: 3, Burst: 10},
		"https://de.wikipedia.org/":  {PerSecond: 3, Burst: 10},
		"http://localhost.evil.test": {PerSecond: 3, Burst: 10},
	} {
		got, err := resolved(t, map[string]Settings{"wikipedia": {Enabled: true, URL: url}})
		if err != nil || got["wikipedia"].Rate != want {
			t.Errorf("%s: rate %+v, %v, want %+v", url, got["wikipedia"].Rate, err, want)
		}
	}
	got, err := resolved(t, map[string]Settings{"wikipedia": {Enabled: true, URL: "http://localhost", Rate: fetch.Rate{PerSecond: 1}}})
	if err != nil || got["wikipedia"].Rate.PerSecond != 1 {
		t.Errorf("own rate = %+v, %v, want the one that was set", got["wikipedia"].Rate, err)
	}
}

func TestBuildRefusesBadSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		settings  map[string]Settings
		what, try string
	}{
		{"unknown source", map[string]Settings{"wikipedai": {}}, `unknown source "wikipedai"`, "hackernews, wikipedia, wikipedia-summary"},
		{"no scheme", map[string]Settings{"wikipedia": {URL: "en.wikipedia.org"}}, `sources.wikipedia.url "en.wikipedia.org" has no http:// or https://`, "https://en.wikipedia.org"},
		{"host and port", map[string]Settings{"wikipedia": {URL: "localhost:8080"}}, `"localhost:8080" has no http://`, "https://en.wikipedia.org"},
		{"other scheme", map[string]Settings{"hackernews": {URL: "ftp://x"}}, `sources.hackernews.url "ftp://x" has no http://`, "https://hn.algolia.com"},
		{"no host", map[string]Settings{"wikipedia": {URL: "http://"}}, "has no host", "https://en.wikipedia.org"},
		{"no URL", map[string]Settings{"wikipedia": {URL: "http://%zz"}}, "is not a URL", "https://en.wikipedia.org"},
		{"query", map[string]Settings{"wikipedia": {URL: "http://x/?a=b"}}, "has a query", "https://en.wikipedia.org"},
		{"password", map[string]Settings{"wikipedia": {URL: "http://me:hunter2@x"}}, `"http://REMOVED@x" holds a user name`, "https://en.wikipedia.org"},
		{"negative timeout", map[string]Settings{"wikipedia": {Timeout: -time.Second}}, "sources.wikipedia.timeout is -1s", "such as 8s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := resolved(t, c.settings)
			var p *evidence.Problem
			if !errors.As(err, &p) || !p.Usage {
				t.Fatalf("err = %v, want the caller's problem", err)
			}
			if !strings.Contains(p.What, c.what) || !strings.Contains(p.Try, c.try) || strings.Contains(p.Error(), "hunter2") {
				t.Errorf("problem = %q; %q, want %q and %q", p.What, p.Try, c.what, c.try)
			}
		})
	}
}
