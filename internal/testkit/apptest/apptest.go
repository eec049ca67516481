// Package apptest starts the program with local servers in place of its sources,
// for the tests of the rooms above app.
package apptest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// Main runs a package's tests; the test binary is also its own isolated child.
func Main(m *testing.M) {
	if code, isChild := app.Child(); isChild {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// StartWorld starts the demo's servers, without latency unless o says so.
func StartWorld(t testing.TB, o world.Options) *world.World {
	t.Helper()
	if o.Latency == nil {
		o.Latency = NoLatency()
	}
	w, err := world.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// NoLatency makes every source of a world answer at once.
func NoLatency() map[string]time.Duration {
	out := world.Latencies()
	for name := range out {
		out[name] = 0
	}
	return out
}

// Settings are those of a program in a temporary data folder, without Ollama,
// whose sources on the network are those of urls alone. more overrides them.
func Settings(t testing.TB, urls, more map[string]string) *config.Config {
	t.Helper()
	flags := map[string]string{"data_dir": t.TempDir(), "ollama.enabled": "false"}
	for name, d := range app.SourceDefaults() {
		if d.URL != "" { // a host on the network
			flags["sources."+name+".enabled"] = "false"
		}
	}
	for name, url := range urls {
		flags["sources."+name+".enabled"], flags["sources."+name+".url"] = "true", url
	}
	maps.Copy(flags, more)
	cfg, err := config.Load(config.Inputs{Sources: app.SourceDefaults(), Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Start builds the program. The caller closes it.
func Start(t testing.TB, cfg *config.Config) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), cfg, app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Marker is in the document that a Newsroom finds.
const Marker = "The quokka census of Rottnest counted eleven thousand animals."

// Newsroom is a HackerNews that counts its requests, and can fail in two ways.
type Newsroom struct {
	*httptest.Server
	Requests atomic.Int32
	Mode     atomic.Value // "": answers; "down": status 500; "odd": JSON of another form
}

// StartNewsroom starts one that answers.
func StartNewsroom(t testing.TB) *Newsroom {
	t.Helper()
	n := &Newsroom{}
	n.Mode.Store("")
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n.Requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "max-age=0, must-revalidate") // as many APIs do
		switch n.Mode.Load() {
		case "down":
			w.WriteHeader(http.StatusInternalServerError)
		case "odd":
			_, _ = io.WriteString(w, `{"message":"try later"}`)
		default:
			_, _ = io.WriteString(w, `{"hits":[{"objectID":"1","title":"Quokkas","comment_text":"`+Marker+`","story_title":"Quokkas","created_at":"2026-01-02T03:04:05Z"}]}`)
		}
	}))
	t.Cleanup(n.Close)
	return n
}
