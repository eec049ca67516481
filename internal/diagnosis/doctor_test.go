package diagnosis

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/apptest"
)

func TestMain(m *testing.M) { apptest.Main(m) }

// A source that is down after it was asked is a warning: a cached response says
// nothing about it.
func TestDoctorAsksTheSources(t *testing.T) {
	t.Parallel()
	n := apptest.StartNewsroom(t)
	cfg := apptest.Settings(t, map[string]string{"hackernews": n.URL}, map[string]string{"contact": "ops@example.org"})
	check := func(want string) {
		t.Helper()
		checks := Doctor(t.Context(), cfg, DoctorOptions{}).Checks
		at := slices.IndexFunc(checks, func(c Check) bool { return c.Name == "hackernews" })
		if at < 0 || checks[at].Status != want {
			t.Errorf("the checks are %+v, want hackernews %s", checks, want)
		}
	}
	check(checkOK)
	a := apptest.Start(t, cfg)
	if _, err := a.Engine().Read(t.Context(), research.ReadRequest{Query: "computer"}, nil); err != nil { // its answer is cached
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	n.Close()
	check(checkWarn)
}

// The doctor says how many files of a folder are indexed, and which
// folder is missing, also without a network.
func TestDoctorCountsTheFilesOfAFolder(t *testing.T) {
	t.Parallel()
	notes := t.TempDir()
	for _, name := range []string{"a.md", "b.md", "c.png"} {
		if err := os.WriteFile(filepath.Join(notes, name), []byte("A note about a computer."), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gone := filepath.Join(notes, "gone")
	for _, c := range []struct{ dir, status, what, try string }{
		{notes, checkOK, ", 2 files are indexed", ""},
		{gone, checkWarn, "the folder " + gone + " of sources.files.dir does not exist", "set sources.files.dir to a folder that exists"},
	} {
		for _, offline := range []bool{false, true} {
			cfg := apptest.Settings(t, nil, map[string]string{"sources.files.dir": c.dir})
			checks := Doctor(t.Context(), cfg, DoctorOptions{Offline: offline}).Checks
			at := slices.IndexFunc(checks, func(c Check) bool { return c.Name == "files" })
			if at < 0 || checks[at].Status != c.status || !strings.HasSuffix(checks[at].What, c.what) || !strings.HasPrefix(checks[at].Try, c.try) {
				t.Errorf("offline %v: the checks are %+v, want %+v", offline, checks, c)
			}
		}
	}
}
