package research

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// settle makes the answer of those sentences that are supported.
func (r *run) settle(v *verifier, w written) {
	begun := r.e.deps.Now()
	defer func() { r.answer.Timing.VerifyMS = r.since(begun) }()
	r.emit(Event{Kind: EventStage, Stage: "verify"})

	draft := w.draft
	if draft.Abstain && draft.Confidence > 0 {
		r.nearest = draft.Why
	}
	if draft.Partial {
		r.cut = true
		r.warn("the answer was cut short: " + draft.Why)
	} else if draft.Why != "" && !draft.Abstain {
		r.warn(draft.Why)
	}
	r.answer.Synthesizer = w.by
	r.answer.Confidence = math.Round(draft.Confidence*100) / 100
	r.present(v, w.claims)
	r.answer.Evidence = evidenceOf(v.evidence)
}

// evidenceOf lists the ranked passages for a client that writes its own answer.
func evidenceOf(ranked []evidence.Evidence) []evidence.RankedPassage {
	out := []evidence.RankedPassage{}
	for _, e := range ranked {
		heading := e.Passage.Heading
		if heading == nil {
			heading = []string{}
		}
		out = append(out, evidence.RankedPassage{DocumentID: e.Document.ID, Title: e.Document.Title, URL: citable(e.Document.URL), Source: e.Document.Source,
			Heading: heading, Text: e.Passage.Text, Start: e.Passage.Start, End: e.Passage.End, Score: math.Round(e.Passage.Score*1000) / 1000})
	}
	return out
}

// present turns checked sentences into claims, numbered citations and prose.
// Unsupported sentences stay among the claims, with the reason, and out of the
// prose.
func (r *run) present(v *verifier, claims []checked) {
	var prose []string
	dropped, section := 0, ""
	for _, c := range claims {
		claim := evidence.Claim{Text: c.shown(), Citations: []int{}, Verdict: c.verdict, Why: c.why}
		if c.verdict == evidence.Unsupported {
			dropped++
			r.answer.Claims = append(r.answer.Claims, claim)
			continue
		}
		for _, p := range c.proofs {
			if n := r.cite(v.evidence[p.Evidence], p.Span); !slices.Contains(claim.Citations, n) {
				claim.Citations = append(claim.Citations, n)
			}
		}
		r.answer.Claims = append(r.answer.Claims, claim)
		if c.section != section {
			section = c.section
			prose = append(prose, heading(section))
		}
		prose = append(prose, sentence(c, claim.Citations))
	}
	gap := " "
	if slices.ContainsFunc(claims, func(c checked) bool { return c.block || c.section != "" }) {
		gap = "\n\n"
	}
	r.answer.Answer = harmless(strings.Join(prose, gap)) // what is code in one may not be in all
	if dropped > 0 {
		r.warn(fmt.Sprintf("left out of the answer: %s that nothing that was read supports", text.Count(dropped, "sentence")))
	}
}

// foreignMark matches a reference in a source's text, which would look like one
// of the answer's.
var foreignMark = text.Pattern(`\[(\d+)\]`)

// outsideCode applies change to the text before, between and after fenced code.
func outsideCode(markdown string, change func(string) string) string {
	var out, open strings.Builder
	fence := ""
	for line := range strings.Lines(markdown) {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "":
			if out.WriteString(line); trimmed == fence {
				fence = ""
			}
		case strings.HasPrefix(trimmed, "```"), strings.HasPrefix(trimmed, "~~~"):
			out.WriteString(change(open.String()))
			open.Reset()
			fence = trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, trimmed[:1]))]
			out.WriteString(line)
		default:
			open.WriteString(line)
		}
	}
	out.WriteString(change(open.String()))
	return out.String()
}

// sentence returns a claim as it is shown in the answer.
func sentence(c checked, citations []int) string {
	var b strings.Builder
	body := strings.TrimSpace(c.text)
	switch {
	case c.code:
		body = "```\n" + strings.Trim(c.text, "\n") + "\n```"
	case !c.block:
		body = strings.Join(strings.Fields(body), " ")
	default:
		body = strings.TrimSpace(outsideCode(body, readable))
	}
	if !c.code {
		body = strings.TrimSpace(withoutAddresses(body))
	}
	b.WriteString(foreignMark().ReplaceAllString(body, "($1)"))
	if c.verdict == evidence.Weak {
		b.WriteString(" (weakly supported)")
	}
	b.WriteString(markGap(c.block, body))
	for _, n := range citations {
		fmt.Fprintf(&b, "[%d]", n)
	}
	return b.String()
}

// shown is the text of a claim by itself.
func (c checked) shown() string {
	if c.code {
		return c.text
	}
	return withoutAddresses(c.text)
}

// markGap separates a claim from its marks: a blank line after a code block or a
// table, which a mark in their last line would break.
func markGap(block bool, body string) string {
	last := strings.TrimSpace(body[strings.LastIndexByte(body, '\n')+1:])
	if block && (strings.HasPrefix(last, "```") || strings.HasPrefix(last, "~~~") || strings.HasPrefix(last, "|")) {
		return "\n\n"
	}
	return " "
}

// cite returns the number of the citation of that span, and adds it, with a warning
// if the document has one, if there is none.
func (r *run) cite(e evidence.Evidence, span evidence.Span) int {
	for _, c := range r.answer.Citations {
		if c.DocumentID == e.Document.ID && c.Start == span.Start && c.End == span.End {
			return c.N
		}
	}
	d := e.Document
	r.warnOf(d)
	r.answer.Citations = append(r.answer.Citations, evidence.Citation{
		N: len(r.answer.Citations) + 1, Title: d.Title, URL: citable(d.URL), Source: d.Source, DocumentID: d.ID,
		Quote: d.Text[span.Start:span.End], Start: span.Start, End: span.End, Retrieved: d.Retrieved,
	})
	return len(r.answer.Citations)
}
