package research

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/limit"
	"github.com/research-mcp/research-mcp/internal/models"
	"github.com/research-mcp/research-mcp/internal/text"
)

// Shares of a question's budget.
const (
	// writingShare is how long a model may write, counted from the question. If the
	// sources took longer, the model has half of it nevertheless.
	writingShare = 1.0 / 3
	// verifyReserve is for the steps after writing.
	verifyReserve = 0.05
)

// A model is waited for as long as it promises, times promiseSlack, plus
// promiseOverhead: its speed varies, and the request takes a moment.
const (
	promiseSlack    = 1.5
	promiseOverhead = time.Second
)

// rewrite lets the chosen model write the answer. It returns quoted if the model is
// not there, is too slow, fails, or writes something worse.
func (r *run) rewrite(ctx context.Context, v *verifier, brief evidence.Brief, quoted written) written {
	model := r.models.wait().Synthesizer
	if model.Name() == quoted.by || ctx.Err() != nil {
		return quoted
	}
	bounded, cancel := limit.WithTimeout(ctx, r.writingTime(ctx))
	defer cancel()
	unread := ""
	if paced, ok := model.(models.Paced); ok {
		deadline, _ := bounded.Deadline()
		patience, stop := limit.WithTimeout(bounded, r.share(writingShare-verifyReserve)-r.e.deps.Now().Sub(r.started))
		fit := paced.Fit(patience, brief, time.Until(deadline))
		stop()
		if fit.Problem != nil {
			r.warn(fit.Problem.Error())
		}
		if fit.TooSlow {
			return quoted
		}
		if n := len(fit.Brief.Evidence); n < len(brief.Evidence) {
			unread = fmt.Sprintf("%s had time to read %d of %d passages", model.Name(), n, len(brief.Evidence))
		}
		brief = fit.Brief
		promised, stop := limit.WithTimeout(bounded, time.Duration(promiseSlack*float64(fit.Takes))+promiseOverhead)
		defer stop()
		bounded = promised
	}
	r.emit(Event{Kind: EventWriting, Stage: model.Name()})
	draft, err := model.Write(bounded, brief, nil)
	if ctx.Err() != nil && err != nil {
		return quoted // the budget is used up, or the caller has left
	}
	why := "it wrote nothing"
	switch {
	case err != nil:
		why = firstLine(err)
	case draft.Abstain:
		return r.abstained(v, model.Name(), quoted)
	case len(draft.Sentences) > 0:
		mine := written{by: model.Name(), draft: draft, claims: v.check(ctx, draft)}
		if why = worse(r.req, mine, quoted); why == "" {
			mine.draft.Confidence = quoted.draft.Confidence // that the evidence has an answer
			mine.draft.Why = cmp.Or(mine.draft.Why, unread)
			r.unsure = quoted.draft.Abstain
			return mine
		}
	}
	r.notWritten(model.Name(), why)
	return quoted
}

// writingTime returns how long a model may take from now on.
func (r *run) writingTime(ctx context.Context) time.Duration {
	left := max(r.share(writingShare)-r.e.deps.Now().Sub(r.started), r.share(writingShare/2))
	if deadline, ok := ctx.Deadline(); ok {
		left = min(left, time.Until(deadline))
	}
	return left - r.share(verifyReserve)
}

// share returns a part of the question's budget.
func (r *run) share(part float64) time.Duration { return time.Duration(part * float64(r.req.Budget)) }

func (r *run) notWritten(model, why string) {
	r.warn(fmt.Sprintf("%s did not write this answer (%s): it is quoted from the sources instead", model, why))
}

// believed is the confidence of the built-in answer from which on a model that finds
// no answer is not believed: the answer is more likely right than wrong.
const believed = 0.5

// abstained returns the answer after a model has found none.
func (r *run) abstained(v *verifier, model string, quoted written) written {
	sure := quoted.draft.Confidence
	switch {
	case quoted.draft.Abstain:
		return quoted
	case sure > 0 && sure < believed:
		return written{by: model, draft: evidence.Draft{Abstain: true, Confidence: sure, Why: nearestOf(v, quoted)}}
	case sure == 0: // it is not known
		r.unsure = true
	}
	r.notWritten(model, "it found no answer in what was read")
	return quoted
}

