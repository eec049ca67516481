//go:build unix

package local

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/testkit/unprivileged"
	"github.com/research-mcp/research-mcp/memory/contract"
)

// A folder or file that is not writable is read; a write says so.
func TestReadOnlyMemory(t *testing.T) {
	t.Parallel()
	if !unprivileged.Bound() {
		unprivileged.Rerun(t)
		return
	}
	for name, modes := range map[string][2]os.FileMode{"folder": {0o500, 0o600}, "file": {0o700, 0o400}, "both": {0o500, 0o400}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readOnlyMemory(t, modes[0], modes[1])
		})
	}
}

func readOnlyMemory(t *testing.T, folder, file os.FileMode) {
	t.Helper()
	dir, _ := filled(t, 3)
	path := filepath.Join(dir, fileName)
	if err := errors.Join(os.Chmod(path, file), os.Chmod(dir, folder)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) //nolint:gosec // a folder
	l := openIn(t, dir)
	if r, err := l.Recall(t.Context(), evidence.RecallQuery{Text: "word2"}); err != nil || len(r.Hits) == 0 {
		t.Errorf("Recall = %+v, %v", r, err)
	}
	if m, err := l.Export(t.Context(), &bytes.Buffer{}, contract.ExportOptions{Vectors: true}); err != nil || m.Documents != 3 {
		t.Errorf("Export = %+v, %v", m, err)
	}
	if r, err := l.Check(t.Context()); err != nil || !r.OK {
		t.Errorf("Check = %+v, %v", r, err)
	}
	var p *evidence.Problem
	if _, err := l.Put(t.Context(), textDoc(9, "New."), evidence.Chunks{}); !errors.As(err, &p) || !strings.Contains(p.What, "not writable") {
		t.Errorf("Put = %v", err)
	}
}

// The same with a folder that is not writable: Open refuses, and an export reads a copy.
func TestUnwritableFolderWithALog(t *testing.T) {
	t.Parallel()
	if !unprivileged.Bound() {
		unprivileged.Rerun(t)
		return
	}
	dir := killed(t)
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) //nolint:gosec // a folder
	before := contents(t, dir)
	var p *evidence.Problem
	if _, err := Open(t.Context(), contract.Config{Dir: dir}); !errors.As(err, &p) || !strings.Contains(p.What, "write-ahead log") {
		t.Errorf("Open = %v", err)
	}
	if m, err := Rescue(t.Context(), contract.Config{Dir: dir}, io.Discard, contract.ExportOptions{}); err != nil || m.Documents != 30 {
		t.Errorf("Rescue = %+v, %v", m, err)
	}
	if _, err := Repair(t.Context(), contract.Config{Dir: dir}); !errors.As(err, &p) {
		t.Errorf("Repair = %v", err)
	}
	if after := contents(t, dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Error("the files were changed")
	}
}
