package research

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/span"
	"github.com/research-mcp/research-mcp/internal/text"
)

// answerTokens bounds the prose of an answer; its citations need room, too.
const answerTokens = 800

// answeredConfidence is the confidence from which on an answer counts as one. Of
// those at or above it, six of seven were right; see docs/answers.md.
const answeredConfidence = 0.8

// written is a draft whose sentences have been compared with the evidence.
type written struct {
	by     string // the synthesizer's name
	draft  evidence.Draft
	claims []checked
}

// write returns the answer, and all that was read for it. A deep question of several
// parts gets a report, one with a poor first round a second one.
func (r *run) write(ctx context.Context, docs []*digested, back recollection) ([]*digested, *verifier, written) {
	if len(r.parts) > 0 {
		if all, v, w, ok := r.report(ctx, docs, back); ok {
			r.emit(Event{Kind: EventText, Text: withoutAddresses(sections(w.claims))})
			return all, v, w
		} else if len(all) > len(docs) {
			docs, r.depth.rounds = all, 1 // there was a second round
		}
	}
	v, quoted := r.quote(ctx, r.rank(ctx, docs, back))
	if more := r.secondRound(ctx, docs, v, quoted); len(more) > 0 {
		docs = append(docs, more...)
		v, quoted = r.quote(ctx, r.rank(ctx, docs, back))
	}
	return docs, v, r.synthesise(ctx, v, quoted)
}

// brief is what a synthesizer writes from.
func (r *run) brief(ranked []evidence.Evidence) evidence.Brief {
	return evidence.Brief{
		Question: r.req.Question, Asked: r.said, More: r.more, Evidence: ranked, Summary: r.session.Summary, Turns: r.session.Turns,
		Language: r.req.Language, MaxTokens: min(answerTokens, max(100, r.req.MaxTokens/3)), Now: r.e.deps.Now(),
	}
}

// leastQuote is how long the built-in synthesizer may read with a model, even when the
// budget is used up.
const leastQuote = 200 * time.Millisecond

// synthesise returns the answer: the built-in synthesizer's, which is ready first and
// given at once to those who listen, or a model's that is in time and no worse.
func (r *run) synthesise(ctx context.Context, v *verifier, quoted written) written {
	begun := r.e.deps.Now()
	defer func() { r.answer.Timing.SynthesisMS += r.since(begun) }()
	if len(v.evidence) == 0 {
		return quoted
	}
	ctx, step := span.Start(ctx, "write")
	out := r.rewrite(ctx, v, r.brief(v.evidence), quoted)
	endWrite(step, out)
	if out.by != quoted.by && len(out.claims) > 0 {
		r.emit(Event{Kind: EventRewritten, Text: withoutAddresses(prose(out.claims))})
	}
	return out
}

// quote returns the answer of the built-in synthesizer, which is given even if the
// budget is used up, with the verifier of its sentences.
func (r *run) quote(ctx context.Context, ranked []evidence.Evidence) (*verifier, written) {
	begun := r.e.deps.Now()
	defer func() { r.answer.Timing.SynthesisMS += r.since(begun) }()
	r.emit(Event{Kind: EventStage, Stage: "synthesis"})
	v := newVerifier(ranked, r.e.deps.Models.BuiltIn().Encoder)
	if len(ranked) == 0 {
		return v, written{by: r.answer.Synthesizer, draft: evidence.Draft{Abstain: true, Why: "nothing was found"}}
	}
	builtIn := r.e.deps.Models.BuiltIn().Synthesizer
	if !r.optional { // a model reads until the budget's end, then words alone decide
		left := leastQuote
		if deadline, ok := ctx.Deadline(); ok {
			left = max(left, time.Until(deadline))
		}
		var cancel context.CancelFunc
		ctx, cancel = limit.WithTimeout(context.WithoutCancel(ctx), left)
		defer cancel()
	}
	ctx, step := span.Start(ctx, "write")
	draft, err := builtIn.Write(ctx, r.brief(ranked), func(s string) { r.emit(Event{Kind: EventText, Text: withoutAddresses(s)}) })
	if err != nil {
		draft = evidence.Draft{Abstain: true, Why: err.Error()}
	}
	out := written{by: builtIn.Name(), draft: draft, claims: v.check(ctx, draft)}
	endWrite(step, out)
	return v, out
}

