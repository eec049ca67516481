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

// The doctor says how many files of a folder are in its index.
func TestDoctorCountsTheFilesOfAFolder(t *testing.T) {
	t.Parallel()
	notes := t.TempDir()
	for _, name := range []string{"a.md", "b.md", "c.png"} {
		if err := os.WriteFile(filepath.Join(notes, name), []byte("A note about a computer."), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := apptest.Settings(t, nil, map[string]string{"sources.files.dir": notes})
	checks := Doctor(t.Context(), cfg, DoctorOptions{}).Checks
	at := slices.IndexFunc(checks, func(c Check) bool { return c.Name == "files" })
	if at < 0 || checks[at].Status != checkOK || !strings.HasSuffix(checks[at].What, "of 2 files in its index") {
		t.Errorf("the checks are %+v, want the number of files", checks)
	}
}
