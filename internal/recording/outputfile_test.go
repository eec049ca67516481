package recording

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
)

// Another program may create the file after the check and before the write.
func TestWritingARecordingNeverReplacesAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "run.har")
	out, err := newOutputFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("another program's"), 0o600); err != nil {
		t.Fatal(err)
	}
	var refused *evidence.Problem
	if err := out.write([]byte("recording")); !errors.As(err, &refused) {
		t.Errorf("writing to a file that exists: %v, want a Problem", err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "another program's" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("beside the file are %v, %v", entries, err)
	}
}
