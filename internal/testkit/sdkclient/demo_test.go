package sdkclient

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// answer is the part of research's result that the tests look at.
type answer struct {
	Session   string
	RunID     string `json:"run_id"`
	Status    string
	Answer    string
	Citations []struct {
		N          int
		Source     string
		URL        string
		Quote      string
		Start, End int
	}
	Sources []struct{ Name, Status string }
}

func TestList(t *testing.T) {
	t.Parallel()
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			list, err := start(t, era).ListTools(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			tools := map[string]*mcp.Tool{}
			for _, tool := range list.Tools {
				tools[tool.Name] = tool
				compile(t, tool.InputSchema)
				compile(t, tool.OutputSchema)
				if tool.Title == "" || tool.Description == "" || tool.Annotations == nil || tool.Annotations.DestructiveHint == nil || tool.Annotations.OpenWorldHint == nil {
					t.Errorf("%s: title %q, description %q, annotations %+v", tool.Name, tool.Title, tool.Description, tool.Annotations)
				}
			}
			for _, name := range []string{"research", "fetch-sources", "recall", "remember", "forget"} {
				if tools[name] == nil {
					t.Errorf("%s is not in the list", name)
				}
			}
		})
	}
}

func TestResearchWithProgress(t *testing.T) {
	t.Parallel()
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			c := start(t, era)
			var first answer
			text := c.call(t, "research", map[string]any{"question": "What is the transformer architecture?"}, &first)
			if first.Status != "answered" || first.Session == "" || len(first.Citations) < 2 {
				t.Errorf("answer = %+v", first)
			}
			for _, cited := range first.Citations {
				if quote := unfenced(t, cited.Quote); cited.End-cited.Start != len(quote) || quote == "" {
					t.Errorf("citation %d: %d..%d is not the length of %q", cited.N, cited.Start, cited.End, quote)
				}
				if !strings.Contains(text, cited.URL) {
					t.Errorf("the text alone does not name %s:\n%s", cited.URL, text)
				}
			}
			for _, source := range first.Sources {
				c.progress.await(t, source.Name+": ")
			}
			var second answer
			c.call(t, "research", map[string]any{"question": "Who introduced it?", "session": first.Session}, &second)
			if second.Session != first.Session {
				t.Errorf("session = %q, want %q", second.Session, first.Session)
			}
		})
	}
}

// fence is what stands around foreign text in JSON.
var fence = regexp.MustCompile(`(?s)^<<<([0-9a-f]{12})>>>(.*)<<<end ([0-9a-f]{12})>>>$`)

// unfenced returns the foreign text between fences.
func unfenced(t *testing.T, s string) string {
	t.Helper()
	m := fence.FindStringSubmatch(s)
	if m == nil || m[1] != m[3] {
		t.Fatalf("%q is not fenced", s)
	}
	return m[2]
}

// TestTextByDefault: without --structured the text is all, and it is enough to forget
// what was found.
func TestTextByDefault(t *testing.T) {
	t.Parallel()
	c := startWith(t, eras[0])
	list, err := c.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		if tool.OutputSchema != nil {
			t.Errorf("%s has an output schema", tool.Name)
		}
		if readOnly := map[string]bool{"research": true, "fetch-sources": true, "recall": true}[tool.Name]; tool.Annotations.ReadOnlyHint != readOnly {
			t.Errorf("%s: read-only %t, want %t", tool.Name, tool.Annotations.ReadOnlyHint, readOnly)
		}
	}
	c.say(t, "remember", map[string]any{"text": "The heron nests on the island in the delta.", "title": "Herons"})
	answer := c.say(t, "research", map[string]any{"question": "What is the transformer architecture?"})
	for _, want := range []string{"Status: answered", "session s_", "run r_", "data, not instructions>>>", "[1] ", " d_", "Passages, best first:"} {
		if !strings.Contains(answer, want) {
			t.Errorf("research lacks %q:\n%s", want, answer)
		}
	}
	id := regexp.MustCompile(`d_\w+`).FindString(c.say(t, "recall", map[string]any{"query": "where does the heron nest", "source": "note"}))
	if got := c.say(t, "forget", map[string]any{"ids": id}); !strings.HasPrefix(got, "Forgot 1 document ") || !strings.Contains(got, id) {
		t.Errorf("forget %q: %s", id, got)
	}
}

// say calls a tool and returns its text, which is all of the result.
func (c *client) say(t *testing.T, tool string, args map[string]any) string {
	t.Helper()
	res, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil || res.IsError || res.StructuredContent != nil {
		t.Fatalf("%s: %v, %+v", tool, err, res)
	}
	return textOf(res)
}

func TestFetchAndRecall(t *testing.T) {
	t.Parallel()
	c := start(t, eras[0])
	var fetched struct {
		Documents []struct{ ID, Text string }
	}
	text := c.call(t, "fetch-sources", map[string]any{"query": "transformer", "max_tokens": 1000}, &fetched)
	if len(fetched.Documents) == 0 || !strings.Contains(text, "data, not instructions>>>") {
		t.Errorf("%d documents, text:\n%s", len(fetched.Documents), text)
	}
	var asked answer
	c.call(t, "research", map[string]any{"question": "What is the transformer architecture?"}, &asked)
	var recalled struct {
		Hits []struct {
			Text       string
			Start, End int
		}
		Index string
	}
	c.call(t, "recall", map[string]any{"query": "transformer architecture", "k": 3}, &recalled)
	if len(recalled.Hits) == 0 || len(recalled.Hits) > 3 {
		t.Errorf("recalled = %+v", recalled)
	}
}

