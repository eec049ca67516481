package tools

import (
	"slices"
	"strconv"
	"strings"

	"github.com/research-mcp/research-mcp/internal/evidence"
	"github.com/research-mcp/research-mcp/internal/text"
)

// How far a text is shortened before something else is removed, in bytes.
const (
	leastQuote    = 160
	leastError    = 120
	leastQuestion = 200
	leastAnswer   = 400
)

var (
	mark = text.Pattern(` ?\[(\d+)\]`)
	// Marks may follow the full stop of their sentence.
	marksAhead = text.Pattern(`^(\s*\[\d+\])+`)
)

// answerShrinker removes parts of its own copy of an answer.
type answerShrinker struct {
	out      evidence.Answer
	warnings []string
	omitted  omissions
	max      int
}

// shrinkAnswer cuts a to maxTokens, both as JSON and as text. It removes the least
// useful parts first: statistics, the ends of quotes, claims that repeat the
// answer; the answer itself is cut last. Quotes stay verbatim at their offsets,
// and a citation is removed together with its marks.
func shrinkAnswer(a evidence.Answer, maxTokens int) evidence.Answer {
	f := &answerShrinker{out: a, warnings: a.Warnings, max: maxTokens}
	if f.fits() {
		return f.out
	}
	f.own()
	shrink(f.fits,
		f.dropEvidence, f.cutAnalysis, f.dropNotAsked, f.shortenQuotes, f.shortenErrors, f.dropSupportedClaim, f.shortenQuestion,
		f.cutAnswerTo(leastAnswer), f.dropCitation, f.dropClaim, f.dropHealthySource, f.dropBySource,
		f.dropSource, f.dropWarning, f.dropTopic, f.halveAnswer, f.halveNames,
	)
	f.fits() // updates the warning after the last step
	return f.out
}

// own copies what the steps modify: the engine still uses the answer.
func (f *answerShrinker) own() {
	f.out.Claims = slices.Clone(f.out.Claims)
	for i, c := range f.out.Claims {
		f.out.Claims[i].Citations = slices.Clone(c.Citations)
	}
	f.out.Citations = slices.Clone(f.out.Citations)
	f.out.Sources = slices.Clone(f.out.Sources)
}

func (f *answerShrinker) fits() bool {
	f.out.Warnings = f.omitted.with(f.warnings, f.max)
	return jsonTokens(f.out) <= f.max && text.EstimateTokens(answerText(f.out)) <= f.max
}

func (f *answerShrinker) cutAnalysis() bool {
	an := &f.out.Analysis
	for _, keep := range []int{3, 0} {
		if n, m := len(an.TopDocuments), len(an.Keywords); n > keep || m > keep {
			an.TopDocuments, an.Keywords = an.TopDocuments[:min(n, keep)], an.Keywords[:min(m, keep)]
			f.omitted.add("analysis rows", n+m-len(an.TopDocuments)-len(an.Keywords))
			return true
		}
	}
	return false
}

// dropEvidence drops the last of the ranked passages: the answer quotes the best.
func (f *answerShrinker) dropEvidence() bool {
	n := len(f.out.Evidence)
	if n == 0 {
		return false
	}
	f.out.Evidence = f.out.Evidence[: n-1 : n-1]
	f.omitted.add("passages", 1)
	return true
}

func (f *answerShrinker) dropNotAsked() bool {
	n := len(f.out.NotAsked)
	f.out.NotAsked = nil
	f.omitted.add("sources not asked", n)
	return n > 0
}

// shortenQuotes cuts all quotes to two thirds of the longest one.
func (f *answerShrinker) shortenQuotes() bool {
	cs := f.out.Citations
	i := longest(len(cs), leastQuote, func(i int) int { return len(cs[i].Quote) })
	if i < 0 {
		return false
	}
	most := max(leastQuote, len(cs[i].Quote)*2/3)
	for i := range cs {
		short := prefix(cs[i].Quote, most)
		f.omitted.add("bytes of quotes", len(cs[i].Quote)-len(short))
		cs[i].Quote, cs[i].End = short, cs[i].Start+len(short)
	}
	return true
}

func (f *answerShrinker) shortenErrors() bool {
	n := 0
	for i, r := range f.out.Sources {
		if len(r.Err) > leastError {
			f.out.Sources[i].Err = ellipsis(r.Err, leastError)
			n++
		}
	}
	f.omitted.add("ends of error texts", n)
	return n > 0
}

// dropSupportedClaim removes the last claim that only repeats the answer.
func (f *answerShrinker) dropSupportedClaim() bool {
	for i, c := range slices.Backward(f.out.Claims) {
		if c.Verdict == evidence.Supported {
			f.dropClaimAt(i)
			return true
		}
	}
	return false
}

func (f *answerShrinker) dropClaim() bool {
	if len(f.out.Claims) == 0 {
		return false
	}
	f.dropClaimAt(len(f.out.Claims) - 1)
	return true
}