// nearestOf names the passage that an answer which is not given leads with.
func nearestOf(v *verifier, w written) string {
	for _, c := range w.claims {
		for _, p := range c.proofs {
			d := v.evidence[p.Evidence].Document
			return fmt.Sprintf("what came nearest is %q (%s)", cmp.Or(d.Title, d.Source), d.URL)
		}
	}
	return ""
}

const (
	// leastSupport is the share of a model's sentences that must be supported, where a
	// weak one counts half: of one that invents more, the rest is not to be trusted.
	leastSupport = 0.5
	// coverageSlack is how much less of the question a model's answer may cover: it
	// uses other words.
	coverageSlack = 0.15
	// leastKept is the share of the particulars in a confident answer's first block that
	// a model's has to have: other ones are another answer.
	leastKept = 0.4
)

// worse returns why a model's answer is worse than the quoted one, or "".
func worse(req Request, mine, quoted written) string {
	question := req.Question
	good := 0.0
	for _, c := range mine.claims {
		switch c.verdict {
		case evidence.Supported:
			good++
		case evidence.Weak:
			good += 0.5
		}
	}
	mineText, quotedText := prose(mine.claims), prose(quoted.claims)
	switch {
	case mineText == "":
		return "none of its sentences is supported by what was read"
	case good < leastSupport*float64(len(mine.claims)):
		return fmt.Sprintf("of its %s too few are supported by what was read", text.Count(len(mine.claims), "sentence"))
	case foreign(req, mineText, quotedText):
		return "it is not in the language of the question"
	case quotedText == "":
		return ""
	case mine.draft.Partial:
		return mine.draft.Why
	case covered(question, mineText)+coverageSlack < covered(question, quotedText):
		return "it covers less of the question"
	case quoted.draft.Confidence >= answeredConfidence && keptShare(question, quoted.claims[0].text, mineText) < leastKept:
		return "it leaves out what answers the question"
	}
	return ""
}

// foreign reports whether a model's answer is in another language than that which was
// asked for, that of the question, and that of the quoted answer.
func foreign(req Request, mine, quoted string) bool {
	language := text.DetectLanguage(mine)
	return language != "" && language != text.PrimaryLanguage(req.Language) &&
		language != text.DetectLanguage(req.Question) && language != text.DetectLanguage(quoted)
}

// prose joins the sentences that are not unsupported.
func prose(claims []checked) string {
	var out []string
	for _, c := range claims {
		if c.verdict != evidence.Unsupported {
			out = append(out, strings.TrimSpace(c.text))
		}
	}
	return strings.Join(out, " ")
}

// covered returns the share of the question's words that are in s.
func covered(question, s string) float64 {
	return shareOf(text.QueryTerms(question), text.Terms(s))
}

// shareOf returns the share of words that are in list; 1 if there are none.
func shareOf(words, list []string) float64 {
	have := map[string]bool{}
	for _, w := range list {
		have[w] = true
	}
	n := 0
	for _, w := range words {
		if have[w] {
			n++
		}
	}
	if len(words) == 0 {
		return 1
	}
	return float64(n) / float64(len(words))
}

// keptShare returns the share of a text's particulars that are in s, or, if it has none,
// of its words: those that are not in the question.
func keptShare(question, quoted, s string) float64 {
	asked := map[string]bool{}
	for _, t := range text.Terms(question) {
		asked[t] = true
	}
	var particulars, words []string
	for _, t := range text.Tokenize(quoted) {
		switch {
		case t.Stop || asked[t.Term]:
		case particular(quoted, t):
			particulars = append(particulars, t.Term)
			fallthrough
		default:
			words = append(words, t.Term)
		}
	}
	if len(particulars) == 0 {
		particulars = words
	}
	return shareOf(particulars, text.Terms(s))
}

// particular reports whether a word is a number, a name, or a part of code: what a
// paraphrase keeps.
func particular(s string, t text.Token) bool {
	word := s[t.Start:t.End]
	if strings.ContainsFunc(word, unicode.IsDigit) || strings.ContainsAny(word, "_-./") {
		return true
	}
	before := strings.TrimRight(s[:t.Start], " ")
	first, _ := utf8.DecodeRuneInString(word)
	return strings.HasSuffix(before, "`") || strings.HasSuffix(before, "-") ||
		unicode.IsUpper(first) && before != "" && !strings.ContainsAny(before[len(before)-1:], ".!?\n:")
}
