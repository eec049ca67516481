package ollama

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/builtin"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
	"github.com/research-mcp/research-mcp/internal/text"
)

const (
	// planLimit is how long a question waits for a model's keywords: the sources
	// wait for them.
	planLimit     = 3 * time.Second
	planTokens    = 96
	summaryTokens = 300
	// longestQuery is in words: more of them are a sentence, not a query.
	longestQuery = 5
)

const planRules = `You turn a question into search queries for an encyclopedia. Give %d queries or fewer, the main
subject first. Each has one to three words. Put what a pronoun stands for in its place.`

const summaryRules = `You keep the notes of a conversation. Rewrite the notes so that they hold what was asked, what was
found, and every name, number and date that matters, in less than 120 words of plain prose. Add nothing.`

// Keywords has the model plan, for three seconds at most: whatever goes wrong,
// the built-in keywords take their place, without an error. A model that was too
// slow is not asked again for a while.
func (w *Writer) Keywords(ctx context.Context, question string, s evidence.Session, most int) ([]string, error) {
	most = max(most, 1)
	if !w.client.Slow(w.model) {
		bounded, cancel := context.WithTimeout(ctx, planLimit)
		defer cancel()
		queries, err := w.plan(bounded, question, s, most)
		if err == nil && len(queries) > 0 {
			return queries, nil
		}
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			w.client.NoteSlow(w.model)
		}
	}
	return builtin.NewPlanner().Keywords(ctx, question, s, most)
}

func (w *Writer) plan(ctx context.Context, question string, s evidence.Session, most int) ([]string, error) {
	schema, err := json.Marshal(map[string]any{
		"type": "object", "required": []string{"queries"},
		"properties": map[string]any{"queries": map[string]any{
			"type": "array", "minItems": 1, "maxItems": most, "items": map[string]any{"type": "string"},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("describing keywords: %w", err)
	}
	res, err := w.say(ctx, fmt.Sprintf(planRules, most), transcript(s.Summary, s.Turns)+"Question: "+question, planTokens, schema)
	if err != nil {
		return nil, err
	}
	var out struct {
		Queries []string `json:"queries"`
	}
	if err := json.Unmarshal([]byte(res.Text), &out); err != nil {
		return nil, fmt.Errorf("reading keywords: %w", err)
	}
	var queries []string
	for _, q := range out.Queries {
		q, _ = text.Clean(q)
		if looksLikeQuery(q) {
			queries = append(queries, q)
		}
	}
	queries = conversation.DistinctQueries(queries)
	return queries[:min(len(queries), most)], nil
}

func looksLikeQuery(q string) bool {
	words := strings.Fields(q)
	return len(words) > 0 && len(words) <= longestQuery && len(q) <= conversation.MaxQuery &&
		strings.ContainsFunc(q, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}

// Summarize has the model fold the turns into the summary. The questions stay
// beside its prose, word for word: what a follow-up leans on is found in them.
func (w *Writer) Summarize(ctx context.Context, summary string, turns []evidence.Turn) (string, error) {
	asked, notes := conversation.Questions(summary)
	var b strings.Builder
	fmt.Fprintf(&b, "Notes so far:\n%s\n\nSaid since then:\n", strings.TrimSpace(notes))
	for _, t := range turns {
		if t.Role == evidence.RoleUser {
			asked = append(asked, t.Text)
		}
		b.WriteString(conversation.Line(t.Role+": ", conversation.WithoutMarks(t.Text), turnBytes) + "\n")
	}
	b.WriteString("\nThe new notes:")
	res, err := w.say(ctx, summaryRules, b.String(), summaryTokens, nil)
	if err != nil {
		return "", err
	}
	prose, _ := text.Clean(res.Text)
	if res.Cut {
		prose = wholeSentences(prose)
	}
	if prose = text.Squash(prose); prose == "" {
		return "", &evidence.Problem{What: w.Name() + " wrote no summary"}
	}
	const questionsKept = 4
	var lines []string
	for _, q := range asked[max(0, len(asked)-questionsKept):] {
		lines = append(lines, conversation.QuestionLine(q))
	}
	room := conversation.MaxSummary - len(strings.Join(lines, "\n")) - 1
	return strings.Join(append(lines, conversation.Line("", prose, max(room-len("…"), 0))), "\n"), nil
}

// say is one small job for the model.
func (w *Writer) say(ctx context.Context, rules, body string, most int, format json.RawMessage) (ChatResult, error) {
	return w.client.Chat(ctx, ChatRequest{
		Model:        w.model,
		Messages:     []Message{{Role: "system", Content: rules}, {Role: "user", Content: body}},
		PromptTokens: EstimatePrompt(rules + body),
		MaxTokens:    most,
		Format:       format,
	}, nil)
}
