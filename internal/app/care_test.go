package app

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
	"github.com/research-mcp/research-mcp/memory"
)

// withoutVectors is an import that was ended before its documents had vectors.
func withoutVectors(t *testing.T, w *world.World) (*App, []byte) {
	t.Helper()
	from := start(t, w, t.TempDir(), nil)
	defer from.Close()
	for _, text := range []string{"The heron nests in the delta.", "Cranes spend the winter in the south."} {
		if _, err := from.keepText(t.Context(), sourceNote, "", "", text, nil); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := from.MemoryExport(t.Context(), &b, false); err != nil {
		t.Fatal(err)
	}
	to := start(t, w, t.TempDir(), nil)
	t.Cleanup(func() {
		if err := to.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := to.memory.(memory.Exporter).Import(t.Context(), bytes.NewReader(b.Bytes())); err != nil {
		t.Fatal(err)
	}
	if st, err := to.MemoryStats(t.Context()); err != nil || !lacking(st) {
		t.Fatalf("the documents have vectors already: %+v, %v", st, err)
	}
	return to, b.Bytes()
}

// An import that was broken off while vectors were made goes on: when it is made
// again, and when a server looks.
func TestABrokenOffImportGetsItsVectors(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"again", "tend"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			a, export := withoutVectors(t, startWorld(t, world.Options{}))
			if how == "tend" {
				a.followModel(t.Context())
			} else if m, err := a.MemoryImport(t.Context(), bytes.NewReader(export), nil); err != nil || m.Skipped != 2 || m.Documents != 0 {
				t.Errorf("MemoryImport = %+v, %v", m, err)
			}
			if st, err := a.MemoryStats(t.Context()); err != nil || lacking(st) || st.Documents != 2 {
				t.Errorf("Stats = %+v, %v", st, err)
			}
		})
	}
}

func TestLacking(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   memory.Stats
		want bool
	}{
		{"empty", memory.Stats{}, false},
		{"no vectors", memory.Stats{Documents: 1}, true},
		{"all", memory.Stats{Documents: 2, Models: []memory.ModelStats{{Documents: 1}, {Active: true, Documents: 2}}}, false},
		{"some", memory.Stats{Documents: 2, Models: []memory.ModelStats{{Documents: 2}, {Active: true, Documents: 1}}}, true},
	} {
		if got := lacking(c.in); got != c.want {
			t.Errorf("%s: lacking = %v", c.name, got)
		}
	}
}

// Of several exports to one name at once one is made and the others are refused;
// what a killed one left goes.
func TestExportsAtOnceDoNotOverwrite(t *testing.T) {
	t.Parallel()
	a, _ := withoutVectors(t, startWorld(t, world.Options{}))
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
			m, err := a.MemoryExportFile(t.Context(), path, false)
			mu.Lock()
			defer mu.Unlock()
			var p *evidence.Problem
			switch {
			case err == nil && m.Documents == 2:
				made++
			case errors.As(err, &p) && p.Usage:
				refused++
			default:
				t.Errorf("MemoryExportFile = %+v, %v", m, err)
			}
		})
	}
	group.Wait()
	if made != 1 || refused != 3 {
		t.Errorf("%d made, %d refused", made, refused)
	}
	if err := placeExport(young, path); !errors.Is(err, os.ErrExist) {
		t.Errorf("placeExport over a file = %v", err)
	}
	if left := exportsIn(t, dir); len(left) != 1 || left[0] != young {
		t.Errorf("left are %q", left)
	}
}

// exportsIn are the unfinished exports in a folder.
func exportsIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempExport) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}
