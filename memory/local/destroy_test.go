package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/memory/contract"
)

func TestDestroy(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "blue")
	m, err := Open(t.Context(), contract.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Put(t.Context(), evidence.Document{ID: "d1", Source: "test", Title: "t", Text: "zanzibar"}, evidence.Chunks{}); err != nil {
		t.Fatal(err)
	}
	found, err := Destroy(t.Context(), dir)
	var p *evidence.Problem
	if found || !errors.As(err, &p) || !strings.Contains(p.What, "another process uses") {
		t.Errorf("Destroy of an open memory = %v, %v, want a problem", found, err)
	}
	if _, ok, err := m.Document(t.Context(), "d1"); !ok || err != nil {
		t.Fatalf("the document of a memory that was not destroyed: %v, %v", ok, err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(parent, destroyedPrefix+"red-1", "backups"), 0o700); err != nil { // an interrupted one
		t.Fatal(err)
	}
	if found, err := Destroy(t.Context(), dir); !found || err != nil {
		t.Fatalf("Destroy = %v, %v", found, err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 0 {
		t.Errorf("Destroy leaves %v, %v", left, err)
	}
	if found, err := Destroy(t.Context(), dir); found || err != nil {
		t.Errorf("Destroy of nothing = %v, %v", found, err)
	}
}
