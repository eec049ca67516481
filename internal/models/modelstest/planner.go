package modelstest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
)

// Planner tests p against the contract of models.Planner.
func Planner(t *testing.T, p models.Planner) {
	t.Helper()
	if p.Name() == "" {
		t.Error("Name() is empty")
	}
	session := evidence.Session{Summary: conversation.QuestionLine("What is BERT?"), Turns: []evidence.Turn{
		{Role: evidence.RoleUser, Text: "And GPT?"}, {Role: evidence.RoleAssistant, Text: "A language model. [1]"},
	}}
	var wg sync.WaitGroup
	for _, question := range []string{"Who patented the telephone?", "Which of them is older?", "?!", "什么是注意力机制", "\xff\xfe", strings.Repeat("long ", 500)} {
		for _, max := range []int{0, 1, 3} {
			wg.Go(func() {
				got, err := p.Keywords(t.Context(), question, session, max)
				if err != nil || len(got) < 1 || len(got) > 1 && len(got) > max {
					t.Errorf("Keywords(%.20q, %d) = %q, %v, want 1 to %d", question, max, got, err, max)
				}
				for _, q := range got {
					if strings.TrimSpace(q) == "" || len(q) > 2*conversation.MaxQuery {
						t.Errorf("Keywords(%.20q) holds %q", question, q)
					}
				}
			})
		}
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := p.Keywords(ctx, "What is BERT?", evidence.Session{}, 3); !errors.Is(err, context.Canceled) {
		t.Errorf("Keywords with a cancelled context = %q, %v, want context.Canceled", got, err)
	}
}

// Summarizer tests s against the contract of models.Summarizer.
func Summarizer(t *testing.T, s models.Summarizer) {
	t.Helper()
	if s.Name() == "" {
		t.Error("Name() is empty")
	}
	turns := []evidence.Turn{
		{Role: evidence.RoleUser, Text: "What is the Antikythera mechanism?"},
		{Role: evidence.RoleAssistant, Text: "The Antikythera mechanism is an ancient Greek device. [1]"},
	}
	long := conversation.QuestionLine("What is BERT?") + "\n" + strings.Repeat("Notes in prose. ", 60)
	var wg sync.WaitGroup
	for _, summary := range []string{"", long, "\xff"} {
		wg.Go(func() {
			got, err := s.Summarize(t.Context(), summary, turns)
			if err != nil || len(got) > conversation.MaxSummary {
				t.Errorf("Summarize(%.20q) = %d bytes, %v, want at most %d", summary, len(got), err, conversation.MaxSummary)
			}
			questions, _ := conversation.Questions(got)
			if len(questions) == 0 || questions[len(questions)-1] != turns[0].Text {
				t.Errorf("Summarize(%.20q) lists the questions %q, want %q as the last", summary, questions, turns[0].Text)
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := s.Summarize(ctx, "", turns); !errors.Is(err, context.Canceled) {
		t.Errorf("Summarize with a cancelled context = %q, %v, want context.Canceled", got, err)
	}
}