// conclude sets the answer's status and, if there is no answer, says what was
// tried.
func (r *run) conclude() {
	a := &r.answer
	best := evidence.Unsupported
	for _, c := range a.Claims {
		if c.Verdict == evidence.Supported || c.Verdict == evidence.Weak && best != evidence.Supported {
			best = c.Verdict
		}
	}
	switch {
	case best == evidence.Unsupported:
		a.Status = evidence.Insufficient
		a.Answer = withoutAddresses(r.nothingFound()) // it quotes what sources sent
	case !slices.ContainsFunc(a.Sources, reached):
		a.Status = evidence.Partial
		if offline := r.offline(); offline != "" {
			r.warn(offline)
		}
		r.warn("no source answered: this is from memory alone")
	case best == evidence.Weak || r.cut || r.unsure:
		a.Status = evidence.Partial
	case a.Confidence > 0 && a.Confidence < answeredConfidence:
		a.Status = evidence.Partial
		r.warn("this is what came nearest; it may not answer the question")
	default:
		a.Status = evidence.Answered
	}
	if a.Status != evidence.Insufficient && slices.ContainsFunc(a.Sources, reached) {
		r.warnUnreachable()
	}
}

// reached reports whether a source answered, perhaps with nothing.
func reached(s evidence.SourceReport) bool {
	return s.Status == evidence.StatusOK || s.Status == evidence.StatusEmpty || s.Status == evidence.StatusCached
}

func (r *run) nothingFound() string {
	var tried []string
	for _, s := range r.answer.Sources {
		line := s.Name + ": " + s.Status
		if s.Err != "" {
			line += " (" + s.Err + ")"
		}
		tried = append(tried, line)
	}
	memory := fmt.Sprintf("memory: %s looked at", text.Count(r.answer.Memory.Hits, "passage"))
	if r.answer.Memory.Err != "" {
		memory = "memory: error (" + r.answer.Memory.Err + ")"
	}
	out := "Nothing that was read answers this question"
	if offline := r.offline(); offline != "" {
		out = offline + ". " + out
	}
	if r.nearest != "" {
		out += "; " + r.nearest
	}
	return out + ". Asked were " + strings.Join(append(tried, memory), "; ") + ". " + r.nextStep()
}

// fewWords is the length of a question that can hardly be shorter.
const fewWords = 6

// nextStep suggests what may help where nothing was found.
func (r *run) nextStep() string {
	words := len(text.Tokenize(r.req.Question))
	steps := []string{"ask in other words"}
	switch {
	case words == 0:
		return "The question has no word that could be searched for: ask in words."
	case r.unbound:
		return "The question depends on an earlier one: ask it in full, or in the session of that one."
	case isAddress(r.req.Question):
		return "The question is an address: fetch that page, then ask about it."
	case len(r.answer.Sources) > 0 && !slices.ContainsFunc(r.answer.Sources, reached):
		return r.unreachable()
	case words > fewWords:
		steps[0] = "ask in fewer words"
	}
	if r.req.Depth != DepthDeep {
		steps = append(steps, "ask at depth deep, which reads whole pages")
	}
	var rest []string
	for _, n := range r.answer.NotAsked {
		rest = append(rest, n.Name)
	}
	if len(rest) > 0 {
		steps = append(steps, "name sources that were not asked: "+strings.Join(rest, ", "))
	}
	return "To find more, " + strings.Join(steps, "; or ") + "."
}

// isAddress reports whether a question is the address of a page and nothing else.
func isAddress(question string) bool {
	u, err := url.Parse(strings.TrimSpace(question))
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(strings.Fields(question)) == 1
}
