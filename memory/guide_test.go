package memory

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// The guide's steps, as docs/adding-a-backend.md prints them.
const (
	guideImport = `	"github.com/research-mcp/research-mcp/memory/toy"`
	guideEntry  = `		{"toy", opens(toy.Open)},`
)

// TestGuide does what docs/adding-a-backend.md says with the backend in
// testdata/toy. The files are added with an overlay, which is a copy of the
// module as far as the go command can see, and needs no second build of the rest.
func TestGuide(t *testing.T) {
	t.Parallel()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("not run: there is no go command")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile(filepath.Join(here, "..", "docs", "adding-a-backend.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{guideImport, guideEntry, "memorytest.Run(t, memorytest.Backend{"} {
		if !strings.Contains(string(guide), line) {
			t.Errorf("the guide does not print %q", line)
		}
	}

	replace := map[string]string{}
	files, err := filepath.Glob(filepath.Join(here, "testdata", "toy", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files { // places 1 and 2: the package and its test
		replace[filepath.Join(here, "toy", filepath.Base(f))] = f
	}
	dir := t.TempDir()
	overlay := func(name, content string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(here, name)] = path
	}
	overlay("registry.go", registryWithToy(t)) // place 3
	overlay("toy_test.go", openToy)
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, b, 0o600); err != nil {
		t.Fatal(err)
	}
	// Built first, then run: go test would change to the package's folder, which is
	// only in the overlay.
	out := run(t, goTool, "test", "-c", "-vet=off", "-overlay", list, "-o", dir+string(filepath.Separator), ".", "./toy")
	for _, name := range []string{"memory.test", "toy.test"} {
		if runtime.GOOS == "windows" {
			name += ".exe"
		}
		out += run(t, filepath.Join(dir, name), "-test.v", "-test.run", "^(TestContract|TestToyIsRegistered)$")
	}
	for _, want := range []string{"--- PASS: TestToyIsRegistered", "--- PASS: TestContract/Changes ", "--- PASS: TestContract/ForgetTraces ",
		`not run: the backend does not declare "backup"`, `not run: the backend does not declare "reindex"`, "not run: the suite cannot read"} {
		if !strings.Contains(out, want) {
			t.Errorf("the tests do not print %q:\n%s", want, out)
		}
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q = %v\n%s", name, args, err, out)
	}
	return string(out)
}

func registryWithToy(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("registry.go")
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	for after, line := range map[string]string{
		"	\"github.com/research-mcp/research-mcp/memory/local\"\n": guideImport + "\n",
		"		{\"local\", opens(local.Open)},\n":                      guideEntry + "\n",
	} {
		if !strings.Contains(s, after) {
			t.Fatalf("registry.go does not contain %q", after)
		}
		s = strings.Replace(s, after, after+line, 1)
	}
	return s
}

// openToy is a test of package memory once the toy is registered.
const openToy = `package memory

import (
	"strings"
	"testing"
	"time"
)

func TestToyIsRegistered(t *testing.T) {
	m, err := Open(t.Context(), Config{Backend: "toy", URL: "toy://one", Dir: t.TempDir()})
	if err != nil || m.Backend() != "toy" {
		t.Fatal(m, err)
	}
	defer m.Close()
	if _, err := Require[Backuper](m); err == nil || !strings.Contains(err.Error(), "does not support backup") {
		t.Errorf("Require[Backuper] = %v", err)
	}
	if _, err := Open(t.Context(), Config{Backend: "toy", Keep: Retention{MaxAge: time.Hour}}); err == nil {
		t.Error("a retention that the toy ignores is accepted")
	}
}
`
