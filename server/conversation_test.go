package server

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/text"
)

var update = flag.Bool("update", false, "write what the server says into the golden files")

// toolListBudget is in tokens: every conversation pays for tools/list before its
// first question.
const toolListBudget = 2300

// manySources is as many names as a server with every source on has to tell.
const manySources = "arxiv crossref europepmc feeds files github hackernews kiwix mediawiki openalex pubmed searxng stackexchange wikidata wikipedia wikipedia-summary"

// TestConversations plays testdata/*.txt: "C: " lines are sent, and each is
// answered with the "S: " lines that follow it. Other lines are comments.
func TestConversations(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("conversations: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			script, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(script))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(script), got); diff != "" && !*update {
				t.Errorf("conversation (-want +got):\n%s", diff)
			}
		})
	}
}

func play(t *testing.T, script string) string {
	t.Helper()
	c := connect(t.Context(), t, world{})
	var got strings.Builder
	for line := range strings.Lines(script) {
		if said, ok := strings.CutPrefix(line, "S: "); ok && said != "" {
			line = "S: " + <-c.lines
		}
		got.WriteString(line)
		if said, ok := strings.CutPrefix(line, "C: "); ok {
			c.send("%s", strings.TrimSuffix(said, "\n"))
		}
	}
	rest, err := c.end()
	if err != nil || len(rest) > 0 {
		t.Errorf("at the end: %v, and %d more messages: %+v", err, len(rest), rest)
	}
	return got.String()
}

func TestToolList(t *testing.T) {
	t.Parallel()
	c := connect(t.Context(), t, world{sources: strings.Fields(manySources)})
	c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	line := <-c.lines
	if _, err := c.end(); err != nil {
		t.Fatal(err)
	}
	var list struct {
		Result struct {
			Tools []map[string]any `json:"tools"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(line), &list); err != nil {
		t.Fatal(err)
	}
	tokens := text.EstimateTokens(line)
	t.Logf("tools/list: %d tools, %d tokens", len(list.Result.Tools), tokens)
	if tokens > toolListBudget {
		t.Errorf("tools/list has %d tokens, want at most %d", tokens, toolListBudget)
	}
	for _, tool := range list.Result.Tools {
		for _, key := range []string{"name", "title", "description", "inputSchema", "outputSchema"} {
			if v := tool[key]; v == nil || v == "" {
				t.Errorf("%v: no %s", tool["name"], key)
			}
		}
		hints, _ := tool["annotations"].(map[string]any)
		for _, hint := range []string{"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"} {
			if _, ok := hints[hint].(bool); !ok {
				t.Errorf("%v: no %s", tool["name"], hint)
			}
		}
	}
	golden(t, "testdata/tools_list.json", list.Result.Tools)
}

// golden compares v, as indented JSON, with what is committed.
func golden(t *testing.T, file string, v any) {
	t.Helper()
	got, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); run the test with -update if the change is meant:\n%s", file, diff)
	}
}
