package tools

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/research"
)

// TestResultsMatchTheirSchemas validates a result with every field set against the
// tool's output schema.
func TestResultsMatchTheirSchemas(t *testing.T) {
	t.Parallel()
	f := &fake{
		answer:     fullAnswer(),
		read:       research.ReadResult{Documents: []evidence.Document{fullDocument()}, Sources: fullAnswer().Sources, NotAsked: fullAnswer().NotAsked, Warnings: []string{"w"}},
		recalled:   library.RecallResult{Index: evidence.IndexReady, Warnings: []string{"w"}, Hits: []library.RecallHit{fullHit()}},
		remembered: library.RememberResult{DocumentID: "d", Chunks: 1, Deduplicated: true, Warnings: []string{"w"}},
		forgotten:  library.ForgetResult{Documents: 1, Chunks: 1, IDs: []string{"d"}, Titles: []string{"t"}, Matched: []string{"source w: 1"}, DryRun: true, Remaining: 1, Warnings: []string{"w"}},
	}
	arguments := map[string]string{"research": `{"question":"q"}`, "fetch-sources": `{"query":"q"}`, "recall": `{"query":"q"}`,
		"remember": `{"text":"t"}`, "forget": `{"source":"w"}`}
	for _, d := range All(deps(f)) {
		var schema jsonschema.Schema
		if err := json.Unmarshal(d.OutputSchema, &schema); err != nil {
			t.Fatal(err)
		}
		resolved, err := schema.Resolve(nil)
		if err != nil {
			t.Fatal(err)
		}
		args, ok := arguments[d.Name]
		if !ok {
			continue // a tool of docs/adding-a-tool.md, with a test of its own
		}
		got, err := call(t, f, d.Name, args)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(got.Structured, &v); err != nil {
			t.Fatal(err)
		}
		if err := resolved.Validate(v); err != nil {
			t.Errorf("%s: %v in %s", d.Name, err, got.Structured)
		}
		for name := range schema.Properties {
			if _, ok := v.(map[string]any)[name]; !ok {
				t.Errorf("%s: %s is in the schema and not in a full result", d.Name, name)
			}
		}
	}
}

// TestToolsAreComplete checks the rules that every tool has to keep: a new tool
// is checked as soon as it is registered.
func TestToolsAreComplete(t *testing.T) {
	t.Parallel()
	for _, d := range All(deps(&fake{})) {
		var schema struct {
			AdditionalProperties *bool
			Properties           map[string]map[string]any
		}
		if err := json.Unmarshal(d.InputSchema, &schema); err != nil {
			t.Fatal(err)
		}
		if schema.AdditionalProperties == nil || *schema.AdditionalProperties {
			t.Errorf("%s: unknown arguments are not refused", d.Name)
		}
		if d.Title == "" || d.About == "" {
			t.Errorf("%s: title %q, about %q", d.Name, d.Title, d.About)
		}
		for name, p := range schema.Properties {
			if p["description"] == nil {
				t.Errorf("%s: argument %s has no description", d.Name, name)
			}
			if p["type"] == "integer" && (p["minimum"] == nil || p["maximum"] == nil) || p["type"] == "string" && p["maxLength"] == nil && p["enum"] == nil ||
				p["type"] == "array" && p["maxItems"] == nil {
				t.Errorf("%s: argument %s has no bounds", d.Name, name)
			}
		}
	}
}

// TestBudgetIsTheSetting: a call without budget_seconds leaves the budget to the
// engine, and the schema shows the value that the engine takes, or that of an unknown client
// and in words that of one known to wait.
func TestBudgetIsTheSetting(t *testing.T) {
	t.Parallel()
	f := &fake{}
	d := deps(f)
	d.Budget = 90 * time.Second
	const words = "default 45 (90 for clients known to wait)"
	for _, def := range All(d) {
		if def.Name != "research" && def.Name != "fetch-sources" {
			continue
		}
		var schema struct {
			Properties struct {
				Budget struct {
					Default     int
					Description string
				} `json:"budget_seconds"`
			}
		}
		if err := json.Unmarshal(def.InputSchema, &schema); err != nil {
			t.Fatal(err)
		}
		if got := schema.Properties.Budget; got.Default != 45 || !strings.Contains(got.Description, words) {
			t.Errorf("%s: budget_seconds is %+v, want 45 and %q", def.Name, got, words)
		}
	}
	if _, err := call(t, f, "research", `{"question":"q"}`); err != nil || f.research.Budget != 0 {
		t.Errorf("research without budget_seconds: budget %v, error %v, want 0", f.research.Budget, err)
	}
	if _, err := call(t, f, "fetch-sources", `{"query":"q"}`); err != nil || f.fetch.Budget != 0 {
		t.Errorf("fetch-sources without budget_seconds: budget %v, error %v, want 0", f.fetch.Budget, err)
	}
}

// Every conversation pays for the names of the sources, so only one tool lists them.
func TestDescriptionNamesTheSources(t *testing.T) {
	t.Parallel()
	d := deps(&fake{})
	d.Sources = []string{"hackernews", "wikipedia"}
	for _, def := range All(d) {
		if got, want := strings.Contains(def.About, "hackernews"), def.Name == "research"; got != want {
			t.Errorf("%s names the sources: %t, want %t", def.Name, got, want)
		}
	}
}
