package library_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/memory"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// basic is a backend with the required ring of the contract alone.
type basic struct{ memory.Memory }

// A capability that the backend lacks is refused with a Problem, and
// maintenance leaves such a backend alone.
func TestAMissingCapabilityIsAProblem(t *testing.T) {
	t.Parallel()
	_, m := open(t, nil)
	l := library.New(library.Deps{Memory: basic{m}, Models: fakeChooser{embedder: trained}})
	remember(t, l, heron)
	l.MaintainOnce(t.Context())
	path := filepath.Join(t.TempDir(), "x")
	calls := map[string]func() error{
		"backup":           func() error { _, err := l.Backup(t.Context(), path); return err },
		"check":            func() error { _, err := l.Check(t.Context()); return err },
		"export":           func() error { _, err := l.Export(t.Context(), &bytes.Buffer{}, false); return err },
		"proof of erasure": func() error { _, err := l.ProveErased(t.Context(), "d_1"); return err },
		"reindex":          func() error { _, err := l.Reindex(t.Context(), nil); return err },
	}
	for name, call := range calls {
		var p *evidence.Problem
		if err := call(); !errors.As(err, &p) || !strings.Contains(p.What, "does not support "+name) || p.Try == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := l.ExportFile(t.Context(), path, false); err == nil {
		t.Error("ExportFile: no error")
	}
	if _, err := l.Import(t.Context(), strings.NewReader(""), contract.ImportOptions{}, nil); err == nil {
		t.Error("Import: no error")
	}
}
