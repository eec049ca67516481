package research

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/proof"
)

// mostConflicts bounds the contradictions that an answer shows.
const mostConflicts = 3

// conflict is an amount or date of the answer with the one that another source gives.
type conflict struct {
	proof.Conflict
	in int // index of the evidence that the answer quotes
}

// conflicts returns what other documents say differently about the proofs of claims that
// the answer shows.
func (v *verifier) conflicts(ctx context.Context, claims []checked) []conflict {
	var out []conflict
	for _, c := range claims {
		if c.verdict == evidence.Unsupported || c.code {
			continue
		}
		for _, p := range c.proofs {
			for _, found := range v.checker.Conflicts(ctx, p.Evidence, p.Span) {
				known := slices.ContainsFunc(out, func(o conflict) bool {
					return o.Says == found.Says && o.Gives == found.Gives || o.Says == found.Gives && o.Gives == found.Says
				})
				if !known && len(out) < mostConflicts {
					out = append(out, conflict{found, p.Evidence})
				}
			}
		}
	}
	return out
}

// showConflicts adds to the answer where its sources contradict each other: both
// amounts, and when each source was written.
func (r *run) showConflicts(v *verifier, found []conflict) {
	for _, c := range found {
		one, other := v.evidence[c.in], v.evidence[c.Other.Evidence]
		first, second := r.citeWithin(one, c.Span), r.citeWithin(other, c.Other.Span)
		quote := other.Document.Text[c.Other.Span.Start:c.Other.Span.End]
		why := fmt.Sprintf("the sources differ: %s in [%d], %s in [%d]", c.Says, first, c.Gives, second)
		if !slices.ContainsFunc(r.answer.Claims, func(o evidence.Claim) bool { return slices.Contains(o.Citations, second) }) {
			r.answer.Claims = append(r.answer.Claims, evidence.Claim{Text: quote, Citations: []int{second}, Verdict: evidence.Supported, Why: why})
		}
		r.answer.Answer += fmt.Sprintf("\n\nThe sources differ: %s (%s) [%d], but %s (%s) [%d].", oneLine(c.Says), dateOf(one.Document), first, oneLine(c.Gives), dateOf(other.Document), second)
		r.warn(why)
	}
}

// citeWithin returns the number of a citation that holds the span, and adds one of the
// span itself if there is none.
func (r *run) citeWithin(e evidence.Evidence, span evidence.Span) int {
	for _, c := range r.answer.Citations {
		if c.DocumentID == e.Document.ID && c.Start <= span.Start && span.End <= c.End {
			return c.N
		}
	}
	return r.cite(e, span)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// dateOf says when a document was published or, where that is not known, read.
func dateOf(d evidence.Document) string {
	switch {
	case !d.Published.IsZero():
		return d.Published.Format(time.DateOnly)
	case !d.Retrieved.IsZero():
		return "read " + d.Retrieved.Format(time.DateOnly)
	}
	return "of unknown date"
}
