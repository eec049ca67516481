package tools

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
)

func TestDefaultBudgetByClient(t *testing.T) {
	t.Parallel()
	const setting = 2 * time.Minute
	for name, want := range map[string]time.Duration{
		"":                              unknownPatience,
		"stranger":                      unknownPatience,
		"not-claude-code":               unknownPatience,
		"my codex bridge":               unknownPatience,
		"codexify":                      unknownPatience,
		"opencoder":                     unknownPatience,
		"claude-code":                   0,
		"codex-mcp-client":              0,
		"Visual Studio Code":            0,
		"Visual Studio Code - Insiders": 0,
		"gemini-cli-mcp-client":         0,
		"opencode":                      0,
	} {
		for tool, args := range map[string]string{"research": `{"question":"why?"}`, "fetch-sources": `{"query":"why"}`} {
			f := &fake{}
			d := deps(f)
			d.Budget = setting
			all := All(d)
			i := slices.IndexFunc(all, func(d Definition) bool { return d.Name == tool })
			if _, err := all[i].Call(WithClient(t.Context(), name), json.RawMessage(args), func(research.Event) {}); err != nil {
				t.Fatal(err)
			}
			if got := max(f.research.Budget, f.fetch.Budget); got != want {
				t.Errorf("default budget of %s for %q = %v, want %v", tool, name, got, want)
			}
		}
	}
}

// A budget that is shorter than what clients wait is the same for all, and one that a call
// names counts.
func TestBudgetsThatAreNotCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		setting time.Duration
		args    string
		want    time.Duration
	}{
		{20 * time.Second, `{"question":"why?"}`, 0},
		{2 * time.Minute, `{"question":"why?","budget_seconds":90}`, 90 * time.Second},
	} {
		f := &fake{}
		d := deps(f)
		d.Budget = tt.setting
		if _, err := researchTool(d.withDefaults()).Call(WithClient(t.Context(), "stranger"), json.RawMessage(tt.args), func(research.Event) {}); err != nil {
			t.Fatal(err)
		}
		if f.research.Budget != tt.want {
			t.Errorf("budget of %s with the setting %v = %v, want %v", tt.args, tt.setting, f.research.Budget, tt.want)
		}
	}
}

// A run that is not finished is a result with the next step in both forms.
func TestPendingIsNoFailure(t *testing.T) {
	t.Parallel()
	res, err := call(t, &fake{err: &research.Pending{Run: "r_later"}}, "research", `{"question":"why?","max_tokens":200}`)
	if err != nil {
		t.Fatal(err)
	}
	const step = "Call research with run_id r_later for the answer."
	if !strings.HasPrefix(res.Text, "Status: pending; run r_later\n") || strings.Count(res.Text, step) != 1 {
		t.Errorf("text = %q, want status, run and %q", res.Text, step)
	}
	var out ResearchOut
	if err := json.Unmarshal(res.Structured, &out); err != nil {
		t.Fatal(err)
	}
	if out.Status != evidence.Pending || out.RunID != "r_later" || len(out.Warnings) != 1 || !strings.Contains(out.Warnings[0], step) {
		t.Errorf("JSON = %s", res.Structured)
	}
}
