// Package prompt holds the prompts of every provider of chat models, and parses
// what the models write. It sends nothing.
package prompt

import (
	"fmt"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Message is one message of a chat; Role is "system", "user" or "assistant".
type Message struct{ Role, Content string }

// messages returns the two messages of a prompt.
func messages(rules, body string) []Message {
	return []Message{{Role: "system", Content: rules}, {Role: "user", Content: body}}
}

const (
	turnsInPrompt = 4
	turnBytes     = 600 // of a turn in a prompt
)

// transcript returns the conversation so far, or "" if there is none.
func transcript(summary string, turns []evidence.Turn) string {
	var b strings.Builder
	if summary = strings.TrimSpace(summary); summary != "" {
		fmt.Fprintf(&b, "What was said before:\n%s\n\n", summary)
	}
	turns = turns[max(0, len(turns)-turnsInPrompt):]
	for _, t := range turns {
		b.WriteString(turnLine(t))
	}
	if len(turns) > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

func turnLine(t evidence.Turn) string {
	return conversation.Line(t.Role+": ", conversation.WithoutMarks(t.Text), turnBytes) + "\n"
}

// foreign returns a text of unknown authors as it may stand between fences.
func foreign(s, fence string) string {
	s, _ = text.Clean(s)
	return strings.TrimSpace(strings.ReplaceAll(s, fence, ""))
}
