package sourcetest

import (
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/fetch"
	"github.com/research-mcp/research-mcp/internal/sources"
)

// local is the contract of a source that needs no network.
// Values are the source's options; {{dir}} in them is the contract's folder.
type local struct {
	Hits     map[string]string `json:"hits"`  // where there are documents for the query
	Empty    map[string]string `json:"empty"` // where there are none
	Failures []struct {
		Name    string            `json:"name"`
		Options map[string]string `json:"options"`
		Says    string            `json:"says"` // part of the error's text
		Try     string            `json:"try"`  // part of the next step
	} `json:"failures"`
}

// runLocal runs the tests of Run that need no network.
func runLocal(t *testing.T, spec sources.Spec, c *local, dir string) {
	t.Helper()
	at, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := func(t *testing.T, options map[string]string) sources.Source { return buildLocal(t, spec, options, at) }
	t.Run("spec", func(t *testing.T) {
		t.Parallel()
		if got := open(t, c.Hits).Name(); got != spec.Name || spec.About == "" || spec.DefaultTimeout <= 0 || len(spec.Needs) == 0 {
			t.Errorf("name %q, spec %+v: a description, a timeout or a needed setting is missing", got, spec)
		}
	})
	t.Run("hits", func(t *testing.T) { t.Parallel(); checkLocalHits(t, spec.Name, open(t, c.Hits)) })
	t.Run("limit", func(t *testing.T) { t.Parallel(); checkLimits(t, open(t, c.Hits)) })
	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		if docs := search(t, open(t, c.Empty), query); len(docs) != 0 {
			t.Errorf("documents = %+v, want none", docs)
		}
	})
	t.Run("at once", func(t *testing.T) { t.Parallel(); checkConcurrent(t, open(t, c.Hits)) })
	t.Run("cancelled before", func(t *testing.T) { t.Parallel(); checkCancelledBefore(t, open(t, c.Hits)) })
	t.Run("misspelt setting", func(t *testing.T) {
		t.Parallel()
		options := maps.Clone(c.Hits)
		options["no-such-setting"] = "x"
		_, err := sources.Build(map[string]sources.Settings{spec.Name: {Enabled: true, Options: options}}, newNetwork(t, nil))
		if p := evidence.AsProblem(err); err == nil || !p.Usage || !strings.Contains(p.What, "sources."+spec.Name+".no-such-setting") {
			t.Errorf("Build = %v, want a problem that names the setting", err)
		}
	})
	for _, f := range c.Failures {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			docs, err := open(t, f.Options).Search(t.Context(), query)
			var p *evidence.Problem
			if !errors.As(err, &p) || docs != nil || p.Try == "" {
				t.Fatalf("Search = %d documents, %v, want a problem with a next step", len(docs), err)
			}
			if !strings.Contains(p.What, f.Says) || !strings.Contains(p.Try, f.Try) || strings.Contains(p.Error(), "\n") {
				t.Errorf("problem %q; %q, want %q and %q", p.What, p.Try, f.Says, f.Try)
			}
		})
	}
}

// checkLocalHits is testHits for a source that reads the machine's clock.
func checkLocalHits(t *testing.T, name string, s sources.Source) {
	t.Helper()
	docs := search(t, s, query)
	if len(docs) == 0 {
		t.Fatal("no documents")
	}
	for i := range docs {
		if docs[i].Retrieved.IsZero() {
			t.Errorf("document %d: Retrieved is zero", i)
		}
		docs[i].Retrieved = Clock // this source reads the machine's clock
	}
	checkDocuments(t, name, docs)
	if diff := cmp.Diff(docs, search(t, s, query), cmpopts.IgnoreFields(evidence.Document{}, "Retrieved")); diff != "" {
		t.Errorf("a second search returned other documents (-first +second):\n%s", diff)
	}
}

// buildLocal makes the source with the given options.
func buildLocal(t *testing.T, spec sources.Spec, options map[string]string, dir string) sources.Source {
	t.Helper()
	network := fetch.New(fetch.Config{Version: "test", Now: func() time.Time { return Clock }})
	t.Cleanup(func() { network.Close() })
	settings := AllOff()
	own := sources.Settings{Enabled: true, Options: map[string]string{}}
	for name, value := range options {
		own.Options[name] = strings.ReplaceAll(value, "{{dir}}", filepath.ToSlash(dir))
	}
	settings[spec.Name] = own
	built, err := sources.Build(settings, network)
	if err != nil || len(built) != 1 {
		t.Fatalf("Build = %v, %v, want the one source", built, err)
	}
	return built[0]
}
