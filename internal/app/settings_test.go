package app

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/config"
	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

func load(t *testing.T, flags map[string]string) *config.Config {
	t.Helper()
	flags["data_dir"] = t.TempDir()
	cfg, err := config.Load(config.Inputs{Sources: SourceDefaults(), Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestSourcesSayWhetherTheyAreOnAndWhy(t *testing.T) {
	t.Parallel()
	cfg := load(t, map[string]string{"sources.hackernews.enabled": "false", "sources.files.dir": "/home/me/notes"})
	states, how := map[string]string{}, sourcesOff(cfg)
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
	a := start(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"sources.files.dir": t.TempDir(), "sources.wikipedia.enabled": "false"})
	defer a.Close()
	var on []string
	for _, s := range Sources(a.cfg) {
		if s.On {
			on = append(on, s.Name)
		}
	}
	if got, want := strings.Join(on, " "), strings.Join(a.names, " "); got != want {
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

// A question about a file of one's own is answered with a citation of it whose
// quote stands where it is said to, now and when another process recalls it.
func TestAFileIsCited(t *testing.T) {
	t.Parallel()
	dir, notes := t.TempDir(), t.TempDir()
	body := "# The Quillon report\n\nThe Quillon engine was built by Ottoline Verrier in 1911. It ran on turnip oil."
	if err := os.WriteFile(filepath.Join(notes, "my notes.md"), []byte(body), 0o600); err != nil {
		t.Fatal(err)
	}
	w := startWorld(t, world.Options{})
	a := start(t, w, dir, map[string]string{"sources.files.dir": notes})
	answer, err := a.Research(t.Context(), Request{Question: "Who built the Quillon engine?"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var cited *evidence.Citation
	for i, c := range answer.Citations {
		if c.Source == "files" {
			cited = &answer.Citations[i]
		}
	}
	if cited == nil || answer.Status != evidence.Answered {
		t.Fatalf("%s: %s, citations %+v", answer.Status, answer.Answer, answer.Citations)
	}
	u, err := url.Parse(cited.URL)
	if err != nil || u.Scheme != "file" || !strings.HasSuffix(u.Path, "/my notes.md") || cited.Title != "The Quillon report" {
		t.Errorf("citation %+v", cited)
	}
	quotesStand(t, a, answer)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	b := start(t, w, dir, nil)
	defer b.Close()
	got, err := b.Recall(t.Context(), evidence.RecallQuery{Text: "Quillon engine turnip oil", K: 3})
	if err != nil || len(got.Hits) == 0 || got.Hits[0].Document.URL != cited.URL || !got.Hits[0].Document.Untrusted {
		t.Errorf("recalled %+v, %v", got.Hits, err)
	}
}

// A folder that is gone is that source's failure, with the way out in its report.
func TestAMissingFolderIsData(t *testing.T) {
	t.Parallel()
	a := start(t, startWorld(t, world.Options{}), t.TempDir(), map[string]string{"sources.files.dir": filepath.Join(t.TempDir(), "gone")})
	defer a.Close()
	answer, err := a.Research(t.Context(), Request{Question: DemoQuestions()[0]}, nil)
	if err != nil || answer.Status != evidence.Answered {
		t.Fatalf("%s, %v", answer.Status, err)
	}
	for _, s := range answer.Sources {
		if s.Name == "files" && (s.Status != evidence.StatusError || !strings.Contains(s.Err, "is not there; mend that")) {
			t.Errorf("report %+v", s)
		}
	}
}
