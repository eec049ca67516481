package internal_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/research-mcp/research-mcp/"

// mayImport is the table of rooms: imports go downward only. Every room may also
// import those of base. docs/ARCHITECTURE.md explains it.
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
	"internal/models/all":          {"internal/evidence", "internal/config", "internal/models", "internal/models/builtin", "internal/models/ollama"},
	"internal/models/modelstest":   {"internal/evidence", "internal/models", "internal/models/conversation"},

	"internal/library":  {"internal/evidence", "internal/models", "internal/extract", "internal/fetch", "memory"},
	"internal/research": {"internal/evidence", "internal/models", "internal/library", "memory"},
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
