package tools_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// guideFile is a file of the guide: its path in backticks, and its content in the
// fenced block that follows.
var guideFile = regexp.MustCompile("(?m)^`([a-z/_.-]+)`[^\n]*:\n\n```([a-z]+)\n((?s:.*?))\n```$")

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
	overlay := writeOverlay(t, root, temp)
	tests := testBinary(t, overlay, filepath.Join(temp, "tools.test"), "tools")
	runTests(t, filepath.Join(root, "tools"), tests, "-test.run", "^(TestCountWords|TestToolsAreComplete|TestResultsMatchTheirSchemas)$")

	tests = testBinary(t, overlay, filepath.Join(temp, "server.test"), "server")
	dir := filepath.Join(temp, "server")
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

// writeOverlay writes the guide's files into temp, and returns the overlay that
// puts them into the module at root.
func writeOverlay(t *testing.T, root, temp string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "adding-a-tool.md"))
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for _, m := range guideFile.FindAllStringSubmatch(string(page), -1) {
		target, content := filepath.Join(root, filepath.FromSlash(m[1])), m[3]+"\n"
		if m[2] == "diff" {
			content = patched(t, target, content)
		}
		file := filepath.Join(temp, filepath.Base(target))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[target] = file
	}
	if len(replace) != 4 {
		t.Fatalf("the guide has %d files, want the tool, its test, the registry and the description", len(replace))
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(temp, "overlay.json")
	if err := os.WriteFile(overlay, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// patched returns a file with the added lines of a diff, which must match it.
func patched(t *testing.T, name, diff string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var before, after strings.Builder
	for line := range strings.Lines(diff) {
		switch line[0] {
		case ' ':
			before.WriteString(line[1:])
			after.WriteString(line[1:])
		case '+':
			after.WriteString(line[1:])
		default:
			t.Fatalf("line %q of the guide's diff", line)
		}
	}
	if strings.Count(string(raw), before.String()) != 1 {
		t.Fatalf("the guide's diff does not match %s", name)
	}
	return strings.Replace(string(raw), before.String(), after.String(), 1)
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
