package library_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/memory"
)

// withoutVectors is the state after an import that was interrupted before its
// documents had vectors.
func withoutVectors(t *testing.T) (*library.Library, []byte) {
	t.Helper()
	from, _ := open(t, nil)
	remember(t, from, heron, crane)
	var b bytes.Buffer
	if _, err := from.Export(t.Context(), &b, false); err != nil {
		t.Fatal(err)
	}
	to, m := open(t, nil)
	if _, err := m.(memory.Exporter).Import(t.Context(), bytes.NewReader(b.Bytes()), memory.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := vectors(t, to, builtIn); n != 0 {
		t.Fatalf("%d documents have vectors already", n)
	}
	return to, b.Bytes()
}

// vectors returns the number of documents that have vectors of a model.
func vectors(t *testing.T, l *library.Library, by fakeEmbedder) int {
	t.Helper()
	s, err := l.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range s.Models {
		if m.Name == by.model.Name {
			return m.Documents
		}
	}
	return 0
}

// An import that was interrupted while vectors were made is completed when it is
// repeated, and by maintenance.
func TestAnInterruptedImportGetsItsVectors(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"again", "maintenance"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			l, export := withoutVectors(t)
			if how == "maintenance" {
				l.MaintainOnce(t.Context())
			} else if m, err := l.Import(t.Context(), bytes.NewReader(export), memory.ImportOptions{}, nil); err != nil || m.Skipped != 2 || m.Documents != 0 {
				t.Errorf("Import = %+v, %v", m, err)
			}
			if n := vectors(t, l, builtIn); n != 2 {
				t.Errorf("%d documents have vectors, want 2", n)
			}
		})
	}
}

// Maintenance gives documents the vectors of a model that became available, and
// does nothing when they have them.
func TestMaintenanceFollowsAModel(t *testing.T) {
	t.Parallel()
	l, m := open(t, nil)
	remember(t, l, heron, crane)
	with := library.New(library.Deps{Memory: m, Models: fakeChooser{embedder: trained}})
	for range 2 {
		with.MaintainOnce(t.Context())
		if n := vectors(t, with, trained); n != 2 {
			t.Fatalf("%d documents have vectors of the model, want 2", n)
		}
	}
	if s, err := with.Stats(t.Context()); err != nil || s.Embedder != "ollama/mini@1" {
		t.Errorf("embedder %q, %v", s.Embedder, err)
	}
}

// Of several simultaneous exports to one name one succeeds and the others are
// refused; what a killed one left is removed.
func TestSimultaneousExportsDoNotOverwrite(t *testing.T) {
	t.Parallel()
	l, _ := withoutVectors(t)
	dir := t.TempDir()
	old, young := filepath.Join(dir, ".research-mcp-export-old"), filepath.Join(dir, ".research-mcp-export-young")
	for path, age := range map[string]time.Duration{old: 2 * time.Hour, young: time.Minute} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Now().Add(-age), time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "all.jsonl")
	var made, refused int
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			m, err := l.ExportFile(t.Context(), path, false)
			mu.Lock()
			defer mu.Unlock()
			var p *evidence.Problem
			switch {
			case err == nil && m.Documents == 2:
				made++
			case errors.As(err, &p) && p.Usage:
				refused++
			default:
				t.Errorf("ExportFile = %+v, %v", m, err)
			}
		})
	}
	group.Wait()
	if made != 1 || refused != 3 {
		t.Errorf("%d made, %d refused", made, refused)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".research-mcp-export-") {
			left = append(left, e.Name())
		}
	}
	if len(left) != 1 || left[0] != filepath.Base(young) {
		t.Errorf("unfinished exports left: %q", left)
	}
}

func TestForgetRefusesAnEmptySelection(t *testing.T) {
	t.Parallel()
	l, _ := open(t, nil)
	var p *evidence.Problem
	if _, err := l.Forget(t.Context(), library.ForgetRequest{}); !errors.As(err, &p) || !p.Usage {
		t.Errorf("Forget of nothing = %v", err)
	}
}

// fakeCache counts how often it is cleared.
type fakeCache struct {
	cleared, givenUp int
	err              error
}

func (c *fakeCache) Clear(context.Context) error           { c.cleared++; return c.err }
func (c *fakeCache) GiveUp(context.Context) bool           { c.givenUp++; return c.givenUp == 1 }
func (c *fakeCache) ClearAt(context.Context, string) error { return c.err }

func TestForgetClearsTheCache(t *testing.T) {
	t.Parallel()
	cache := &fakeCache{}
	l, _ := open(t, func(d *library.Deps) { d.Cache = cache })
	ids := remember(t, l, heron)
	got, err := l.Forget(t.Context(), library.ForgetRequest{IDs: ids})
	if err != nil || got.Documents != 1 || len(got.Warnings) != 0 || cache.cleared != 2 {
		t.Errorf("Forget = %+v, %v; the cache was cleared %d times", got, err, cache.cleared)
	}
	cache.err = errors.New("cache.db is locked")
	got, err = l.Forget(t.Context(), library.ForgetRequest{Source: library.SourceNote})
	if err != nil || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "cache.db is locked") {
		t.Errorf("Forget with a locked cache = %+v, %v", got, err)
	}
	cache.err = nil
	if got, err = l.Forget(t.Context(), library.ForgetRequest{Source: library.SourceNote}); err != nil || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "nothing was removed") {
		t.Errorf("Forget of nothing that is stored = %+v, %v", got, err)
	}
}
