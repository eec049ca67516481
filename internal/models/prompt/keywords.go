package prompt

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
	"github.com/research-mcp/research-mcp/internal/text"
)

const keywordRules = `You turn a question into search queries for an encyclopedia. Give %d queries or fewer, the main
subject first. Each has one to three words. Put what a pronoun stands for in its place.`

const keywordSchema = `{"properties":{"queries":{"items":{"type":"string"},"maxItems":%d,"minItems":1,"type":"array"}},"required":["queries"],"type":"object"}`

// Keywords returns the prompt for at most max search queries, and the JSON schema
// of the answer.
func Keywords(question string, s evidence.Session, max int) ([]Message, json.RawMessage) {
	body := transcript(s.Summary, s.Turns) + "Question: " + question
	return messages(fmt.Sprintf(keywordRules, max), body), json.RawMessage(fmt.Sprintf(keywordSchema, max))
}

// ParseKeywords returns the usable queries of an answer, at most max. There may be
// none.
func ParseKeywords(answer string, max int) ([]string, error) {
	var out struct {
		Queries []string `json:"queries"`
	}
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
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
	return queries[:min(len(queries), max)], nil
}

// maxQueryWords tells a query from a sentence.
const maxQueryWords = 5

func looksLikeQuery(q string) bool {
	words := strings.Fields(q)
	return len(words) > 0 && len(words) <= maxQueryWords && len(q) <= conversation.MaxQuery &&
		strings.ContainsFunc(q, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
}
