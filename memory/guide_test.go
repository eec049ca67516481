package memory

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/research-mcp/research-mcp/internal/testkit/guide"
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
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay := guide.NewOverlay(root, dir)
	page := overlay.Read(t, "docs/adding-a-backend.md")
	if want := "memorytest.Run(t, memorytest.Backend{"; !strings.Contains(page, want) {
		t.Errorf("the guide does not print %q", want)
	}
	overlay.Hide(t, "memory/toy/*.go")
	files, err := filepath.Glob(filepath.Join("testdata", "toy", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files { // places 1 and 2: the package and its test
		overlay.Write(t, "memory/toy/"+filepath.Base(f), overlay.Read(t, "memory/"+filepath.ToSlash(f)))
	}
	steps := guide.Steps(page) // place 3
	if len(steps) != 2 {
		t.Fatalf("the guide has %d steps in the registry, want 2", len(steps))
	}
	overlay.Follow(t, steps)
	overlay.Write(t, "memory/toy_test.go", openToy)
	// Built first, then run: go test would change to the package's folder, which is
	// only in the overlay.
	out := run(t, goTool, "test", "-c", "-vet=off", "-overlay", overlay.File(t), "-o", dir+string(filepath.Separator), ".", "./toy")
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
