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
	for name, put := range map[string]func(temp, file string) error{"link": publish, "copy": copyNew} {
		dir := t.TempDir()
		temp, file := filepath.Join(dir, "temp"), filepath.Join(dir, "run.har")
		if err := os.WriteFile(temp, []byte("recording"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := put(temp, file); err != nil {
			t.Errorf("%s to a free name: %v", name, err)
		}
		if err := os.WriteFile(file, []byte("another program's"), 0o600); err != nil {
			t.Fatal(err)
		}
		var refused *evidence.Problem
		if err := put(temp, file); !errors.As(err, &refused) {
			t.Errorf("%s to a file that exists: %v, want a Problem", name, err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != "another program's" {
			t.Errorf("%s: the file holds %q, %v", name, got, err)
		}
	}
}
