package app

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// A process that starts later answers from the index of the one before, which is in the
// data folder and not in the memory.
func TestAFolderIsIndexedOnce(t *testing.T) {
	t.Parallel()
	dir, notes := t.TempDir(), t.TempDir()
	for i := range 20 {
		body := fmt.Sprintf("# Report %d\n\nThe Quillon engine number %d was built by Ottoline Verrier.", i, i)
		if err := os.WriteFile(filepath.Join(notes, fmt.Sprintf("%d.md", i)), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := startWorld(t, world.Options{})
	var modified []int64
	for range 2 {
		a := start(t, w, dir, map[string]string{"sources.files.dir": notes})
		if got, _ := filepath.Glob(filepath.Join(dir, "folders", "*")); len(got) != len(modified) {
			t.Errorf("indexes %q before a question, want %d: a start must not wait for them", got, len(modified))
		}
		answer, err := a.Engine().Research(t.Context(), research.Request{Question: "Who built the Quillon engine number 7?", Sources: []string{"files"}}, nil)
		if err != nil || !slices.ContainsFunc(answer.Citations, func(c evidence.Citation) bool { return c.Source == "files" }) {
			t.Fatalf("%v, citations %+v", err, answer.Citations)
		}
		for _, warning := range answer.Warnings {
			if strings.Contains(warning, "folder") {
				t.Errorf("warning %q about a folder that is read whole", warning)
			}
		}
		if stats, err := a.Library().Stats(t.Context()); err != nil || stats.Documents >= 20 {
			t.Errorf("%d documents in the memory, %v, want those of the answer only", stats.Documents, err)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		index, err := filepath.Glob(filepath.Join(dir, "folders", "*", "index.db"))
		if err != nil || len(index) != 1 {
			t.Fatalf("indexes %q, %v, want one", index, err)
		}
		info, err := os.Stat(index[0])
		if err != nil {
			t.Fatal(err)
		}
		modified = append(modified, info.ModTime().UnixNano())
	}
	if modified[0] != modified[1] {
		t.Error("the second process wrote to the index, although nothing changed")
	}
}
