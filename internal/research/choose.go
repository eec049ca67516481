package research

import (
	"fmt"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// chosen is a source that is asked, and the reason.
type chosen struct {
	Source
	why string
}

// Reasons to ask a source.
const (
	whyNamed   = "named by the caller"
	whyGeneral = "general"
	whyOther   = "the question is of no particular kind"
	whyDeep    = "a deep question asks widely"
	whyAlone   = "nothing that is on fits better"
)

// choose returns the sources to ask: those that the caller named, or those that
// are for questions of this kind. Unless the caller named some, the others are
// listed with their purpose. At least one source is chosen if any is on. An
// unknown name is an *evidence.Problem.
func (e *Engine) choose(names []string, question string, keywords []string, deep bool) ([]chosen, []evidence.NotAsked, error) {
	if len(names) > 0 {
		asked, err := e.named(names)
		return asked, nil, err
	}
	least := firm
	if deep {
		least = hint
	}
	findings := kindsOf(question, keywords, e.deps.Now().Year(), least)
	var asked []chosen
	var rest []evidence.NotAsked
	for _, s := range e.deps.Sources {
		kinds, known := e.deps.Kinds[s.Name()]
		if !known {
			kinds = []string{kindGeneral}
		}
		if why := whyAsk(kinds, findings, deep); why != "" {
			asked = append(asked, chosen{s, why})
			continue
		}
		rest = append(rest, evidence.NotAsked{Name: s.Name(), Why: whyNot(kinds)})
	}
	if len(asked) > 0 {
		return asked, rest, nil
	}
	for _, s := range e.deps.Sources { // a source that hardly fits is better than none
		asked = append(asked, chosen{s, whyAlone})
	}
	return asked, nil, nil
}

// whyAsk returns the reason to ask a source that is for kinds, or "".
func whyAsk(kinds []string, findings []finding, deep bool) string {
	for _, f := range findings {
		if slices.Contains(kinds, f.kind) {
			return fmt.Sprintf("asks about %s: %s", f.kind, strings.Join(f.words[:min(len(f.words), 2)], ", "))
		}
	}
	switch {
	case slices.Contains(kinds, kindGeneral):
		return whyGeneral
	case !slices.Contains(kinds, kindOther):
		return ""
	case len(findings) == 0:
		return whyOther
	case deep:
		return whyDeep
	}
	return ""
}

// whyNot returns the purpose of a source that is not asked.
func whyNot(kinds []string) string {
	kinds = slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return k == kindOther })
	if len(kinds) == 0 {
		return "asked only by name"
	}
	return "for questions about " + strings.Join(kinds, ", ")
}

// named returns the sources of those names, each once.
func (e *Engine) named(names []string) ([]chosen, error) {
	var out []chosen
	for _, n := range names {
		i := slices.IndexFunc(e.deps.Sources, func(s Source) bool { return s.Name() == n })
		if i < 0 {
			return nil, e.unknownSource(n)
		}
		if !slices.ContainsFunc(out, func(s chosen) bool { return s.Name() == n }) {
			out = append(out, chosen{e.deps.Sources[i], whyNamed})
		}
	}
	return out, nil
}

// longestSource is in bytes: a longer name is not a misspelt one.
const longestSource = 64

// unknownSource returns how to turn on a source that is off, or else which names
// are valid.
func (e *Engine) unknownSource(name string) error {
	if how, off := e.deps.Off[name]; off {
		return evidence.BadInput(fmt.Sprintf("the source %q is off", name), how)
	}
	var valid []string
	for _, s := range e.deps.Sources {
		valid = append(valid, s.Name())
	}
	slices.Sort(valid)
	try := "choose from: " + strings.Join(valid, ", ")
	if len(name) <= longestSource {
		if near := text.Nearest(name, valid); near != "" {
			try = fmt.Sprintf("did you mean %q? %s", near, try)
		}
	}
	short, cut := text.Cut(name, longestSource)
	if cut {
		short += "…"
	}
	return evidence.BadInput(fmt.Sprintf("there is no source %q that is on", short), try)
}

// names lists the names of sources.
func names(sources []chosen) []string {
	out := make([]string, len(sources))
	for i, s := range sources {
		out[i] = s.Name()
	}
	return out
}
