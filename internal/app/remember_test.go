package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/testkit/world"
)

// A file whose first line is a heading without end does not repeat it in each of
// its chunks.
func TestALongHeadingIsShortened(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := start(t, startWorld(t, world.Options{}), dir, nil)
	defer a.Close()
	file := filepath.Join(t.TempDir(), "long.md")
	if err := os.WriteFile(file, []byte("# "+strings.Repeat("heading words ", 20000)+"\n\nThe heron nests in the delta."), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{"", strings.Repeat("given words ", 200)} {
		out, err := a.RememberFile(t.Context(), file, given, nil)
		if err != nil {
			t.Fatal(err)
		}
		doc, ok, err := a.memory.Document(t.Context(), out.DocumentID)
		if err != nil || !ok || len(doc.Title) > longestTitle+len("…") || !strings.HasSuffix(doc.Title, "…") {
			t.Errorf("the title is %d bytes, %v, %v", len(doc.Title), ok, err)
		}
	}
	if st, err := a.memory.Stats(t.Context()); err != nil || st.Bytes > 8<<20 {
		t.Errorf("Stats = %d bytes, %v", st.Bytes, err)
	}
}
