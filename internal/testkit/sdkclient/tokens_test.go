package sdkclient

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tiktoken-go/tokenizer"
)

// mostOfList is how many tokens tools/list may have: every conversation pays for it.
const mostOfList = 1500

// o200k counts tokens as OpenAI's models do.
func o200k(t *testing.T) func(s string) int {
	t.Helper()
	codec, err := tokenizer.Get(tokenizer.O200kBase)
	if err != nil {
		t.Fatal(err)
	}
	return func(s string) int {
		n, err := codec.Count(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

func TestToolListIsSmall(t *testing.T) {
	t.Parallel()
	list, err := startWith(t, eras[0]).ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := o200k(t)(compact(t, list.Tools))
	t.Logf("tools/list: %d tokens", n)
	if n > mostOfList {
		t.Errorf("tools/list has %d tokens, want at most %d", n, mostOfList)
	}
}

// TestResultsKeepMaxTokens asks four tools at eleven values of max_tokens, and counts the
// tokens of the text and of the JSON. remember and forget have no such argument.
func TestResultsKeepMaxTokens(t *testing.T) {
	t.Parallel()
	count := o200k(t)
	c := start(t, eras[0])
	for _, kind := range []string{strings.Repeat("灯塔管理员发现潮汐表差了将近一个小时。", 40), strings.Repeat("for (const k of Object.keys(o)) { if (!seen[k]) out.push({k, v: o[k]}); }\n", 40),
		strings.Repeat("Смотритель заметила, что таблицы приливов ошибаются. ", 40), strings.Repeat("aGVsbG8sIHdvcmxkIQ9xZz8+Kw", 60)} {
		c.call(t, "remember", map[string]any{"text": "tide tables " + kind}, &struct{}{})
	}
	over, measured := 0, 0
	for _, maxTokens := range []int{200, 300, 500, 700, 1000, 1500, 2000, 3000, 4000, 8000, 50000} {
		for _, call := range []struct {
			tool string
			args map[string]any
		}{
			{"research", map[string]any{"question": "How do BERT and GPT differ in the way they are trained?", "sources": []string{"wikipedia-summary"}}},
			{"fetch-sources", map[string]any{"query": "transformer", "limit": 50, "sources": []string{"wikipedia-summary"}}},
			{"recall", map[string]any{"query": "attention in a transformer", "k": 50}},
			{"recall", map[string]any{"query": "tide tables", "source": "note", "k": 50}},
		} {
			call.args["max_tokens"] = maxTokens
			res, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: call.tool, Arguments: call.args})
			if err != nil || res.IsError {
				t.Fatalf("%s: %v, %+v", call.tool, err, res)
			}
			for form, s := range map[string]string{"text": textOf(res), "JSON": compact(t, res.StructuredContent)} {
				measured++
				if n := count(s); n > maxTokens {
					over++
					t.Errorf("%s at %d: the %s has %d tokens:\n%s", call.tool, maxTokens, form, n, s)
				}
			}
		}
	}
	t.Logf("%d of %d results over max_tokens", over, measured)
}

// compact is the JSON of v as a client gives it to its model.
func compact(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
