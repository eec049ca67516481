//go:build unix

package sources

import (
	"os"
	"testing"

	"github.com/research-mcp/research-mcp/internal/testkit/unprivileged"
)

// A file that may not be read costs only itself.
func TestFilesSkipsAnUnreadableFile(t *testing.T) {
	t.Parallel()
	if !unprivileged.Bound() {
		unprivileged.Rerun(t)
		return
	}
	dir := t.TempDir()
	write(t, dir, "b.md", "An open heron.")
	if err := os.Chmod(write(t, dir, "a.md", "A closed heron."), 0); err != nil {
		t.Fatal(err)
	}
	if got := paths(find(t, openFiles(t, dir), "heron")); got["b.md"] != 1 || got["a.md"] != 0 {
		t.Errorf("files %v, want b.md alone", got)
	}
}
