package sdkclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// What is declared is there, no more; and prompts, completions and resources work with the
// documents that the server has read.
func TestPromptsResourcesAndCompletions(t *testing.T) {
	t.Parallel()
	for _, era := range eras {
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			c := start(t, era)
			can := c.InitializeResult().Capabilities
			if can.Completions == nil || can.Logging == nil || can.Prompts == nil || can.Prompts.ListChanged || can.Tools.ListChanged || can.Resources.ListChanged || !can.Resources.Subscribe {
				t.Errorf("capabilities = %+v", can)
			}
			var note struct {
				DocumentID string `json:"document_id"`
			}
			c.call(t, "remember", map[string]any{"text": "The grey heron nests in trees.", "title": "Heron nests"}, &note)
			var asked answer
			c.call(t, "research", map[string]any{"question": "What is attention in neural networks?"}, &asked)

			prompts, err := c.ListPrompts(t.Context(), nil)
			if err != nil || len(prompts.Prompts) != 5 {
				t.Fatalf("prompts %+v, %v", prompts, err)
			}
			said, err := c.GetPrompt(t.Context(), &mcp.GetPromptParams{Name: "what-do-i-know", Arguments: map[string]string{"topic": "Heron nests"}})
			if err != nil || len(said.Messages) != 1 || !strings.Contains(said.Messages[0].Content.(*mcp.TextContent).Text, "Heron nests") {
				t.Errorf("prompt %+v, %v", said, err)
			}
			for _, tt := range []struct {
				ref         *mcp.CompleteReference
				name, typed string
				want        string
			}{
				{&mcp.CompleteReference{Type: "ref/prompt", Name: "what-do-i-know"}, "topic", "heron", "Heron nests"},
				{&mcp.CompleteReference{Type: "ref/prompt", Name: "research-report"}, "question", "what is att", "What is attention in neural networks?"},
				{&mcp.CompleteReference{Type: "ref/resource", URI: "memory://documents/{id}"}, "id", "heron", note.DocumentID},
				{&mcp.CompleteReference{Type: "ref/resource", URI: "research://runs/{id}"}, "id", "attention", asked.RunID},
			} {
				got, err := c.Complete(t.Context(), &mcp.CompleteParams{Ref: tt.ref, Argument: mcp.CompleteParamsArgument{Name: tt.name, Value: tt.typed}})
				if err != nil || !slices.Contains(got.Completion.Values, tt.want) {
					t.Errorf("%+v %s %q: %+v, %v, want %q", tt.ref, tt.name, tt.typed, got, err, tt.want)
				}
			}
			sources, err := c.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "research://sources"})
			if err != nil || !strings.Contains(sources.Contents[0].Text, "- wikipedia: ") || !strings.Contains(sources.Contents[0].Text, "# Off") {
				t.Errorf("sources %+v, %v", sources, err)
			}
			want := int64(-32002)
			if era == eras[0] {
				want = jsonrpc.CodeInvalidParams
			}
			var failed *jsonrpc.Error
			if _, err := c.ReadResource(t.Context(), &mcp.ReadResourceParams{URI: "memory://documents/d_none"}); !errors.As(err, &failed) || failed.Code != want {
				t.Errorf("a document that is not there: %v, want code %d", err, want)
			}
		})
	}
}

func TestForgettingMuchAsksThePerson(t *testing.T) {
	t.Parallel()
	for _, era := range eras[:3] { // the last one has no elicitation
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			forgetMuch(t, func(o *mcp.ClientOptions) *mcp.ClientSession { return startAs(t, era, o).ClientSession })
		})
	}
}

// forgetMuch forgets many notes of a server without any, whose person first declines.
func forgetMuch(t *testing.T, start func(*mcp.ClientOptions) *mcp.ClientSession) {
	t.Helper()
	var questions []string
	action := "decline"
	c := start(&mcp.ClientOptions{ElicitationHandler: func(_ context.Context, r *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
		questions = append(questions, r.Params.Message)
		return &mcp.ElicitResult{Action: action}, nil
	}})
	for i := range 12 {
		if res, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "remember", Arguments: map[string]any{"text": fmt.Sprintf("Heron number %d.", i), "title": fmt.Sprintf("Heron %d", i)}}); err != nil || res.IsError {
			t.Fatalf("%+v, %v", res, err)
		}
	}
	for _, want := range []string{"did not agree", "Forgot 12 documents"} {
		res, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "forget", Arguments: map[string]any{"source": "note", "confirm": true}})
		if err != nil || !strings.Contains(textOf(res), want) {
			t.Errorf("%s: %+v, %v, want %q", action, res, err, want)
		}
		action = "accept"
	}
	if len(questions) != 2 || !strings.Contains(questions[0], "Remove 12 documents") || !strings.Contains(questions[0], "Heron 1") {
		t.Errorf("questions %q", questions)
	}
}

func TestLogMessagesAreSentWhenWanted(t *testing.T) {
	t.Parallel()
	for _, era := range eras[1:] { // the first one has no level of the session
		t.Run(era, func(t *testing.T) {
			t.Parallel()
			said := newLines()
			c := startAs(t, era, &mcp.ClientOptions{LoggingMessageHandler: func(_ context.Context, r *mcp.LoggingMessageRequest) {
				fmt.Fprintln(said, r.Params.Level, r.Params.Logger, r.Params.Data)
			}})
			if err := c.SetLoggingLevel(t.Context(), &mcp.SetLoggingLevelParams{Level: "info"}); err != nil {
				t.Fatal(err)
			}
			if res, err := c.CallTool(t.Context(), &mcp.CallToolParams{Name: "research", Arguments: map[string]any{"question": "What is BERT?"}}); err != nil || res.IsError {
				t.Fatalf("%+v, %v", res, err)
			}
			said.await(t, "info research", " in ", " ms")
		})
	}
}
