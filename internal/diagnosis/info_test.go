package diagnosis

import (
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/app"
	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

func load(t *testing.T, flags map[string]string) *config.Config {
	t.Helper()
	flags["data_dir"] = t.TempDir()
	cfg, err := config.Load(config.Inputs{Sources: app.SourceDefaults(), Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestSourcesSayWhetherTheyAreOnAndWhy(t *testing.T) {
	t.Parallel()
	cfg := load(t, map[string]string{"sources.hackernews.enabled": "false", "sources.files.dir": "/home/me/notes"})
	states, how := map[string]string{}, app.SourcesOff(cfg)
	for _, s := range Sources(cfg) {
		states[s.Name] = s.State
		if s.On != (s.State == "on") || s.On == (how[s.Name] != "") {
			t.Errorf("%s: on %t, state %q, to turn it on: %q", s.Name, s.On, s.State, how[s.Name])
		}
	}
	for name, want := range map[string]string{
		"wikipedia": "on", "files": "on", "feeds": "off: needs sources.feeds.urls", "hackernews": "off: sources.hackernews.enabled is false",
	} {
		if states[name] != want {
			t.Errorf("%s is %q, want %q", name, states[name], want)
		}
	}
	if got, want := how["feeds"], "set sources.feeds.urls in the settings to turn it on"; got != want {
		t.Errorf("to turn feeds on: %q, want %q", got, want)
	}
	if got, want := how["hackernews"], "set sources.hackernews.enabled=true in the settings to turn it on"; got != want {
		t.Errorf("to turn hackernews on: %q, want %q", got, want)
	}
}

// What `sources` shows is what the program builds.
func TestSourcesAgreeWithWhatIsBuilt(t *testing.T) {
	t.Parallel()
	a := apptest.Start(t, apptest.Settings(t, apptest.StartWorld(t, world.Options{}).URLs(), map[string]string{"sources.files.dir": t.TempDir(), "sources.wikipedia.enabled": "false"}))
	defer a.Close()
	var on []string
	for _, s := range Sources(a.Config()) {
		if s.On {
			on = append(on, s.Name)
		}
	}
	var built []string
	for _, s := range a.Sources() {
		built = append(built, s.Name())
	}
	if got, want := strings.Join(on, " "), strings.Join(built, " "); got != want {
		t.Errorf("said to be on: %s; built: %s", got, want)
	}
}

func TestEverySourceSaysWhatItIsFor(t *testing.T) {
	t.Parallel()
	known := []string{sources.KindGeneral, sources.KindCode, sources.KindScience, sources.KindMedicine, sources.KindNews, sources.KindOther}
	for _, s := range Sources(load(t, map[string]string{})) {
		if s.About == "" || s.Timeout == "" || s.Limits == "" || s.Kinds == nil || s.Needs == nil || s.Options == nil {
			t.Errorf("%+v lacks something", s)
		}
		for _, k := range s.Kinds {
			if !strings.Contains(strings.Join(known, " "), k) {
				t.Errorf("%s: there is no kind %q", s.Name, k)
			}
		}
	}
}
