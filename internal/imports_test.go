package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/research-mcp/research-mcp/"

// mayImport is the table of rooms: imports go downward only. Every room may also
// import those of base. "*" is every room except those that only tests import: see
// forTests. docs/ARCHITECTURE.md has the same table, with what each room is for.
var mayImport = map[string][]string{
	"internal/evidence":  {},
	"internal/limit":     {},
	"internal/newfile":   {},
	"internal/redact":    {},
	"internal/span":      {},
	"internal/text":      {"internal/evidence"},
	"internal/config":    {"internal/access", "internal/evidence"},
	"internal/fetch":     {},
	"internal/terminal":  {},
	"internal/sealed":    {"internal/evidence"},
	"internal/clients":   {"internal/evidence"},
	"internal/access":    {"internal/evidence"},
	"internal/isolate":   {},
	"internal/extract":   {"internal/evidence", "internal/isolate"},
	"internal/fileindex": {"internal/evidence"},
	"internal/sources":   {"internal/evidence", "internal/fetch", "internal/extract", "internal/fileindex"},
	"internal/models":    {"internal/evidence", "internal/models/pace"},

	"memory":            {"internal/evidence", "memory/contract", "memory/*"},
	"memory/contract":   {"internal/evidence"},
	"memory/memorytest": {"internal/evidence", "memory/contract"},
	"memory/rank":       {"internal/evidence"},
	"memory/cells":      {},
	"memory/intake":     {"internal/evidence", "memory/contract", "memory/rank"},
	"memory/traces":     {"internal/evidence"},
	"memory/transfer":   {"internal/evidence", "memory/contract", "memory/intake"},
	"memory/*":          {"internal/evidence", "memory/cells", "memory/contract", "memory/intake", "memory/rank", "memory/traces", "memory/transfer"}, // each backend

	"internal/models/pace":         {},
	"internal/models/conversation": {},
	"internal/models/prompt":       {"internal/evidence", "internal/models/conversation"},
	"internal/models/builtin":      {"internal/evidence", "internal/models", "internal/models/conversation", "internal/proof"},
	"internal/models/writer":       {"internal/evidence", "internal/models", "internal/models/pace", "internal/models/prompt", "internal/models/builtin"},
	"internal/models/ollama":       {"internal/config", "internal/evidence", "internal/models", "internal/models/pace", "internal/models/prompt", "internal/models/writer"},
	"internal/models/openai":       {"internal/config", "internal/evidence", "internal/models", "internal/models/pace", "internal/models/prompt", "internal/models/writer"},
	"internal/models/crossencoder": {"internal/config", "internal/evidence", "internal/models"},
	"internal/models/all":          {"internal/config", "internal/models", "internal/models/builtin", "internal/models/ollama", "internal/models/openai", "internal/models/crossencoder"},
	"internal/models/modelstest":   {"internal/evidence", "internal/models", "internal/models/conversation"},

	"internal/library":  {"internal/evidence", "internal/models", "internal/extract", "internal/fetch", "memory", "memory/contract"},
	"internal/proof":    {"internal/evidence", "internal/models"},
	"internal/research": {"internal/evidence", "internal/models", "internal/proof", "internal/library", "memory", "memory/contract"},
	"internal/testkit":  {"internal/evidence"},
	"tools":             {"internal/evidence", "internal/library", "internal/research"},
	"server":            {"tools", "internal/evidence"},
	"internal/watch":    {"internal/evidence", "memory/contract", "server"},
	"server/stdio":      {"server"},
	"server/http":       {"server", "internal/evidence"},
	"internal/bridge":   {"server", "server/stdio", "internal/evidence"},
	"internal/app":      {"*"},

	"internal/testkit/conformance": {"server", "server/http"},

	"internal/testkit/apptest": {"*"},

	// Above app.
	"internal/demo":       {"*", "internal/testkit"}, // its servers
	"internal/recording":  {"*"},
	"internal/evaluation": {"*"},
	"internal/diagnosis":  {"*"},

	"cmd/research-mcp": {"internal/access", "internal/app", "internal/demo", "internal/recording", "internal/evaluation", "internal/diagnosis", "internal/bridge", "internal/clients", "internal/config", "internal/evidence", "internal/fetch", "internal/library", "internal/research", "internal/sealed", "internal/terminal", "memory", "server/http", "server/stdio"},
}

// base rooms are small and import nothing but evidence.
var base = []string{"internal/text", "internal/limit", "internal/newfile", "internal/redact", "internal/span"}

