package server

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/research-mcp/research-mcp/internal/text"
)

var update = flag.Bool("update", false, "write the golden files")

// toolBudget is the average size of a tool in tools/list, in tokens: every
// conversation pays for the list before its first question.
const toolBudget = 450

// manySources are the names that a server with every source on lists.
const manySources = "arxiv crossref europepmc feeds files github hackernews kiwix mediawiki openalex pubmed searxng stackexchange wikidata wikipedia wikipedia-summary"

// TestConversations plays testdata/*.txt: each "C: " line is a message of the
// client, and the "S: " lines after it are what the server sends. Other lines are
// comments.
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
	s := open(t, testHandler(world{}, io.Discard))
	var got strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "S: ") {
			continue
		}
		got.WriteString(line)
		if said, ok := strings.CutPrefix(line, "C: "); ok {
			for _, message := range exchange(t.Context(), s, said) {
				got.WriteString("S: " + message + "\n")
			}
		}
	}
	return got.String()
}

func TestToolList(t *testing.T) {
	t.Parallel()
	s := open(t, testHandler(world{sources: strings.Fields(manySources)}, io.Discard))
	line := strings.Join(exchange(t.Context(), s, `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`), "")
	var list struct {
		Result struct {
			Tools []map[string]any `json:"tools"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(line), &list); err != nil {
		t.Fatal(err)
	}
	tokens := text.TokenBound(line)
	t.Logf("tools/list: %d tools, %d tokens", len(list.Result.Tools), tokens)
	if most := toolBudget * len(list.Result.Tools); tokens > most {
		t.Errorf("tools/list has %d tokens, want at most %d", tokens, most)
	}
	for _, tool := range list.Result.Tools {
		for _, key := range []string{"name", "title", "description", "inputSchema"} {
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

// golden compares v, as indented JSON, with the committed file.
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
