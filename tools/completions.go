package tools

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/library"
	"github.com/research-mcp/research-mcp/internal/text"
)

// MostCompletions is how many values a completion has at most, as the protocol demands.
const MostCompletions = 100

// lookedAt is how many entries of the memory, the newest first, a completion looks at: it
// is asked for with every key that a person types.
const lookedAt = 2000

// longestCompletion is that of a title or a question, in bytes; longer ones are left out,
// because a cut one would be another question.
const longestCompletion = 200

// Completer proposes values for what a person has typed so far, the best first. The total
// counts those beyond MostCompletions, too. It is safe for concurrent use.
type Completer func(ctx context.Context, typed string) (values []string, total int, err error)

// proposals collects distinct values: those that begin with what was typed, then those that
// have all of its words.
type proposals struct {
	typed        string
	words        []string
	first, other []string
	have         map[string]bool
}

func newProposals(typed string) *proposals {
	typed = text.Fold(text.Squash(typed))
	return &proposals{typed: typed, words: strings.Fields(typed), have: map[string]bool{}}
}

// add proposes value if what was typed is found in name.
func (p *proposals) add(value, name string) {
	if value == "" || p.have[value] {
		return
	}
	name = text.Fold(text.Squash(name))
	switch {
	case strings.HasPrefix(name, p.typed):
		p.first = append(p.first, value)
	case p.inName(name):
		p.other = append(p.other, value)
	default:
		return
	}
	p.have[value] = true
}

func (p *proposals) inName(name string) bool {
	for _, w := range p.words {
		if !strings.Contains(name, w) {
			return false
		}
	}
	return true
}

func (p *proposals) values() ([]string, int, error) {
	all := slices.Concat(p.first, p.other)
	return all[:min(len(all), MostCompletions)], len(all), nil
}

// oneOfThese completes fixed values.
func oneOfThese(values ...string) Completer {
	return func(_ context.Context, typed string) ([]string, int, error) {
		p := newProposals(typed)
		for _, v := range values {
			p.add(v, v)
		}
		return p.values()
	}
}

// completeSources completes the last of several names with commas between.
func (d Deps) completeSources(_ context.Context, typed string) ([]string, int, error) {
	before, last := "", typed
	if i := strings.LastIndex(typed, ","); i >= 0 {
		before, last = typed[:i+1], typed[i+1:]
	}
	named := strings.Split(strings.ReplaceAll(before, " ", ""), ",")
	p := newProposals(last)
	for _, name := range d.Sources {
		if !containsFold(named, name) {
			p.add(before+name, name)
		}
	}
	return p.values()
}

func containsFold(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// completeSince completes a span of time or a year.
func (d Deps) completeSince(ctx context.Context, typed string) ([]string, int, error) {
	values := []string{"7d", "30d", "365d"}
	for back := range 10 {
		values = append(values, strconv.Itoa(d.Now().In(d.Zone).Year()-back))
	}
	return oneOfThese(values...)(ctx, typed)
}

// completeQuestion completes a question that was asked before.
func (d Deps) completeQuestion(ctx context.Context, typed string) ([]string, int, error) {
	p := newProposals(typed)
	return p.fromRuns(ctx, d.Reader, func(r library.RunInfo) string { return proposed(r.Question) })
}

// completeRun completes the id of a run by its question, or by the id's beginning.
func (d Deps) completeRun(ctx context.Context, typed string) ([]string, int, error) {
	p := newProposals(typed)
	return p.fromRuns(ctx, d.Reader, func(r library.RunInfo) string { return r.ID })
}

func (p *proposals) fromRuns(ctx context.Context, from Reader, value func(library.RunInfo) string) ([]string, int, error) {
	if from == nil {
		return p.values()
	}
	runs, err := from.Runs(ctx, lookedAt)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range runs {
		p.add(value(r), r.Question)
		p.add(value(r), r.ID)
	}
	return p.values()
}

// completeTitle completes the title of a document of the memory.
func (d Deps) completeTitle(ctx context.Context, typed string) ([]string, int, error) {
	return d.completeFrom(ctx, typed, func(_, title string) string { return proposed(title) })
}

// completeDocument completes the id of a document by its title, or by the id's beginning.
func (d Deps) completeDocument(ctx context.Context, typed string) ([]string, int, error) {
	return d.completeFrom(ctx, typed, func(id, _ string) string { return id })
}

func (d Deps) completeFrom(ctx context.Context, typed string, value func(id, title string) string) ([]string, int, error) {
	p := newProposals(typed)
	if d.Reader == nil {
		return p.values()
	}
	docs, err := d.Reader.Documents(ctx, library.DocumentFilter{Limit: lookedAt})
	if err != nil {
		return nil, 0, err
	}
	for _, doc := range docs {
		p.add(value(doc.ID, doc.Title), doc.Title)
		p.add(value(doc.ID, doc.Title), doc.ID)
	}
	return p.values()
}

// proposed is a text of the memory as a value, on one line; "" if it is too long for one.
// A title may have been written by a stranger: a person sees it before it is used.
func proposed(s string) string {
	s, _ = text.Clean(s)
	if s = text.Squash(s); len(s) > longestCompletion || !utf8.ValidString(s) {
		return ""
	}
	return defuse(s, "")
}
