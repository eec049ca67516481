package research

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
)

// mostParts bounds the questions that a deep one is divided into.
const mostParts = 4

// part is one of the questions that a deep question is made of, with its own ranking
// and answer. Its run shares the collaborators of the whole question's, and nothing that
// is written to.
type part struct {
	*run
	verifier *verifier
	written  written
}

// reportReserve is the share of the budget that a report leaves for the answer to the
// question as one, if it comes to that.
const reportReserve = 0.1

// reserving returns a context that ends a share of the budget before ctx does.
func (r *run) reserving(ctx context.Context, part float64) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return limit.WithTimeout(ctx, time.Until(deadline)-r.share(part))
}

// divide returns the questions that a deep question is made of as far as that can be told
// without a model, or nil.
func (r *run) divide(ctx context.Context) []string {
	divider := r.e.deps.Models.BuiltIn().Divider
	if !r.depth.parts || divider == nil {
		return nil
	}
	out, err := divider.Parts(ctx, r.req.Question, mostParts)
	if err != nil || len(out) < 2 {
		return nil
	}
	return out
}

// mostParts is how many parts the question may turn out to have.
func (r *run) mostParts() int {
	if !r.depth.parts {
		return 0
	}
	return mostParts
}

// divide makes a model's parts those of the question, and asks the sources for them.
func (g *gathering) divide(ctx context.Context, parts []string) {
	if len(parts) < 2 || len(g.r.parts) > 0 {
		return
	}
	g.r.parts, g.most = parts, g.most+len(parts)
	g.r.emit(Event{Kind: EventStage, Stage: "in parts: " + strings.Join(parts, " "), Parts: parts})
	g.r.askParts(ctx, g)
}

// part returns the run of one of the questions.
func (r *run) part(ctx context.Context, question string) *run {
	req := r.req
	req.Question, req.MaxTokens = question, r.req.MaxTokens/len(r.parts)
	topics, err := r.e.deps.Models.BuiltIn().Planner.Keywords(ctx, question, evidence.Session{}, r.depth.topics)
	if err != nil {
		topics = nil
	}
	return &run{e: r.e, optional: true, req: req, depth: r.depth, models: r.models, observe: func(Event) {}, started: r.started,
		answer: evidence.Answer{Question: question, Topics: topics, Synthesizer: r.answer.Synthesizer, Warnings: []string{}}}
}

// askParts asks the sources with a keyword of each part, beside those of the whole.
func (r *run) askParts(ctx context.Context, gather *gathering) {
	for _, question := range r.parts {
		if words := r.part(ctx, question).answer.Topics; len(words) > 0 {
			gather.ask(words[0])
		}
	}
}

// report answers a deep question part by part: all parts are ranked and quoted side by
// side, those without an answer are searched for once more, and each becomes a section.
// It returns false if fewer than two parts have an answer: then the whole question's own
// answer is given.
func (r *run) report(ctx context.Context, docs []*digested, back recollection) ([]*digested, *verifier, written, bool) {
	bounded, cancel := r.reserving(ctx, reportReserve)
	defer cancel()
	parts := r.quoteParts(bounded, r.parts, docs, back)
	more := r.fillGaps(bounded, docs, parts)
	if len(more) > 0 {
		docs = append(docs, more...)
		for i, p := range parts {
			if p.written.draft.Abstain {
				parts[i] = r.quoteParts(bounded, []string{p.req.Question}, docs, back)[0]
			}
		}
	}
	answered := 0
	for _, p := range parts {
		if !p.written.draft.Abstain {
			answered++
		}
	}
	if answered < 2 {
		return docs, nil, written{}, false
	}
	v, w := r.joined(ctx, parts)
	return docs, v, w, true
}

