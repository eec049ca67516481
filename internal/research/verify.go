package research

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// verify checks every sentence of the draft against the spans that it cites, and
// makes the answer of those that are supported. A model's draft without any is
// replaced by quotes.
func (r *run) verify(ctx context.Context, ranked []evidence.Evidence, draft evidence.Draft) {
	begun := r.e.deps.Now()
	defer func() { r.answer.Timing.VerifyMS = r.since(begun) }()
	r.emit(Event{Kind: EventStage, Stage: "verify"})

	v := newVerifier(ranked)
	claims := v.check(draft)
	builtIn := r.e.deps.Models.BuiltIn().Synthesizer.Name()
	if !anySupported(claims) && len(ranked) > 0 && r.answer.Synthesizer != builtIn {
		why := "none of its sentences is supported by what was read"
		if draft.Abstain {
			why = "it found no answer in what was read"
			r.unsure = true
		}
		brief := evidence.Brief{Question: r.req.Question, Evidence: ranked, Summary: r.session.Summary, Turns: r.session.Turns,
			Language: r.req.Language, MaxTokens: answerTokens, Now: begun}
		draft = r.fallBack(ctx, brief, why)
		claims = v.check(draft)
	}
	if draft.Partial {
		r.cut = true
		r.warn("the answer was cut short: " + draft.Why)
	} else if draft.Why != "" && !draft.Abstain {
		r.warn(draft.Why)
	}
	r.write(v, claims)
}

func anySupported(claims []checked) bool {
	return slices.ContainsFunc(claims, func(c checked) bool { return c.verdict != evidence.Unsupported })
}

// write turns checked sentences into claims, numbered citations and prose.
// Unsupported sentences stay among the claims, with the reason, and out of the
// prose.
func (r *run) write(v *verifier, claims []checked) {
	var prose []string
	dropped := 0
	for _, c := range claims {
		claim := evidence.Claim{Text: c.text, Citations: []int{}, Verdict: c.verdict, Why: c.why}
		if c.verdict == evidence.Unsupported {
			dropped++
			r.answer.Claims = append(r.answer.Claims, claim)
			continue
		}
		for _, p := range c.proofs {
			if n := r.cite(v.evidence[p.evidence], p.span); !slices.Contains(claim.Citations, n) {
				claim.Citations = append(claim.Citations, n)
			}
		}
		r.answer.Claims = append(r.answer.Claims, claim)
		prose = append(prose, sentence(c, claim.Citations))
	}
	r.answer.Answer = strings.Join(prose, " ")
	if dropped > 0 {
		r.warn(fmt.Sprintf("%d sentences were left out of the answer: nothing that was read supports them", dropped))
	}
}

// foreignMark matches a reference in a source's text, which would look like one
// of the answer's.
var foreignMark = text.Pattern(`\[(\d+)\]`)

// sentence returns a claim as it is shown in the answer.
func sentence(c checked, citations []int) string {
	var b strings.Builder
	b.WriteString(foreignMark().ReplaceAllString(strings.Join(strings.Fields(c.text), " "), "($1)"))
	if c.verdict == evidence.Weak {
		b.WriteString(" (weakly supported)")
	}
	b.WriteByte(' ')
	for _, n := range citations {
		fmt.Fprintf(&b, "[%d]", n)
	}
	return b.String()
}

// cite returns the number of the citation of that span, and adds it if there is
// none.
func (r *run) cite(e evidence.Evidence, span evidence.Span) int {
	for _, c := range r.answer.Citations {
		if c.DocumentID == e.Document.ID && c.Start == span.Start && c.End == span.End {
			return c.N
		}
	}
	d := e.Document
	r.answer.Citations = append(r.answer.Citations, evidence.Citation{
		N: len(r.answer.Citations) + 1, Title: d.Title, URL: d.URL, Source: d.Source, DocumentID: d.ID,
		Quote: d.Text[span.Start:span.End], Start: span.Start, End: span.End, Retrieved: d.Retrieved,
	})
	return len(r.answer.Citations)
}
