package tools_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/testkit/guide"
)

// TestGuide does what docs/adding-a-tool.md says: it adds the files by an
// overlay, runs the test of the new tool and those of all tools, and writes the
// snapshot into a copy of server/testdata.
func TestGuide(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not on PATH")
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	with := guide.NewOverlay(root, temp)
	steps := guide.Steps(with.Read(t, "docs/adding-a-tool.md"))
	if len(steps) != 4 {
		t.Fatalf("the guide has %d files, want the tool, its test, the registry and the description", len(steps))
	}
	with.Hide(t, "tools/count_words*.go")
	with.Follow(t, steps)
	overlay := with.File(t)
	tests := testBinary(t, overlay, filepath.Join(temp, "tools.test"), "tools")
	runTests(t, filepath.Join(root, "tools"), tests, "-test.run", "^(TestCountWords|TestToolsAreComplete|TestResultsMatchTheirSchemas)$")

	tests = testBinary(t, overlay, filepath.Join(temp, "server.test"), "server")
	dir := filepath.Join(temp, "copy")
	if err := os.CopyFS(filepath.Join(dir, "testdata"), os.DirFS(filepath.Join(root, "server", "testdata"))); err != nil {
		t.Fatal(err)
	}
	runTests(t, dir, tests, "-update")
	runTests(t, dir, tests)
	snapshot, err := os.ReadFile(filepath.Join(dir, "testdata", "tools_list.json"))
	if err != nil || !strings.Contains(string(snapshot), `"Count words"`) {
		t.Errorf("the snapshot does not contain the new tool: %v", err)
	}
}

func testBinary(t *testing.T, overlay, binary, pkg string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, "./"+pkg)
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compiling the tests of %s: %v\n%s", pkg, err, out)
	}
	return binary
}

func runTests(t *testing.T, dir, binary string, args ...string) {
	t.Helper()
	run := exec.CommandContext(t.Context(), binary, args...)
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(binary), strings.Join(args, " "), err, out)
	}
}
