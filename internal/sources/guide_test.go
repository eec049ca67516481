package sources_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/sources"
)

const guide = "../../docs/adding-a-source.md"

// guideFile is a file of the guide: its path in backticks, and its content in the
// fenced block that follows.
var guideFile = regexp.MustCompile("(?m)^`([a-z/_.]+)`[^\n]*:\n\n```([a-z]+)\n((?s:.*?))\n```$")

// TestGuide does what docs/adding-a-source.md says, and runs the contract suite
// on the new source. The files are added by an overlay, so that only this
// package is compiled again.
func TestGuide(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not on PATH")
	}
	page, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	temp := t.TempDir()
	overlay, fixtures := writeGuide(t, string(page), root, temp)
	if len(overlay) != 2 || fixtures != 4 {
		t.Fatalf("the guide has %d Go files and %d fixtures, want 2 and 4", len(overlay), fixtures)
	}
	raw, err := json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	replace, binary := filepath.Join(temp, "overlay.json"), filepath.Join(temp, "sources.test")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if err := os.WriteFile(replace, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", replace, "-o", binary, ".")
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

// writeGuide writes the files of the guide below temp. It returns, by the path of
// each Go file in the module, where its content is, and the number of fixtures.
func writeGuide(t *testing.T, page, root, temp string) (overlay map[string]string, fixtures int) {
	t.Helper()
	overlay = map[string]string{}
	for _, m := range guideFile.FindAllStringSubmatch(page, -1) {
		name, kind, content := m[1], m[2], m[3]+"\n"
		if kind == "diff" {
			content = patched(t, filepath.Join(root, filepath.FromSlash(name)), content)
		}
		at := filepath.Join(temp, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".go") {
			overlay[filepath.Join(root, filepath.FromSlash(name))] = at
		} else {
			fixtures++
		}
	}
	return overlay, fixtures
}

// patched is a file with the added lines of a diff, which must fit it.
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
		t.Fatalf("the guide's diff does not fit %s", name)
	}
	return strings.Replace(string(raw), before.String(), after.String(), 1)
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
