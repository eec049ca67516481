package builtin

import (
	"context"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models/conversation"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Planner extracts keywords from a question without a model.
type Planner struct{}

// NewPlanner returns the built-in planner.
func NewPlanner() *Planner { return &Planner{} }

// Name is "built-in".
func (*Planner) Name() string { return "built-in" }

// wordsOfQuery is the most words of a query: search engines that require every
// word find nothing for more. A name or a quoted phrase is not cut.
const wordsOfQuery = 3

// Keywords returns the main subject of the question together with its second
// subject or its verb, then each subject alone. A question that depends on the
// conversation gets its subjects from there. See models.Planner.
func (*Planner) Keywords(ctx context.Context, question string, s evidence.Session, max int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	question, _ = text.Clean(question)
	list := phrases(question)
	things := subjects(list)
	var queries []string
	if isFollowUp(question) {
		queries = borrowed(topics(question, s.Summary, s.Turns), things)
	}
	if len(queries) == 0 {
		queries = append(queries, mainQuery(list, things))
	}
	for _, p := range things {
		if !generic(p) || len(queries) == 0 {
			queries = append(queries, p.text)
		}
	}
	queries = conversation.DistinctQueries(queries)
	if len(queries) == 0 {
		cut, _ := text.Cut(text.Squash(question), conversation.MaxQuery)
		queries = []string{cut}
	}
	if max < 1 {
		max = 1
	}
	return queries[:min(len(queries), max)], nil
}

// borrowed returns the queries of a question that depends on the conversation: the
// latest topic there with the question's own subject, then each topic alone.
func borrowed(topics []string, own []phrase) []string {
	var queries []string
	for i, t := range topics {
		if i == 0 && len(own) > 0 && !generic(own[0]) {
			queries = append(queries, join(t, own[0].text))
		}
		queries = append(queries, t)
	}
	return queries
}

// generic reports whether a phrase is only "models" or a word like it.
func generic(p phrase) bool {
	terms := text.Terms(p.text)
	return len(terms) == 1 && genericHeads()[terms[0]]
}

// mainQuery joins the two subjects with the highest weights, or the only one and
// its verb or aspect.
func mainQuery(list, things []phrase) string {
	if len(things) == 0 {
		words := []string{}
		for _, p := range list {
			words = append(words, p.words...)
		}
		return strings.Join(words[:min(len(words), wordsOfQuery)], " ")
	}
	main := things[0]
	if len(things) > 1 {
		second := things[1]
		if name := main.weight >= weightName; name && second.weight >= weightName {
			// A comparison of two names: the subject of the comparison and the first name
			// find more than the two names.
			if i := slices.IndexFunc(things, func(p phrase) bool { return p.weight < weightName && !generic(p) }); i > 0 {
				return join(things[i].text, main.text)
			}
		}
		return join(short(main), short(second))
	}
	if len(main.words) >= wordsOfQuery || main.weight >= weightQuoted {
		return main.text
	}
	for _, p := range list {
		if (p.vague || p.verb && len(main.words) == 1) && !slices.Contains(emptyAspects, strings.ToLower(p.text)) {
			return join(main.text, p.text)
		}
	}
	return main.text
}

// emptyAspects are words that add nothing to a query for a subject.
var emptyAspects = strings.Fields(`mean means meaning work works explain overview example examples way kind kinds type types
thing basic basics main important best better good idea describe summarise summarize summary tell define discuss about
happen happens use used do does difference differences different differ differs compare term question fact facts
information detail details stand stands name called concept people time first new today it number`)

// short returns the phrase without a head such as "model" that adds nothing to a
// query.
func short(p phrase) string {
	if n := len(p.words); n == 2 && p.weight < weightQuoted {
		head, owner := text.Terms(p.words[1]), text.Terms(p.words[0])
		if len(head) == 1 && genericHeads()[head[0]] && len(owner) == 1 && !genericOwners()[owner[0]] {
			return p.words[0]
		}
	}
	return p.text
}

// join appends as many words of b to a as a query may have.
func join(a, b string) string {
	words := strings.Fields(a)
	for _, w := range strings.Fields(b) {
		if len(words) >= wordsOfQuery {
			break
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}
