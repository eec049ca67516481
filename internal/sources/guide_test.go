package sources_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/sources"
	"github.com/research-mcp/research-mcp/internal/testkit/guide"
)

// TestGuide does what docs/adding-a-source.md says, and runs the contract suite
// on the new source. The files are added by an overlay, so that only this
// package is compiled again.
func TestGuide(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not on PATH")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	overlay := guide.NewOverlay(root, temp)
	steps := guide.Steps(overlay.Read(t, "docs/adding-a-source.md"))
	if len(steps) != 6 {
		t.Fatalf("the guide has %d steps, want 2 Go files and 4 fixtures", len(steps))
	}
	overlay.Hide(t, "internal/sources/toy*.go")
	overlay.Follow(t, steps)
	binary := filepath.Join(temp, "sources.test")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay.File(t), "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compiling the guide's source: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), binary, "-test.run", "^TestContract$/^toy$", "-test.v")
	run.Dir = filepath.Join(temp, "internal", "sources") // where the fixtures are
	out, err := run.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestContract/toy/failures/") {
		t.Fatalf("the contract suite on the guide's source: %v\n%s", err, out)
	}
}

func TestREADMENamesEverySource(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range sources.Registry() {
		if !strings.Contains(string(page), "`"+spec.Name+"`") {
			t.Errorf("README.md does not name `%s`", spec.Name)
		}
	}
}
