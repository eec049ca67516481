package builtin

import (
	"context"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Summarizer folds turns into a summary without a model.
type Summarizer struct{}

// NewSummarizer returns the built-in summarizer.
func NewSummarizer() *Summarizer { return &Summarizer{} }

// Name is "built-in".
func (*Summarizer) Name() string { return "built-in" }

// Summarize keeps each question and the sentence of its answer that answers it
// best. When that becomes too long, the oldest answers are dropped first, then the
// oldest questions: follow-up questions refer to the subjects of earlier ones.
func (*Summarizer) Summarize(ctx context.Context, summary string, turns []evidence.Turn) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	lines := strings.Split(strings.TrimSpace(summary), "\n")
	question := ""
	for _, t := range turns {
		if t.Role == evidence.RoleUser {
			question = t.Text
			lines = append(lines, conversation.QuestionLine(question))
			continue
		}
		if s := gist(question, t); s != "" {
			lines = append(lines, conversation.AnswerLine(s))
		}
	}
	return shrink(lines), nil
}

// gist returns the sentence that represents an answer, or "" for an answer that
// found nothing.
func gist(question string, t evidence.Turn) string {
	if t.Run != nil && t.Run.Status == evidence.Insufficient {
		return ""
	}
	body := conversation.WithoutMarks(t.Text)
	// Without an encoder there is no error.
	if ranked, _ := RankSentences(context.Background(), nil, question, []string{body}); len(ranked) > 0 {
		return body[ranked[0].Span.Start:ranked[0].Span.End]
	}
	return body
}

// shrink removes lines until the rest fits: the oldest first, answers before
// questions.
func shrink(lines []string) string {
	size := -1
	kept := lines[:0:0]
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			kept = append(kept, l)
			size += len(l) + 1
		}
	}
	for _, dispensable := range []func(string) bool{
		func(l string) bool { return !strings.HasPrefix(l, conversation.QuestionPrefix) },
		func(string) bool { return true },
	} {
		for i := 0; i < len(kept)-2 && size > conversation.MaxSummary; {
			if !dispensable(kept[i]) {
				i++
				continue
			}
			size -= len(kept[i]) + 1
			kept = append(kept[:i], kept[i+1:]...)
		}
	}
	out, _ := text.Cut(strings.Join(kept, "\n"), conversation.MaxSummary)
	return out
}
