package ollama

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
)

const (
	// planLimit is how long a question waits for a model's keywords.
	planLimit     = 3 * time.Second
	planTokens    = 96
	summaryTokens = 300
)

// Keywords lets the model plan, for three seconds at most. When it fails, the
// built-in keywords are returned without an error, and when it is too slow it is
// not asked again for five minutes.
func (w *Writer) Keywords(ctx context.Context, question string, s evidence.Session, max int) ([]string, error) {
	if max < 1 {
		max = 1
	}
	if !w.client.Slow(w.model) {
		bounded, cancel := context.WithTimeout(ctx, planLimit)
		defer cancel()
		queries, err := w.plan(bounded, question, s, max)
		if err == nil && len(queries) > 0 {
			return queries, nil
		}
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			w.client.NoteSlow(w.model)
		}
	}
	return builtin.NewPlanner().Keywords(ctx, question, s, max)
}

func (w *Writer) plan(ctx context.Context, question string, s evidence.Session, max int) ([]string, error) {
	messages, schema := prompt.Keywords(question, s, max)
	res, err := w.chat(ctx, messages, planTokens, schema)
	if err != nil {
		return nil, err
	}
	return prompt.ParseKeywords(res.Text, max)
}

// Summarize lets the model fold the turns into the summary. The last questions
// stay in it word for word.
func (w *Writer) Summarize(ctx context.Context, summary string, turns []evidence.Turn) (string, error) {
	res, err := w.chat(ctx, prompt.Summary(summary, turns), summaryTokens, nil)
	if err != nil {
		return "", err
	}
	out := prompt.ParseSummary(res.Text, res.Cut, summary, turns)
	if out == "" {
		return "", &evidence.Problem{What: w.Name() + " wrote no summary"}
	}
	return out, nil
}

// chat sends a short prompt.
func (w *Writer) chat(ctx context.Context, messages []prompt.Message, maxTokens int, format json.RawMessage) (ChatResult, error) {
	all := ""
	for _, m := range messages {
		all += m.Content
	}
	return w.client.Chat(ctx, ChatRequest{
		Model: w.model, Messages: messages, PromptTokens: EstimatePrompt(all), MaxTokens: maxTokens, Format: format,
	}, nil)
}
