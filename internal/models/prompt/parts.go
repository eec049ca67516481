package prompt

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/text"
)

const partsRules = `You divide a question into smaller ones that can be looked up one by one and together answer it. Give %d or
fewer. Each is a whole question, names its subject, and adds nothing that was not asked. If the question asks for one thing,
give none.`

const partsSchema = `{"properties":{"questions":{"items":{"type":"string"},"maxItems":%d,"type":"array"}},"required":["questions"],"type":"object"}`

// Parts returns the prompt for the questions that a question is made of, at most most,
// and the JSON schema of the answer.
func Parts(question string, most int) ([]Message, json.RawMessage) {
	return messages(fmt.Sprintf(partsRules, most), "Question: "+question), json.RawMessage(fmt.Sprintf(partsSchema, most))
}

const (
	leastPartWords = 3
	mostPartBytes  = 200
)

// ParseParts returns the usable questions of an answer, at most most: two or more, or
// nil. A question about something else than the whole one is not usable; a model that
// invents one divides nothing.
func ParseParts(answer, question string, most int) ([]string, error) {
	var out struct {
		Questions []string `json:"questions"`
	}
	if err := json.Unmarshal([]byte(answer), &out); err != nil {
		return nil, fmt.Errorf("reading the parts of a question: %w", err)
	}
	asked := text.QueryTerms(question)
	seen := map[string]bool{strings.Join(asked, " "): true}
	var parts []string
	for _, q := range out.Questions {
		q, _ = text.Clean(q)
		q = strings.TrimPrefix(strings.Join(strings.Fields(q), " "), "Question: ") // small models repeat the prompt
		terms := text.QueryTerms(q)
		about := slices.ContainsFunc(terms, func(t string) bool { return slices.Contains(asked, t) })
		key := strings.Join(terms, " ")
		if !about || seen[key] || len(strings.Fields(q)) < leastPartWords || len(q) > mostPartBytes || !utf8.ValidString(q) {
			continue
		}
		seen[key] = true
		parts = append(parts, strings.TrimRight(q, "?.! ")+"?")
	}
	if len(parts) < 2 || most < 2 {
		return nil, nil
	}
	return parts[:min(len(parts), most)], nil
}