// room is the longest entry of the table that the package is in. An entry that ends
// in "/*" stands for each folder that has no entry of its own.
func room(pkg string) string {
	for ; pkg != "." && pkg != ""; pkg = path.Dir(pkg) {
		for _, name := range []string{pkg, path.Dir(pkg) + "/*"} {
			if _, ok := mayImport[name]; ok {
				return name
			}
		}
	}
	return ""
}

// forTests reports whether a package exists for tests: it is in testkit, or named
// after what it tests, as memorytest is.
func forTests(pkg string) bool {
	return strings.HasPrefix(pkg, "internal/testkit/") || strings.HasSuffix(pkg, "test")
}

// allowed reports whether the code of pkg that is not a test may import ours.
func allowed(pkg, ours string) bool {
	here, there := room(pkg), room(ours)
	row := mayImport[here]
	switch {
	case forTests(ours) && !forTests(pkg):
		return slices.Contains(row, there)
	case here == there && !strings.HasSuffix(here, "/*"), slices.Contains(base, there):
		return true
	}
	return slices.Contains(row, there) || slices.Contains(row, "*")
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pkg, ours string
		want      bool
	}{
		{"internal/library", "memory", true},
		{"memory", "internal/library", false},
		{"memory", "memory/local", true},
		{"memory/local", "memory/contract", true},
		{"memory/local", "internal/newfile", true},
		{"memory/local", "memory", false},
		{"memory/contract", "memory/local", false},
		{"memory/memorytest", "memory/local", false},
		{"memory/toy", "memory/local", false}, // a backend that is not written yet
		{"memory/toy", "memory/contract", true},
		{"memory/local", "memory/memorytest", false},
		{"memory", "memory/memorytest", false},
		{"internal/sources", "internal/sources/sourcetest", false},
		{"internal/sources/sourcetest", "internal/sources", true},
		{"internal/app", "internal/models/modelstest", false},
		{"internal/app", "internal/testkit/world", false},
		{"internal/demo", "internal/testkit/world", true},
		{"internal/demo", "internal/testkit/apptest", false},
		{"internal/testkit/apptest", "internal/testkit/world", true},
		{"internal/recording", "internal/app", true},
	} {
		if got := allowed(c.pkg, c.ours); got != c.want {
			t.Errorf("allowed(%s, %s) = %v, want %v", c.pkg, c.ours, got, c.want)
		}
	}
}

func TestImportsGoDownward(t *testing.T) {
	t.Parallel()
	root := ".."
	files := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(file, root+string(filepath.Separator)))
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && file != root || rel == "internal/testkit/sdkclient" || d.Name() == "testdata") {
			return fs.SkipDir // the SDK's client is another module
		}
		if d.IsDir() || !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		files++
		checkFile(t, file, path.Dir(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Errorf("only %d files were looked at: the walk is broken", files)
	}
}

func checkFile(t *testing.T, file, pkg string) {
	t.Helper()
	if room(pkg) == "" {
		t.Errorf("%s: package %s is in no room of the table", file, pkg)
		return
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		ours, ok := strings.CutPrefix(imported, module)
		if !ok {
			continue
		}
		if !allowed(pkg, ours) {
			t.Errorf("%s: %s may not import %s", file, pkg, ours)
		}
	}
}

// The table of rooms in docs/ARCHITECTURE.md is mayImport.
func TestArchitectureListsTheRooms(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rooms, _ := strings.Cut(string(page), "\n## Rooms\n")
	rooms, _, _ = strings.Cut(rooms, "\n## ")
	got := map[string]string{}
	for line := range strings.Lines(rooms) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) == 5 && strings.HasPrefix(cells[1], " `") {
			got[strings.Trim(cells[1], " `")] = sortedNames(strings.Split(strings.ReplaceAll(cells[3], "`", ""), ","))
		}
	}
	want := map[string]string{}
	for room, imports := range mayImport {
		var names []string
		for _, name := range imports {
			if name == "*" {
				name = "all"
			}
			names = append(names, strings.TrimPrefix(name, "internal/"))
		}
		if len(names) == 0 {
			names = []string{"–"}
		}
		want[strings.TrimPrefix(room, "internal/")] = sortedNames(names)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rooms in docs/ARCHITECTURE.md (-mayImport +page):\n%s", diff)
	}
}

// sortedNames joins names in alphabetical order.
func sortedNames(names []string) string {
	var out []string
	for _, name := range names {
		out = append(out, strings.TrimSpace(name))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
