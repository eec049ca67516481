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

// wordsOfQuery is how many words a query has at most: search engines that want
// every word find nothing for more. A name or a quoted phrase is not cut.
const wordsOfQuery = 3

// Keywords are 1 to most search queries, best first: what the question is about
// together with its second subject or its verb, then each subject alone. A
// question that leans on the conversation borrows its subjects from there.
func (*Planner) Keywords(ctx context.Context, question string, s evidence.Session, most int) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	question, _ = text.Clean(question)
	list := phrases(question)
	things := subjects(list)
	var queries []string
	if leans(question) {
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
	return queries[:min(len(queries), max(most, 1))], nil
}

// borrowed are the queries of a question that leans on the conversation: its own
// subject beside the latest one there, then those alone.
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

// generic reports whether a phrase is a lone "models" or the like.
func generic(p phrase) bool {
	terms := text.Terms(p.text)
	return len(terms) == 1 && genericHeads[terms[0]]
}

// mainQuery joins the two surest subjects, or the only one and what is said of it.
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
			// Two names and what they are compared in: that beside the first name
			// finds more than the names alone.
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

// emptyAspects say nothing that a page about the subject would not say anyway.
var emptyAspects = strings.Fields(`mean means meaning work works explain overview example examples way kind kinds type types
thing basic basics main important best better good idea describe summarise summarize summary tell define discuss about
happen happens use used do does difference differences different differ differs compare term question fact facts
information detail details stand stands name called concept people time first new today it number`)

// short is a phrase without a head such as "model" that adds nothing to a query.
func short(p phrase) string {
	if n := len(p.words); n == 2 && p.weight < weightQuoted {
		head, owner := text.Terms(p.words[1]), text.Terms(p.words[0])
		if len(head) == 1 && genericHeads[head[0]] && len(owner) == 1 && !genericOwners[owner[0]] {
			return p.words[0]
		}
	}
	return p.text
}

// join puts b behind a if the query does not become too long: else what fits.
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
