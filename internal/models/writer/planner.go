package writer

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
)

const (
	// planLimit is how long a question waits for a model's keywords.
	planLimit     = 3 * time.Second
	planTokens    = 96
	summaryTokens = 300
)

// Keywords lets the model plan, for three seconds at most. When it fails, the
// built-in keywords are returned without an error. A model whose measured speed is
// too low for that time is not asked.
func (w *Writer) Keywords(ctx context.Context, question string, s evidence.Session, max int) ([]string, error) {
	if max < 1 {
		max = 1
	}
	bounded, cancel := context.WithTimeout(ctx, planLimit)
	defer cancel()
	if w.plansInTime(bounded) {
		queries, err := w.plan(bounded, question, s, max)
		if err == nil && len(queries) > 0 {
			return queries, nil
		}
	}
	return builtin.NewPlanner().Keywords(ctx, question, s, max)
}

// Parts lets the model divide a question, for three seconds at most. A model whose
// measured speed is too low for that time is not asked, and divides nothing. See
// models.Divider.
func (w *Writer) Parts(ctx context.Context, question string, most int) ([]string, error) {
	bounded, cancel := context.WithTimeout(ctx, planLimit)
	defer cancel()
	if most < 2 || !w.plansInTime(bounded) {
		return nil, ctx.Err()
	}
	messages, schema := prompt.Parts(question, most)
	res, err := w.short(bounded, messages, planTokens, schema)
	if err != nil {
		return nil, err
	}
	return prompt.ParseParts(res.Text, question, most)
}

// plansInTime reports whether the model can plan before ctx ends. One that was not
// measured may.
func (w *Writer) plansInTime(ctx context.Context) bool {
	const rules = 250 // tokens of the prompt
	s, err := w.chat.Speed(ctx)
	return errors.Is(err, pace.ErrUnknown) || err == nil && s.Takes(rules, planTokens/2) <= planLimit
}

func (w *Writer) plan(ctx context.Context, question string, s evidence.Session, max int) ([]string, error) {
	messages, schema := prompt.Keywords(question, s, max)
	res, err := w.short(ctx, messages, planTokens, schema)
	if err != nil {
		return nil, err
	}
	return prompt.ParseKeywords(res.Text, max)
}

// summaryPatience is the longest that a model may work on a summary: questions share
// the machine with it.
const summaryPatience = 20 * time.Second

// Summarize lets the model fold the turns into the summary. The last questions
// stay in it word for word. The built-in summarizer takes the place of a model that is
// too slow.
func (w *Writer) Summarize(ctx context.Context, summary string, turns []evidence.Turn) (string, error) {
	if s, err := w.chat.Speed(ctx); err == nil && s.Takes(2*summaryTokens, summaryTokens/2) > summaryPatience {
		return builtin.NewSummarizer().Summarize(ctx, summary, turns)
	}
	res, err := w.short(ctx, prompt.Summary(summary, turns), summaryTokens, nil)
	if err != nil {
		return "", err
	}
	out := prompt.ParseSummary(res.Text, res.Cut, summary, turns)
	if out == "" {
		return "", &evidence.Problem{What: w.Name() + " wrote no summary"}
	}
	return out, nil
}

// short sends a short prompt.
func (w *Writer) short(ctx context.Context, messages []prompt.Message, maxTokens int, format json.RawMessage) (Result, error) {
	return w.chat.Chat(ctx, Request{Messages: messages, PromptTokens: Estimate(messages), MaxTokens: maxTokens, Format: format}, nil)
}