func (f *answerShrinker) dropClaimAt(i int) {
	f.out.Claims = slices.Delete(f.out.Claims, i, i+1)
	f.omitted.add("claims", 1)
}

func (f *answerShrinker) shortenQuestion() bool {
	if len(f.out.Question) <= leastQuestion {
		return false
	}
	f.out.Question = ellipsis(f.out.Question, leastQuestion)
	f.omitted.add("end of the question", 1)
	return true
}

// cutAnswerTo removes the last sentence of an answer longer than least bytes, and
// the citations that nothing refers to afterwards.
func (f *answerShrinker) cutAnswerTo(least int) step {
	return func() bool {
		if len(f.out.Answer) <= least {
			return false
		}
		short, ok := withoutLastSentence(f.out.Answer)
		if !ok {
			return false
		}
		f.out.Answer = short
		f.omitted.add("answer sentences", 1)
		f.dropUnmarked()
		return true
	}
}

// withoutLastSentence keeps the marks of the other sentences. It returns false if
// there is only one sentence.
func withoutLastSentence(answer string) (string, bool) {
	answer = strings.TrimRight(answer, " \n\t")
	spans := text.Sentences(answer)
	for i := len(spans) - 2; i >= 0; i-- {
		end := spans[i].End
		end += len(marksAhead().FindString(answer[end:]))
		if end < len(answer) {
			return answer[:end], true
		}
	}
	return "", false
}

func (f *answerShrinker) dropUnmarked() {
	used := map[int]bool{}
	for _, m := range mark().FindAllStringSubmatch(f.out.Answer, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			used[n] = true
		}
	}
	for _, c := range f.out.Claims {
		for _, n := range c.Citations {
			used[n] = true
		}
	}
	before := len(f.out.Citations)
	f.out.Citations = slices.DeleteFunc(f.out.Citations, func(c evidence.Citation) bool { return !used[c.N] })
	f.omitted.add("citations", before-len(f.out.Citations))
}

// dropCitation removes the last citation and every mark that points to it.
func (f *answerShrinker) dropCitation() bool {
	if len(f.out.Citations) == 0 {
		return false
	}
	last := f.out.Citations[len(f.out.Citations)-1]
	f.out.Citations = f.out.Citations[:len(f.out.Citations)-1]
	f.omitted.add("citations", 1)
	if slices.ContainsFunc(f.out.Citations, func(c evidence.Citation) bool { return c.N == last.N }) {
		return true
	}
	number := strconv.Itoa(last.N)
	f.out.Answer = mark().ReplaceAllStringFunc(f.out.Answer, func(m string) string {
		if strings.Trim(m, " []") == number {
			return ""
		}
		return m
	})
	for i, c := range f.out.Claims {
		f.out.Claims[i].Citations = slices.DeleteFunc(c.Citations, func(n int) bool { return n == last.N })
	}
	return true
}

func (f *answerShrinker) dropHealthySource() bool {
	for i, r := range slices.Backward(f.out.Sources) {
		if r.Status == evidence.StatusOK || r.Status == evidence.StatusCached || r.Status == evidence.StatusEmpty {
			f.out.Sources = slices.Delete(f.out.Sources, i, i+1)
			f.omitted.add("source reports", 1)
			return true
		}
	}
	return false
}

func (f *answerShrinker) dropSource() bool {
	n := len(f.out.Sources)
	if n == 0 {
		return false
	}
	f.out.Sources = f.out.Sources[:n-1]
	f.omitted.add("source reports", 1)
	return true
}

func (f *answerShrinker) dropBySource() bool {
	n := len(f.out.Analysis.BySource)
	f.out.Analysis.BySource = map[string]int{}
	f.omitted.add("analysis rows", n)
	return n > 0
}

func (f *answerShrinker) dropWarning() bool {
	n := len(f.warnings)
	if n == 0 {
		return false
	}
	f.warnings = f.warnings[:n-1]
	f.omitted.add("warnings", 1)
	return true
}

func (f *answerShrinker) dropTopic() bool {
	n := len(f.out.Topics)
	f.out.Topics = []string{}
	f.omitted.add("topics", n)
	return n > 0
}

func (f *answerShrinker) halveAnswer() bool {
	if len(f.out.Answer) < 16 {
		return false
	}
	f.out.Answer = ellipsis(f.out.Answer, len(f.out.Answer)*2/3)
	f.omitted.add("answer ends", 1)
	return true
}

// halveNames shortens the texts that remain when a long question comes with the
// smallest token budget.
func (f *answerShrinker) halveNames() bool {
	long := false
	for _, s := range []*string{&f.out.Question, &f.out.Memory.Err, &f.out.Analysis.Err, &f.out.Embedder, &f.out.Synthesizer} {
		if len(*s) > 8 {
			*s, long = ellipsis(*s, len(*s)/2), true
		}
	}
	return long
}
