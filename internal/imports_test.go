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
// import those of base. docs/ARCHITECTURE.md has the same table, with what each room
// is for.
var mayImport = map[string][]string{
	"internal/evidence": {},
	"internal/limit":    {},
	"internal/text":     {"internal/evidence"},
	"internal/config":   {},
	"internal/fetch":    {},
	"internal/isolate":  {},
	"internal/extract":  {"internal/evidence", "internal/isolate"},
	"internal/sources":  {"internal/evidence", "internal/fetch", "internal/extract"},
	"memory":            {"internal/evidence"},
	"internal/models":   {"internal/evidence"},

	"internal/models/conversation": {},
	"internal/models/prompt":       {"internal/evidence", "internal/models/conversation"},
	"internal/models/builtin":      {"internal/evidence", "internal/models", "internal/models/conversation"},
	"internal/models/ollama":       {"internal/config", "internal/evidence", "internal/models", "internal/models/prompt", "internal/models/builtin"},
	"internal/models/crossencoder": {"internal/config", "internal/evidence", "internal/models"},
	"internal/models/all":          {"internal/config", "internal/models", "internal/models/builtin", "internal/models/ollama", "internal/models/crossencoder"},
	"internal/models/modelstest":   {"internal/evidence", "internal/models", "internal/models/conversation"},

	"internal/library":  {"internal/evidence", "internal/models", "internal/extract", "internal/fetch", "memory"},
	"internal/proof":    {"internal/evidence", "internal/models"},
	"internal/research": {"internal/evidence", "internal/models", "internal/proof", "internal/library", "memory"},
	"internal/testkit":  {"internal/evidence"},
	"tools":             {"internal/evidence", "internal/library", "internal/research"},
	"server":            {"tools", "internal/evidence"},
	"server/stdio":      {"server"},
	"internal/app":      {"*"},

	"internal/testkit/apptest": {"*"},

	// Above app.
	"internal/demo":       {"*"},
	"internal/recording":  {"*"},
	"internal/evaluation": {"*"},
	"internal/diagnosis":  {"*"},

	"cmd/research-mcp": {"internal/app", "internal/demo", "internal/recording", "internal/evaluation", "internal/diagnosis", "internal/config", "internal/evidence", "internal/library", "internal/research", "memory", "server/stdio"},
}

// base rooms are small and import nothing but evidence.
var base = []string{"internal/text", "internal/limit"}

// room is the longest entry of the table that the package is in.
func room(pkg string) string {
	for ; pkg != "." && pkg != ""; pkg = path.Dir(pkg) {
		if _, ok := mayImport[pkg]; ok {
			return pkg
		}
	}
	return ""
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
	here := room(pkg)
	if here == "" {
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
		there := room(ours)
		allowed := mayImport[here]
		if there != here && !slices.Contains(base, there) && !slices.Contains(allowed, there) && !slices.Contains(allowed, "*") {
			t.Errorf("%s: %s may not import %s", file, here, there)
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
			names = append(names, strings.TrimPrefix(strings.ReplaceAll(name, "*", "all"), "internal/"))
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