// quoteParts ranks and quotes each question, concurrently.
func (r *run) quoteParts(ctx context.Context, questions []string, docs []*digested, back recollection) []part {
	var pending []<-chan part
	for _, question := range questions {
		p := r.part(ctx, question)
		pending = append(pending, guarded(r.e, "a part of a question", func() part {
			v, w := p.quote(ctx, p.rank(ctx, docs, back))
			return part{p, v, w}
		}))
	}
	var out []part
	for i, ch := range pending {
		p := <-ch
		if p.run == nil { // it panicked
			p = part{run: r.part(ctx, questions[i]), verifier: newVerifier(nil, nil), written: written{draft: evidence.Draft{Abstain: true}}}
		}
		r.answer.Timing.RankMS += p.answer.Timing.RankMS
		r.answer.Timing.SynthesisMS += p.answer.Timing.SynthesisMS
		out = append(out, p)
	}
	return out
}

// fillGaps searches for the parts that have no answer yet, with words of theirs that
// were not asked.
func (r *run) fillGaps(ctx context.Context, docs []*digested, parts []part) []*digested {
	var words []string
	for _, p := range parts {
		if !p.written.draft.Abstain {
			continue
		}
		p.answer.Topics = append(slices.Clone(p.answer.Topics), r.answer.Topics...)
		for _, w := range p.otherWords(p.verifier.evidence) {
			if !slices.ContainsFunc(words, func(have string) bool { return strings.EqualFold(have, w) }) {
				words = append(words, w)
			}
		}
	}
	return r.searchAgain(ctx, docs, words[:min(len(words), mostParts)])
}

// joined makes one draft of the parts' answers, each under its question. A part without
// an answer says so.
func (r *run) joined(ctx context.Context, parts []part) (*verifier, written) {
	out := written{by: r.e.deps.Models.BuiltIn().Synthesizer.Name()}
	var all []evidence.Evidence
	var missing []string
	sure, known := 1.0, false
	for _, p := range parts {
		if p.written.draft.Abstain {
			missing = append(missing, strings.TrimRight(p.req.Question, "?"))
			continue
		}
		w := p.synthesise(ctx, p.verifier, p.written)
		for _, warning := range p.answer.Warnings {
			r.warn(warning)
		}
		if w.by != p.written.by {
			out.by = w.by
		}
		r.unsure = r.unsure || p.unsure
		if w.draft.Abstain { // the model found none, either
			missing = append(missing, strings.TrimRight(p.req.Question, "?"))
			continue
		}
		if c := w.draft.Confidence; c > 0 {
			sure, known = min(sure, c), true
		}
		moved := make([]int, len(p.verifier.evidence))
		for i, e := range p.verifier.evidence {
			moved[i], all = place(all, e)
		}
		for _, c := range w.claims {
			c.section, c.proofs = p.req.Question, slices.Clone(c.proofs)
			for i := range c.proofs {
				c.proofs[i].Evidence = moved[c.proofs[i].Evidence]
			}
			out.claims = append(out.claims, c)
		}
	}
	if known {
		out.draft.Confidence = sure
	}
	out.draft.Abstain = len(out.claims) == 0
	if len(missing) > 0 {
		r.cut = true
		r.warn(fmt.Sprintf("no answer was found to: %s", strings.Join(missing, "; ")))
	}
	return newVerifier(all, r.e.deps.Models.BuiltIn().Encoder), out
}

// place returns the index of a passage in a list, and the list with it.
func place(all []evidence.Evidence, e evidence.Evidence) (int, []evidence.Evidence) {
	i := slices.IndexFunc(all, func(o evidence.Evidence) bool {
		return o.Document.ID == e.Document.ID && o.Passage.Start == e.Passage.Start && o.Passage.End == e.Passage.End
	})
	if i >= 0 {
		return i, all
	}
	return len(all), append(all, e)
}

// sections is a report as it is shown while it is made.
func sections(claims []checked) string {
	var b strings.Builder
	last := ""
	for _, c := range claims {
		if c.verdict == evidence.Unsupported {
			continue
		}
		if c.section != last {
			last = c.section
			b.WriteString(heading(last) + "\n\n")
		}
		b.WriteString(strings.TrimSpace(c.text) + "\n\n")
	}
	return b.String()
}

// heading is a part's question above its answer.
func heading(question string) string {
	_, n := utf8.DecodeRuneInString(question)
	return "## " + strings.ToUpper(question[:n]) + question[n:]
}
