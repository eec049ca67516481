package builtin

import (
	"context"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/text"
)

// Divider divides questions without a model.
type Divider struct{ resolver *Resolver }

// NewDivider returns the built-in divider.
func NewDivider() *Divider { return &Divider{NewResolver(nil)} }

var (
	// nextPart matches where the next question of a sentence begins: its own marks are
	// taken away, its group is kept.
	nextPart = text.Pattern(`(?i)\?\s+(?:and\s+|or\s+)?|[,;]?\s+(?:and|and also|but|as well as)\s+((?:(?:by|for|with|to|from|in|on|at|since) )?(?:how|what|which|when|where|why|who|whom|whose)\b)|;\s+`)

	// severalThings matches a request for several things. Its group is the list.
	severalThings = text.Pattern(`(?i)^(?:what (?:is|are|were)|who (?:is|are|were)|explain|describe|define|tell me about|compare)\s+((?:[^,;:?]{2,40},\s+)+(?:and |or )?[^,;:?]{2,40})$`)
)

// Parts divides a question at "and how", at question marks, and into the things that it
// compares or lists. See models.Divider.
func (d *Divider) Parts(ctx context.Context, question string, most int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(question) > 2*longestFollowUp {
		return nil, nil
	}
	whole := oneLine(question)
	parts := d.sentences(ctx, whole)
	switch {
	case len(parts) > 1:
	case severalThings().MatchString(whole):
		parts = nil
		for _, name := range splitList(severalThings().FindStringSubmatch(whole)[1]) {
			parts = append(parts, "What is "+name+"?")
		}
	case asksCompare().MatchString(whole) && len(named(whole)) == 2:
		parts = []string{whole + "?"}
		for _, name := range named(whole) {
			parts = append(parts, "What is "+name+"?")
		}
	}
	if len(parts) < 2 || most < 2 {
		return nil, nil
	}
	return parts[:min(len(parts), most)], nil
}

// sentences divides a question where another one begins. What a part leaves out it takes
// from the first.
func (d *Divider) sentences(ctx context.Context, whole string) []string {
	var parts []string
	add := func(s string) {
		if s = strings.Trim(s, " ,;?"); s == "" {
			return
		}
		if len(parts) > 0 {
			s = d.resolver.complete(ctx, s, exchange{question: parts[0]}).Question
		}
		if len(subjects(phrases(s))) > 0 {
			parts = append(parts, strings.TrimRight(s, "?")+"?")
		}
	}
	from := 0
	for _, m := range nextPart().FindAllStringSubmatchIndex(whole, -1) {
		add(whole[from:m[0]])
		if from = m[1]; m[2] >= 0 {
			from = m[2]
		}
	}
	add(whole[from:])
	return parts
}

// splitList returns the things of an enumeration.
func splitList(list string) []string {
	var out []string
	for _, part := range strings.Split(list, ",") {
		for _, one := range conjunction().Split(part, -1) {
			if one = strings.TrimSpace(article().ReplaceAllString(strings.TrimSpace(one), "")); one != "" && !slices.Contains(out, one) {
				out = append(out, one)
			}
		}
	}
	return out
}
