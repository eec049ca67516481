package writer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/models/pace"
	"github.com/research-mcp/research-mcp/internal/models/prompt"
)

const (
	// shortAnswer is the shortest answer, in tokens, that is worth asking a model for.
	shortAnswer = 150
	// littleEvidence is the least evidence, in tokens, that a model has to be able to
	// read in time: about three passages.
	littleEvidence = 600
	// estimated is how many tokens EstimatePrompt finds in one that is read.
	estimated = 4.0 / 3
)

// Fit returns the first passages that the model can read within limit, with time to
// write an answer, and how long both take at its measured speed. If the speed is
// being measured, that is waited for until ctx ends. See models.Paced.
func (w *Writer) Fit(ctx context.Context, in evidence.Brief, limit time.Duration) models.Fit {
	s, err := w.chat.Speed(ctx)
	switch {
	case err != nil && !errors.Is(err, pace.ErrUnknown):
		return models.Fit{TooSlow: true, Problem: &evidence.Problem{
			What: w.Name() + " did not write this answer: how fast it is was not measured in time",
			Try:  "ask again; `research-mcp doctor` measures it",
		}}
	case err != nil:
		s = unmeasured
	}
	bare := in
	bare.Evidence = nil
	rules := Likely(Estimate(prompt.Answer(bare, nil, "")))
	left := limit - s.Takes(0, shortAnswer)
	readable := w.opts.Readable(inTime(s, left, s.Read)) - rules
	fit := models.Fit{Brief: in}
	n, read, all := 0, 0, 0
	for i, e := range in.Evidence {
		size := Likely(EstimatePrompt(e.Document.Title + e.Passage.Text))
		if all += size; all <= readable {
			n, read = i+1, all
		}
	}
	if read < min(littleEvidence, all) {
		return w.refuse(s, rules+min(littleEvidence, all))
	}
	fit.Brief.Evidence = in.Evidence[:n:n]
	most := in.MaxTokens
	if most <= 0 {
		most = defaultAnswer
	}
	writable := inTime(s, limit-s.Takes(rules+read, 0), s.Write)
	fit.Brief.MaxTokens = min(most, max(shortAnswer, w.opts.Readable(writable)))
	fit.Takes = s.Load + s.Takes(rules+read, fit.Brief.MaxTokens)
	return fit
}

// Likely returns the likely number of tokens for an estimate of EstimatePrompt.
func Likely(estimate int) int { return int(math.Ceil(float64(estimate) / estimated)) }

// refuse says, once, why the model is not asked.
func (w *Writer) refuse(s pace.Speed, prompt int) models.Fit {
	fit := models.Fit{TooSlow: true}
	if !w.chat.Tell() {
		return fit
	}
	fit.Problem = &evidence.Problem{
		What: fmt.Sprintf("%s is too slow here to write answers in time: %s, so that an answer would take %s", w.Name(), Describe(s),
			(s.Load + s.Takes(prompt, shortAnswer)).Round(time.Second)),
		Try: "`research-mcp doctor` says what would fit; answers are quoted from the sources, and this is said once",
	}
	return fit
}

// Describe says how fast a model is, for a person.
func Describe(s pace.Speed) string {
	atMost := ""
	if s.Bound {
		atMost = "at most "
	}
	out := fmt.Sprintf("it reads %s%s and writes %s%s tokens a second", atMost, rate(s.Read), atMost, rate(s.Write))
	if s.Load >= time.Second {
		out += fmt.Sprintf(", after %s of loading", s.Load.Round(time.Second))
	}
	return out
}

// rate is a number of tokens with two significant digits.
func rate(x float64) string {
	if x >= 10 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.1f", x)
}

// AddSpeed adds the speed of a chat model to its status, and if the model is too slow
// to write answers to questions with that budget, what would fit. known is false where
// the speed could not be measured.
func AddSpeed(status models.Status, s pace.Speed, known bool, budget time.Duration) models.Status {
	if !known {
		status.What += "; how fast it is was not measured in time"
		return status
	}
	status.What += "; " + Describe(s)
	const rules = 250 // tokens around the evidence
	takes := s.Load + s.Takes(rules+littleEvidence, shortAnswer)
	if takes > budget/3 {
		status.State = models.StateWarn
		status.What += fmt.Sprintf(": too slow to write answers within a third of the budget of %s", budget)
		status.Try = fmt.Sprintf("answers are quoted from the sources. What would fit: a model or a machine that is %.1f times as fast, or a budget of %s (research.budget, or --budget)",
			math.Ceil(10*takes.Seconds()/(budget/3).Seconds())/10, (3 * takes).Round(time.Second))
	}
	return status
}
