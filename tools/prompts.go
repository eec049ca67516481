package tools

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/research"
	"github.com/research-mcp/research-mcp/internal/text"
)

//go:embed prompts/*.md
var promptFiles embed.FS

// Prompt is a task that a person picks in a client: a text for the model which says in
// what order to call the tools.
type Prompt struct {
	Name      string
	Title     string
	About     string
	Arguments []Argument

	text *template.Template // prompts/NAME.md, over the arguments by name
}

// Argument is one of a prompt's arguments. All are text.
type Argument struct {
	Name     string
	About    string
	Required bool
	Complete Completer // nil: nothing is proposed
}

// Prompts returns the prompts, sorted by name.
func Prompts(d Deps) []Prompt {
	d = d.withDefaults()
	sources := Argument{Name: "sources", About: "Names of sources, with commas between; default: those that fit", Complete: d.completeSources}
	since := Argument{Name: "since", About: "A date such as 2026-01-31, 2026 or 30d (ago)", Complete: d.completeSince}
	return []Prompt{
		newPrompt("compare", "Compare two things", "A table of two things side by side, with a source in each cell",
			Argument{Name: "first", About: "The first of the two", Required: true, Complete: d.completeTitle},
			Argument{Name: "second", About: "The second of the two", Required: true, Complete: d.completeTitle},
			Argument{Name: "aspects", About: "What matters, such as price and licence"}),
		newPrompt("fact-check", "Check a claim", "Each statement of a claim, with the quote that supports or contradicts it",
			Argument{Name: "claim", About: "The claim in full", Required: true, Complete: d.completeQuestion}, sources),
		newPrompt("literature-review", "Review the literature", "What studies agree on and dispute, with a table of the works",
			Argument{Name: "topic", About: "What the studies are about", Required: true, Complete: d.completeQuestion}, since, sources),
		newPrompt("research-report", "Write a report", "A report that answers a question, with a source for each statement",
			Argument{Name: "question", About: "The question in full", Required: true, Complete: d.completeQuestion},
			Argument{Name: "depth", About: "How much is read: quick, standard or deep (default)", Complete: oneOfThese(research.DepthQuick, research.DepthStandard, research.DepthDeep)},
			sources),
		newPrompt("what-do-i-know", "What the memory has", "What was read about a topic, from the memory alone",
			Argument{Name: "topic", About: "What it is about", Required: true, Complete: d.completeTitle}, since),
	}
}

// newPrompt panics when prompts/NAME.md is missing or no template: it is part of the binary.
func newPrompt(name, title, about string, arguments ...Argument) Prompt {
	raw, err := promptFiles.ReadFile("prompts/" + name + ".md")
	if err != nil {
		panic("tools: " + err.Error())
	}
	return Prompt{Name: name, Title: title, About: about, Arguments: arguments,
		text: template.Must(template.New(name).Option("missingkey=zero").Parse(string(raw)))}
}

// Render returns the prompt's text with the arguments by name. Arguments that are missing,
// unknown or too long are an *evidence.Problem.
func (p Prompt) Render(arguments map[string]string) (string, error) {
	names := make([]string, len(p.Arguments))
	for i, a := range p.Arguments {
		names[i] = a.Name
	}
	values := map[string]string{}
	for name, value := range arguments {
		if !slices.Contains(names, name) {
			return "", evidence.BadInput(fmt.Sprintf("prompt %s has no argument %q", p.Name, line(name, 60)), "its arguments are "+strings.Join(names, ", "))
		}
		value, _ = text.Clean(strings.TrimSpace(value))
		if len(value) > research.MaxQuestion {
			return "", evidence.BadInput(fmt.Sprintf("argument %q of prompt %s has %d bytes", name, p.Name, len(value)), fmt.Sprintf("give at most %d", research.MaxQuestion))
		}
		values[name] = defuse(value, "") // it may be a title that a completion proposed
	}
	for _, a := range p.Arguments {
		if a.Required && values[a.Name] == "" {
			return "", evidence.BadInput(fmt.Sprintf("prompt %s needs the argument %q", p.Name, a.Name), "give it: "+strings.ToLower(a.About[:1])+a.About[1:])
		}
	}
	var out strings.Builder
	if err := p.text.Execute(&out, values); err != nil {
		return "", fmt.Errorf("rendering prompt %s: %w", p.Name, err)
	}
	return strings.TrimSpace(out.String()), nil
}

// Argument returns the argument of that name.
func (p Prompt) Argument(name string) (Argument, bool) {
	i := slices.IndexFunc(p.Arguments, func(a Argument) bool { return a.Name == name })
	if i < 0 {
		return Argument{}, false
	}
	return p.Arguments[i], true
}
