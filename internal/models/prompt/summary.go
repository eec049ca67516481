package prompt

import (
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
	"github.com/research-mcp/research-mcp/internal/text"
)

const summaryRules = `You keep the notes of a conversation. Rewrite the notes so that they hold what was asked, what was
found, and every name, number and date that matters, in less than 120 words of plain prose. Add nothing.`

// Summary returns the prompt for a summary with turns folded into it.
func Summary(summary string, turns []evidence.Turn) []Message {
	_, notes := conversation.Questions(summary)
	var b strings.Builder
	fmt.Fprintf(&b, "Notes so far:\n%s\n\nSaid since then:\n", strings.TrimSpace(notes))
	for _, t := range turns {
		b.WriteString(turnLine(t))
	}
	b.WriteString("\nThe new notes:")
	return messages(summaryRules, b.String())
}

// ParseSummary returns the new summary, or "" if the answer holds no prose: the
// last questions word for word, because follow-up questions refer to them, and
// the model's prose. cut says that the answer ended early.
func ParseSummary(answer string, cut bool, summary string, turns []evidence.Turn) string {
	prose, _ := text.Clean(answer)
	if cut {
		prose = WholeSentences(prose)
	}
	if prose = text.Squash(prose); prose == "" {
		return ""
	}
	questions, _ := conversation.Questions(summary)
	for _, t := range turns {
		if t.Role == evidence.RoleUser {
			questions = append(questions, t.Text)
		}
	}
	const questionsKept = 4
	var lines []string
	for _, q := range questions[max(0, len(questions)-questionsKept):] {
		lines = append(lines, conversation.QuestionLine(q))
	}
	room := conversation.MaxSummary - len(strings.Join(lines, "\n")) - 1
	return strings.Join(append(lines, conversation.Line("", prose, max(room-len("…"), 0))), "\n")
}