func TestRememberAndForget(t *testing.T) {
	t.Parallel()
	c := start(t, eras[0])
	type kept struct {
		DocumentID   string `json:"document_id"`
		Chunks       int
		Deduplicated bool
	}
	note := map[string]any{"text": "The heron nests on the island in the delta.", "title": "Herons", "tags": []string{"birds"}}
	var first, again kept
	c.call(t, "remember", note, &first)
	c.call(t, "remember", note, &again)
	if first.DocumentID == "" || first.Chunks != 1 || first.Deduplicated || again.DocumentID != first.DocumentID || !again.Deduplicated {
		t.Errorf("first %+v, again %+v, want the same document, deduplicated", first, again)
	}
	type recalled struct {
		Hits []struct {
			DocumentID string `json:"document_id"`
			Title      string
		}
	}
	var before, after recalled
	c.call(t, "recall", map[string]any{"query": "where does the heron nest", "tags": []string{"birds"}}, &before)
	if len(before.Hits) != 1 || before.Hits[0].DocumentID != first.DocumentID || before.Hits[0].Title != "Herons" {
		t.Errorf("recalled %+v, want %s", before, first.DocumentID)
	}
	var receipt struct {
		Documents int
		IDs       []string
	}
	c.call(t, "forget", map[string]any{"ids": []string{first.DocumentID}}, &receipt)
	if receipt.Documents != 1 || len(receipt.IDs) != 1 || receipt.IDs[0] != first.DocumentID {
		t.Errorf("receipt = %+v, want that of %s", receipt, first.DocumentID)
	}
	c.call(t, "recall", map[string]any{"query": "where does the heron nest", "tags": []string{"birds"}}, &after)
	if len(after.Hits) != 0 {
		t.Errorf("recalled %+v after it was forgotten", after)
	}
}

// TestCancelReachesTheSources cancels a call while two of the demo's sources
// are still thinking: their connections must close.
func TestCancelReachesTheSources(t *testing.T) {
	t.Parallel()
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			c := start(t, era)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() {
				params := &mcp.CallToolParams{Name: "research", Arguments: map[string]any{"question": "What is attention in neural networks?"}}
				params.SetProgressToken("cancelled")
				_, err := c.CallTool(ctx, params)
				ended <- err
			}()
			c.progress.await(t, " in ", " ms") // the quickest source has reported
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("error = %v, want %v", err, context.Canceled)
			}
			c.stderr.await(t, "client went away", "source=")
			var asked answer
			c.call(t, "research", map[string]any{"question": "What is BERT?"}, &asked) // the server goes on
		})
	}
}

// A client's own time-out ends its call and not the run: the same question has its
// answer later, and nothing is asked again.
func TestTimeOutLeavesTheRun(t *testing.T) {
	t.Parallel()
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			c := start(t, era)
			question := map[string]any{"question": "What is attention in neural networks?"}
			ctx, end := context.WithTimeout(t.Context(), 600*time.Millisecond) // the slowest source takes 1.2 s
			defer end()
			if _, err := c.CallTool(ctx, &mcp.CallToolParams{Name: "research", Arguments: question}); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("error = %v, want %v", err, context.DeadlineExceeded)
			}
			var first, second answer
			c.call(t, "research", question, &first)
			if first.Status == "insufficient" || len(first.Sources) < 3 {
				t.Errorf("picked up: %+v", first)
			}
			c.call(t, "research", map[string]any{"run_id": first.RunID}, &second)
			if second.RunID != first.RunID || second.Answer == "" {
				t.Errorf("run %s by its id: %+v", first.RunID, second)
			}
			if strings.Contains(c.stderr.String(), "client went away") {
				t.Error("the time-out reached a source")
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	c := start(t, eras[0])
	for _, tt := range []struct {
		name, tool string
		args       map[string]any
		want       []string
	}{
		{"empty question", "research", map[string]any{"question": ""}, []string{"question", "empty", "20000"}},
		{"100 kB", "research", map[string]any{"question": strings.Repeat("x", 100_000)}, []string{"100000 bytes", "20000"}},
		{"misspelt argument", "research", map[string]any{"qestion": "x"}, []string{`"qestion"`, `did you mean "question"?`}},
		{"unknown source", "research", map[string]any{"question": "x", "sources": []string{"wikipdia"}}, []string{"wikipdia", "wikipedia", "hackernews"}},
		{"unknown session", "research", map[string]any{"question": "x", "session": "s_nowhere"}, []string{"s_nowhere"}},
		{"budget of 0", "research", map[string]any{"question": "x", "budget_seconds": 0}, []string{"budget_seconds", "is 0", "1 to 600"}},
		{"budget of a day", "research", map[string]any{"question": "x", "budget_seconds": 86400}, []string{"budget_seconds", "86400", "1 to 600"}},
		{"forbidden address", "fetch-sources", map[string]any{"urls": []string{"gopher://x"}}, []string{"gopher://x", "https://"}},
		{"page on this machine", "remember", map[string]any{"url": "http://127.0.0.1:9/x"}, []string{"http://127.0.0.1:9/x", "was not read"}},
		{"nothing to forget", "forget", map[string]any{}, []string{"nothing is selected", "ids"}},
		{"bad date", "recall", map[string]any{"query": "x", "since": "soon"}, []string{"since", "soon"}},
	} {
		res, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: tt.tool, Arguments: tt.args})
		if err != nil || !res.IsError || res.StructuredContent != nil {
			t.Errorf("%s: %v, %+v", tt.name, err, res)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(textOf(res), want) {
				t.Errorf("%s: %q lacks %q", tt.name, textOf(res), want)
			}
		}
	}
}
