package proof

import (
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// reported matches words with which an author says what others hold, or what only
// seems to be so.
var reported = text.Pattern(`(?i)\b(?:(?:is|are|was|were|been) (?:often |sometimes |commonly |widely |popularly |generally |usually |still |once |long )?(?:said|thought|believed|claimed|held|assumed|supposed|rumou?red|alleged|considered|described|told)` +
	`|(?:many|some|people|critics|most people|legend|tradition|rumou?rs?|advocates|opponents|advertisements) (?:people |users |authors |will |often |still |also )?(?:say|says|think|believe|claim|assume|hold|has it|would say|suggests?)` +
	`|myth|misconception|at first (?:glance|sight)|it (?:is tempting|would seem|seems|might seem|may seem|appears)|(?:one|you) (?:might|may|could) (?:think|assume|expect|believe)|in theory|supposedly|allegedly|on paper)\b`)

// turn matches words behind which the author says what is the case.
var turn = text.Pattern(`(?i)(?:\bbut\b|\bhowever\b|\bin (?:fact|reality|truth|practice)\b|\bactually\b|\byet\b|\bnevertheless\b|\balthough\b|\bthough\b|\bthis is (?:wrong|false|not true|a myth|incorrect|untrue)\b|\bnot so\b|\bthat is (?:wrong|false|not true|a myth|incorrect|untrue)\b)`)

// turnWithin is how far into the next sentence its turn may stand, in bytes.
const turnWithin = 40

// halves finds a claim of which the source says that others hold it, and goes on to
// say something else.
func halves(a *alignment, ctx context) []finding {
	report := reported().FindStringIndex(a.source.text)
	if report == nil {
		return nil
	}
	at := len(a.source.text)
	if t := turn().FindStringIndex(a.source.text[report[1]:]); t != nil {
		at = report[1] + t[0]
	} else if !turnsAhead(ctx.after) {
		return nil
	}
	first, second := 0, 0
	for i, j := range a.at {
		if j < 0 || a.sim[i] < sameWord {
			continue
		}
		if a.source.words[j].start < at {
			first++
		} else {
			second++
		}
	}
	content := a.claim.content(clause{from: 0, to: len(a.claim.words)})
	if first*2 > len(content) && second*3 <= first && !slices.ContainsFunc(a.claim.clauses, func(c clause) bool { return len(c.denials) > 0 }) {
		return []finding{{grave: true, why: "the source reports this and then says otherwise"}}
	}
	return nil
}

// turnsAhead reports whether a sentence takes back the one before it.
func turnsAhead(next string) bool {
	t := turn().FindStringIndex(next)
	return t != nil && t[0] < turnWithin
}

// longestTurn is how much may be added to a quote, in bytes.
const longestTurn = 400

// Whole returns the span with what belongs to it: a quote of what others say is not
// shown without the author's "but …" behind it. It reports false when that is too
// long.
func Whole(doc string, sp evidence.Span) (evidence.Span, bool) {
	quote := doc[sp.Start:sp.End]
	report := reported().FindStringIndex(quote)
	if report == nil || turn().MatchString(quote[report[1]:]) {
		return sp, true
	}
	rest := doc[sp.End:]
	if paragraph := strings.Index(rest, "\n\n"); paragraph >= 0 {
		rest = rest[:paragraph]
	}
	sentences := text.Sentences(rest[:min(len(rest), 4*longestTurn)])
	if len(sentences) == 0 || !turnsAhead(rest[sentences[0].Start:sentences[0].End]) {
		return sp, true
	}
	if sentences[0].End > longestTurn {
		return sp, false
	}
	return evidence.Span{Start: sp.Start, End: sp.End + sentences[0].End}, true
}
