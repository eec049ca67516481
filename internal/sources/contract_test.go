package sources_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/internal/sources/sourcetest"
)

// TestContract tests every entry of the registry against the contract of Source.
func TestContract(t *testing.T) {
	t.Parallel()
	var names []string
	for _, spec := range sources.Registry() {
		names = append(names, spec.Name)
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("registry names %q are not sorted or not unique", names)
	}
	for _, spec := range sources.Registry() {
		t.Run(spec.Name, func(t *testing.T) {
			t.Parallel()
			sourcetest.Run(t, spec, filepath.Join("testdata", spec.Name))
		})
	}
}

// FuzzSources fuzzes the answers that every entry of the registry reads.
func FuzzSources(f *testing.F) {
	sourcetest.Fuzz(f, sources.Registry(), func(name string) string { return filepath.Join("testdata", name) })
}
